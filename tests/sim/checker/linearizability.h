// tests/sim/checker/linearizability.h
// Searches for an order of a group's operations, each at one moment between its call and its answer, in which every
// answer is right. This is the search of Wing and Gong ("Testing and verifying concurrent objects", 1993), with Lowe's
// memory of states already seen ("Testing for linearizability", 2017). At each step the search places one of the
// operations that no other unplaced operation precedes. If none of them fits, the search takes its last choice back.
// Model:    a group's cells. All parts of a batch happen at once, or none, and their conditions are judged on the same
//           state. An operation of unknown outcome happens at any moment after its call, or never, but never twice.
// Versions: grow along a group's history, because the group's keys share one log. So the search places writes of known
//           version in the order of their versions, which leaves few choices. A version is known from the write's
//           answer, or from a read that found the value. If a counter's version is not known when the counter is
//           written, the search learns the version from the first read that finds it.
// Skipped:  attempts in vain. To skip them changes no verdict.
//           1. The search places an operation that changes nothing as soon as it fits, because each other operation can
//              follow it wherever that operation could precede it.
//           2. An operation is doubtful if no answer shows that it happened. The search tries doubtful operations last,
//              right before an operation on the same cells. To move a doubtful operation there from farther ahead, past
//              operations on other cells, changes no answer. The search skips a doubtful operation that the next one
//              overwrites before any operation observes it. If doubtful operations differ only in texts that no read
//              found, the search tries a later one only after the one that was called first.
//           3. The search leaves a state at once if an operation still needs a version that is overwritten, because
//              this version never returns.
//           4. The search leaves a state if an earlier state differs only in the doubtful operations, and no fewer of
//              them were available there. Each way to the end from here also leads to the end from there, because no
//              doubtful operation has to happen. An operation that names a version or a value that is gone for good is
//              not available.
//           The search first allows few doubtful operations, then any number. With few, only a right verdict counts.
// Threads:  pure functions.
#pragma once

#include <string>
#include <vector>

#include "tests/sim/checker/history.h"

namespace ebla::sim {

struct Verdict {
  enum class Kind { kRight, kWrong, kUndecided };
  Kind kind = Kind::kRight;
  std::string why;    // wrong or undecided: the operation that fits nowhere, and the longest order before it
  size_t states = 0;  // that the search visited
};

// `operations` are of one group, in any order. The verdict is kUndecided after more than `states_max` states.
Verdict CheckLinearizable(std::vector<Operation> operations, size_t states_max = 5'000'000);

}  // namespace ebla::sim
