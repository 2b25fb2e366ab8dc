// master/procedures/choose_primary.h
// The decision in the middle of a failover: given what the voters answered to Fence(e), who leads e, or why nobody can;
// and of a recovery by hand, where no majority is left to ask. Pure (docs/design/failover.md; PROTOCOL 5, 21).
// Invariants: of ChoosePrimary:
//             1. Whoever is chosen has every entry that a majority acknowledged, unless `loss_possible` says otherwise.
//             2. Promises of a majority of the voters stand behind every choice.
// Threads:    functions of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace ebla::master {

// One replica's answer to a Fence that it obeyed: of a voter, or of a memory tablet's learner.
struct FenceAnswer {
  ServerName server;
  Version last;       // its last appended entry, or none
  bool known = true;  // false: it has no such replica (its promise counts all the same)
  bool incomplete = false;
  bool may_have_lost_writes = false;  // may have lost what it acknowledged
  int64_t tablet_time_ms = 0;         // 0: restarted since, knows none
  int64_t time_of_day_ms = 0;         // by its clock
  // Of a memory tablet. `fits` is false where the log ends the tablet elsewhere than the catalog does, and nothing can
  // mend that: it is taken where nothing is lost, and no log where something is.
  bool fits = true;
  bool holds_in_parent = false;  // unknown there: the split that makes it is still to be applied to what it holds
};

struct PrimaryChoice {
  std::optional<ServerName> primary;  // none: nobody can lead yet
  Version presumed;                   // the log that the chosen one must have
  bool loss_possible = false;         // chosen although too few remember
  bool alone = false;                 // by hand: as the only voter
  bool anew = false;                  // of a table in memory: nobody has its data any more, and it begins empty
  bool sole_log = false;              // of a table in memory: no majority has a log
  int64_t tablet_time_ms = 0;         // the greatest answered; 0: all have restarted
  int64_t time_of_day_ms = 0;         // then: the median of their clocks, the earlier of two
  std::string reason;
};

// Of a memory tablet, whose logs go with their processes, so that no voter may have one. `learners`: those that live.
// It begins anew only when all of both have answered, and none has a log to offer: one that is silent may have it.
struct MemoryRules {
  std::vector<ServerName> learners;
};

// `created_empty`: the tablet never served, so a voter that does not know it is complete and empty. Of a memory tablet
// the choice may be a learner, where no voter has a log: it becomes a voter with that.
PrimaryChoice ChoosePrimary(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers,
                            bool created_empty, const std::optional<MemoryRules>& memory = std::nullopt);

// Of a recovery by hand: `server`, or the longest complete log where it is empty, alone, if its log reaches `least`.
// But where a majority has come back meanwhile nothing need be lost, and they go on as ever, whoever was named.
// Of a table in memory where nobody who answers has a log: anew and empty, as the operator has accepted.
PrimaryChoice ChooseSurvivor(const std::vector<ServerName>& voters, const ServerName& server, Version least,
                             const std::vector<FenceAnswer>& answers,
                             const std::optional<MemoryRules>& memory = std::nullopt);

}  // namespace ebla::master
