// tests/sim/checker/levels.h
// The promises of each level for one group's operations. The checker judges some promises at once, and turns the rest
// into a history that must be linearizable (linearizability.h).
//
//   write  MAJORITY, ALL  happened between its call and its answer, and its version is in the history
//          PRIMARY        the same, or a server keeps the write as rolled back. Then it happened at any time, or never
//          ANY            a server took the write between its call and its answer. In the end the write has won or lost
//                         by the time that this server gave it
//   read   STRONG         shows the newest state at one moment between call and answer
//          BOUNDED(t)     the same, with a call t earlier. The state may lack writes acknowledged at PRIMARY by then
//          EVENTUAL       the same, with a call at the start of time: any state that the history passed through
//          SESSION        shows nothing older than the session knew at the call. Once a write of the session is rolled
//                         back, the session gets LOST_WRITE before anything newer. The read may show uncommitted
//                         writes, so the search leaves it out
//
// A server delivers rolled-back writes of a last_write_wins table again, and they win or lose by their times, too. So
// the checker searches for no order of whole operations there, but judges all else (last_write_wins.h).
// An expiry is a delete that no client sent. The search may place one after each write of a value that expires.
// A read of any level shows a value that a client wrote. Only SESSION may show a value that the final history lacks.
// Threads: pure functions.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/checker/history.h"
#include "tests/sim/checker/last_write_wins.h"

namespace ebla::sim {

// The epochs of a group's history, as the healed cluster knows them.
struct Epochs {
  struct Start {
    Epoch epoch;
    Lsn first;  // its first entry
  };
  std::vector<Start> starts;  // ascending; empty: not known
  // Is a version part of the history? PROTOCOL 17.
  bool Contain(Version version) const;
};
struct GroupTruth {
  Epochs epochs;            // from the replica that has applied most
  bool may_forget = false;  // flushed at intervals or in memory: a crash may lose what one machine alone acknowledged
  std::set<Version> kept;   // as rolled back, by servers; a replica that a copy replaced may keep committed ones, too
  std::optional<LwwTruth> lww;  // of a last_write_wins table
};

// The number of groups in one tablet at first. A session's LOST_WRITE covers all of them, whichever versions it names.
inline constexpr int kGroupsPerTablet = 2;

struct LevelVerdict {
  std::vector<std::string> problems;
  std::vector<Operation> search;  // must be linearizable; empty for a last_write_wins table
};
LevelVerdict JudgeLevels(const History& history, int group, const GroupTruth& truth);

}  // namespace ebla::sim
