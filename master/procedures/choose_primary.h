// master/procedures/choose_primary.h
// The decision in the middle of a failover. From the voters' answers to Fence(e) it chooses the primary of e, or
// reports why none can lead. It also decides a recovery by hand, when no majority is left to ask. Pure
// (docs/design/failover.md; PROTOCOL 5, 21).
// Invariants: of ChoosePrimary:
//             1. The chosen replica has every entry that a majority acknowledged, unless `loss_possible` is set.
//                No choice sets it while a replica is `lost`: an operator is asked first (ChooseSurvivor).
//             2. Promises of a majority of the voters support every choice.
// Threads:    functions of their arguments.
#pragma once

#include <map>
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
  bool lost = false;                  // its disk lost a part of the log, and perhaps promises
  int64_t tablet_time_ms = 0;         // 0: restarted since, knows none
  int64_t time_of_day_ms = 0;         // by its clock
  // For a memory tablet. `fits` is false if the log's end of the tablet differs from the catalog's, and nothing can
  // mend that. Then the replica is accepted if it loses nothing, and counts as having no log if it loses something.
  bool fits = true;
  bool holds_in_parent = false;  // unknown there: the split that makes it is still to be applied to what it holds
};

struct PrimaryChoice {
  std::optional<ServerName> primary;  // none: no replica can lead yet
  Version presumed;                   // the log that the chosen one must have
  bool loss_possible = false;         // chosen although too few remember
  bool alone = false;                 // by hand: as the only voter
  bool loss_accepted = false;         // by hand, or of a table in memory: the chosen one may be `lost`
  bool anew = false;                  // of a table in memory: no replica has its data any more, and it begins empty
  bool sole_log = false;              // of a table in memory: no majority has a log
  int64_t tablet_time_ms = 0;         // the greatest answered; 0: all have restarted
  int64_t time_of_day_ms = 0;         // then: the median of their clocks, the earlier of two
  std::string reason;
};

// For a memory tablet, whose logs end with their processes, so that no voter may have one. `learners`: those that are
// not lost. If no majority of the voters is sure of its log, all voters and learners must have answered, because a
// silent one may have more: a learner may have been a voter a moment ago. It begins again empty only when none of them
// offers a log.
struct MemoryRules {
  std::vector<ServerName> learners;
};

// Whether the answer's log ends before `had`: an entry of the catalog's present epoch that the replica's disk had, as
// other servers remember. Until a later epoch has a primary, no replica removes what it acknowledged, so its disk has
// lost it.
bool IsShort(const FenceAnswer& answer, const std::map<ServerName, Version>& had);
// In this round a short answer counts like that of a replica that may have lost writes (PROTOCOL 5).
void DoubtShortLogs(const std::map<ServerName, Version>& had, std::vector<FenceAnswer>& answers);

// `created_empty`: the tablet never served, so a voter that does not know it is complete and empty. For a memory tablet
// the choice may be a learner, if no voter has a log; it then becomes a voter.
PrimaryChoice ChoosePrimary(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers,
                            bool created_empty, const std::optional<MemoryRules>& memory = std::nullopt);

// The choice of a recovery by hand: `server`, or the longest complete log if that is empty, as the only voter, if its
// log reaches `least`. If a majority has come back meanwhile, the tablet continues with it, because then nothing is
// lost, even if another server was named. A table in memory without a log in any answer begins again empty, as the
// operator has accepted.
PrimaryChoice ChooseSurvivor(const std::vector<ServerName>& voters, const ServerName& server, Version least,
                             const std::vector<FenceAnswer>& answers,
                             const std::optional<MemoryRules>& memory = std::nullopt);

}  // namespace ebla::master
