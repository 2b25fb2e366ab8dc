// master/procedures/choose_primary.h
// The decision in the middle of a failover: given what the voters answered to Fence(e), who leads e, or why nobody can;
// and of a recovery by hand, where no majority is left to ask. Pure (PROTOCOL "Failover", rules 5 and 21).
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

// One voter's answer to a Fence that it obeyed.
struct FenceAnswer {
  ServerName server;
  Version last;       // its last appended entry, or none
  bool known = true;  // false: it has no such replica (its promise counts all the same)
  bool incomplete = false;
  bool may_have_lost_writes = false;  // may have lost what it acknowledged
  int64_t tablet_time_ms = 0;         // 0: restarted since, knows none
  int64_t time_of_day_ms = 0;         // by its clock
};

struct PrimaryChoice {
  std::optional<ServerName> primary;  // none: nobody can lead yet
  Version presumed;                   // the log that the chosen one must have
  bool loss_possible = false;         // chosen although too few remember
  bool alone = false;                 // by hand: as the only voter
  bool anew = false;                  // of a table in memory: nobody has its data any more, and it begins empty
  int64_t tablet_time_ms = 0;         // the greatest answered; 0: all have restarted
  int64_t time_of_day_ms = 0;         // then: the median of their clocks, the earlier of two
  std::string reason;
};

// `created_empty`: the tablet never served, so a voter that does not know it is complete and empty. `in_memory`: a
// voter's log goes with its process, so that there may be none at all. Only when every voter has answered, and none has
// a log to offer, does it begin anew: one that is silent may have it.
PrimaryChoice ChoosePrimary(const std::vector<ServerName>& voters, const std::vector<FenceAnswer>& answers,
                            bool created_empty, bool in_memory = false);

// Of a recovery by hand: `server`, or the longest complete log where it is empty, alone, if its log reaches `least`.
// But where a majority has come back meanwhile nothing need be lost, and they go on as ever, whoever was named.
// Of a table in memory where nobody who answers has a log: anew and empty, as the operator has accepted.
PrimaryChoice ChooseSurvivor(const std::vector<ServerName>& voters, const ServerName& server, Version least,
                             const std::vector<FenceAnswer>& answers, bool in_memory = false);

}  // namespace ebla::master
