// master/balancer/planner/placement.h
// Decides which servers get the replicas of a tablet. Pure: the same view gives the same answer, with its reasons.
// Place:      create_table.cc asks for new tablets, repair.h for single replicas; both read the servers of a view
//             (view.h).
// Invariants: 1. Only usable servers are chosen, each once for a tablet; each choice counts in the next one.
//             2. A tablet's replicas lie in as many racks as exist; a server that names no rack is a rack of its own.
// Threads:    functions of their arguments.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"
#include "master/balancer/planner/view.h"

namespace ebla::master {

struct Placement {
  ServerName primary;
  std::vector<ServerName> voters;  // the primary first
  std::string reason;              // in numbers, for people
};

// Servers for each of `count` new tablets with `replicas` of them each, or as many as there are usable servers: racks
// that the tablet does not stand in yet go first, then the fewest tablets, the least load, the name. The chosen server
// with the fewest primaries leads. UNAVAILABLE when no server is usable; the message says why not.
Result<std::vector<Placement>> PlaceNewTablets(const ClusterView& view, size_t count, size_t replicas);

// The best place for one more replica of a tablet that `holders` have; empty where there is none.
ServerName PlaceReplica(const ClusterView& view, const std::vector<ServerName>& holders);

}  // namespace ebla::master
