// master/balancer/planner/autoscale.h
// Rule: a cluster that has been over its target for long asks for a server; one that would be well under it with a
// server fewer drains one, and releases it once it is empty.
// How:        The target is one server's share of operations, cores and disk; the most used dimension counts. Growth
//             depends on the present use, shrinking on the use after it, and the two limits lie so far apart that
//             neither causes the opposite change. A drain under way ends when the remaining servers are not enough.
// Invariants: one server at a time, within the operator's bounds; none is drained whose replicas have no other
//             place.
// Threads:    functions of their arguments.
#pragma once

#include "common/base/status.h"
#include "master/balancer/planner/pass.h"
#include "master/balancer/planner/server_loads.h"

namespace ebla::master {

// CONDITION_FAILED with the cause where the server's replicas have no other place to go to.
Status CanDrain(const ClusterView& view, ServerIndex server, double disk_kept_free);

void PlanScale(Pass& pass, const ServerLoads& loads);

}  // namespace ebla::master
