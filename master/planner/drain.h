// master/planner/drain.h
// Rule: a server that drains, or whose disk is at its reserve, gives away what it leads and then what it holds.
// How:        Leadership goes to another voter at once; replicas go to whichever server is left least full, the largest
//             first, as the caps on copies allow. Neither waits for what balance waits for.
// Invariants: a tablet that no server can take stays where it is, and the plan says why.
// Threads:    functions of their arguments.
#pragma once

#include "common/base/status.h"
#include "master/planner/pass.h"
#include "master/planner/server_loads.h"

namespace ebla::master {

void PlanDrains(Pass& pass, ServerLoads& loads);

// CONDITION_FAILED with the cause where the server's replicas have no other place to go to.
Status CanDrain(const ClusterView& view, ServerIndex server);

}  // namespace ebla::master
