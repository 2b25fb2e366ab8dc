// tests/sim/checker/linearizability.h
// Is there an order of a group's operations, each at one moment between its call and its answer, in which every answer
// is right? The search of Wing and Gong ("Testing and verifying concurrent objects", 1993), with the memory of states
// already seen of Lowe ("Testing for linearizability", 2017): at each step one of the operations that no other precedes
// is tried next; where none fits, the last choice is taken back.
// Model:    a group's cells; every part of a batch at once or none; conditions judged on the same state. An operation
//           of unknown outcome may happen at any moment after its call, or never; twice, it may not.
// Versions: grow along a group's history, whose keys share one log: writes of known version stand in its order, which
//           spares the search nearly all of its choices. A version is known from the write's answer, or from who read
//           the value; a counter's that is not known when it is written is learnt from the first read that finds it.
// Spared:   what would be tried in vain. None of it changes a verdict:
//           1. What changes nothing is placed as soon as it fits: others can follow it wherever they could stand before
//           it.
//           2. What nobody knows to have happened is tried last, right before an operation that it has to do with:
//              moved there from farther ahead, past what has nothing to do with it, it leaves every answer as it was.
//              What the next of them overwrites before anybody looks is left out, and of those that differ only in
//              texts that nobody read the first called comes first.
//           3. A state in which some operation waits for a version that is overwritten is left at once: it never comes
//           back.
//           4. A state is left, too, when one was seen that differs only in that no less of the doubtful was still to
//              be had: what leads to the end from here does so from there, as none of it has to happen. What names a
//              version or a value that is gone for good is no more to be had.
//           First orders with few of the doubtful are looked for, then with any: only a right verdict of those counts.
// Threads:  pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/checker/history.h"

namespace ebla::sim {

struct Verdict {
  enum class Kind { kRight, kWrong, kUndecided };
  Kind kind = Kind::kRight;
  std::string why;    // wrong or undecided: the operation that fits nowhere, and how far the search came
  size_t states = 0;  // looked at
};

// `operations` are of one group, in any order. Undecided when more than `states_max` states were looked at.
Verdict CheckLinearizable(std::vector<Operation> operations, size_t states_max = 5'000'000);

}  // namespace ebla::sim
