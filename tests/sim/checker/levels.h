// tests/sim/checker/levels.h
// What each level promised, of one group's operations. Some promises are judged here at once; the rest is turned into a
// history that must be linearizable (linearizability.h).
//
//   write  MAJORITY, ALL  happened, between its call and its answer; its version is in the history
//          PRIMARY        the same, or else a server keeps it as rolled back: then it may have happened, at any time or
//          never ANY            is taken by a server between its call and its answer, and in the end has won or lost by
//                         the time that it was given there
//   read   STRONG         the newest, at one moment between call and answer
//          BOUNDED(t)     the same, with a call t earlier; what was acknowledged at PRIMARY then may be still to come
//          EVENTUAL       the same, with a call at the start of time: a state that the history went through
//          SESSION        nothing older than what the session knew when it began; once a write of the session is
//                         rolled back, LOST_WRITE before anything newer. It may show what is not yet committed, so it
//                         is not searched
//
// In a last_write_wins table what is rolled back is delivered again, and then has won or lost by its time as well; no
// order of whole operations is searched for there, but all else is judged (last_write_wins.h).
// An expiry is a delete that nobody asked for: the search may place one after each write of what expires.
// A read of any level shows what somebody wrote; what is not in the history in the end is shown by SESSION alone.
// Threads: pure functions.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/checker/history.h"
#include "tests/sim/checker/last_write_wins.h"

namespace ebla::sim {

// What the healed cluster holds of a group.
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
  Epochs epochs;            // as the tablet's primary tells
  bool may_forget = false;  // flushed at intervals: what one machine alone has acknowledged may be lost with it
  std::set<Version>
      kept;  // what servers keep as rolled back; a replica that was copied may have kept what was committed
  std::optional<LwwTruth> lww;  // of a last_write_wins table
};

// Groups that one tablet holds at first: of all of them a session's LOST_WRITE speaks, whatever it names.
inline constexpr int kGroupsPerTablet = 2;

struct LevelVerdict {
  std::vector<std::string> problems;
  std::vector<Operation> search;  // to be linearizable; nothing of a last_write_wins table
};
LevelVerdict JudgeLevels(const History& history, int group, const GroupTruth& truth);

}  // namespace ebla::sim
