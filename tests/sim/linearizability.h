// tests/sim/linearizability.h
// Is there an order of a group's operations, each at one moment between its call and its answer, in which every answer
// is right? The search of Wing and Gong, with Lowe's memory of states already seen: at each step one of the operations
// that no other precedes is tried next; where none fits, the last choice is undone.
// Model:    a group's cells; every part of a batch at once or none; conditions judged on the same state. An operation of
//           unknown outcome may happen at any moment after its call, or never; twice, it may not.
// Versions: grow along a group's history, whose keys share one log: writes of known version stand in its order, which
//           spares the search nearly all of its choices. A version is known from the write's answer, or from who read
//           the value; a counter's that is not known when it is written is learnt from the first read that finds it.
// Threads:  pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/history.h"

namespace ebla::sim {

struct Verdict {
  enum class Kind { kRight, kWrong, kUndecided };
  Kind kind = Kind::kRight;
  std::string why;    // wrong: the operation that fits nowhere, and how far the search came
  size_t states = 0;  // looked at
};

// `operations` are of one group, in any order. Undecided when more than `states_max` states were looked at.
Verdict CheckLinearizable(std::vector<Operation> operations, size_t states_max = 5'000'000);

}  // namespace ebla::sim
