// master/balancer/planner/leadership_shedding.h
// Transfers the leadership of tablets whose primary's server takes no writes because its disk is at the reserve
// (PROTOCOL 25). A transfer moves no data, so that writes continue long before an operator has made room. Pure.
// Place:      replication_manager.h asks every second, whatever else there is to be done; placement.h and the
//             planner give such a server nothing new.
// Invariants: 1. Only a voter that is usable and caught up is chosen; where there is none the tablet stays where it is,
//                and is read there.
//             2. Each transfer counts in the next one, so that a server's leaderships are spread over the servers with
//                the fewest.
// Threads:    a function of its arguments.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "master/balancer/planner/placement.h"

namespace ebla::master {

struct LeadMove {
  TabletId tablet;
  ServerName to;
  std::string reason;  // in numbers, for people
};

// A tablet led by a server that takes no writes.
struct StuckLead {
  TabletId tablet;
  ServerName primary;
  std::vector<ServerName> caught_up;  // its other voters that have, by its report, nearly the whole log
};

// At most `most` moves.
std::vector<LeadMove> PlanLeadershipShedding(ClusterView view, const std::vector<StuckLead>& leads, size_t most);

}  // namespace ebla::master
