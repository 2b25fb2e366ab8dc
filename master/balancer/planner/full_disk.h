// master/balancer/planner/full_disk.h
// Rule: a server whose disk is at its reserve gives away what it leads and then what it holds.
// How:        Leadership goes to another voter at once; replicas go to whichever server is left least full, the largest
//             first, as the caps on copies allow. Neither waits for what balance waits for.
// Place:      leadership_shedding.h is quicker with the leadership, and goes on when the planner is off; what drains is
//             emptied by master/procedures/move_tablet.h.
// Invariants: a tablet that no server can take stays where it is, and the plan says why.
// Threads:    functions of their arguments.
#pragma once

#include "master/balancer/planner/pass.h"
#include "master/balancer/planner/server_loads.h"

namespace ebla::master {

void PlanFullDisks(Pass& pass, ServerLoads& loads);

}  // namespace ebla::master
