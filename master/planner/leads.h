// master/planner/leads.h
// Decides which tablets are to be led by another of their voters, so that the primaries are spread over the servers: from
// who leads more than a tenth and at least one more than the mean, to who leads least. A transfer moves no data. Pure.
// Place:      replica_keeper.h asks when nothing is to be repaired and no server has come or gone lately.
// Invariants: each move takes the two servers closer to each other; no answer undoes another.
// Threads:    functions of their arguments.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace ebla::master {

struct LedTablet {
  TabletId tablet;
  ServerName primary;
  std::vector<ServerName> voters;  // who may lead it
};

struct LeadMove {
  TabletId tablet;
  ServerName to;
  std::string reason;  // in numbers, for people
};

// The servers that lead more than their share; their tablets are candidates.
std::vector<ServerName> OverMean(const std::map<ServerName, size_t>& primaries);

// `primaries`: of every server that may lead. At most `most` moves.
std::vector<LeadMove> PlanLeads(std::map<ServerName, size_t> primaries, const std::vector<LedTablet>& candidates,
                                size_t most);

}  // namespace ebla::master
