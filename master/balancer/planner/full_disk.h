// master/balancer/planner/full_disk.h
// Rule: a server whose disk is at its reserve gives away its leaderships and then its replicas.
// How:        Leadership is transferred to another voter at once; replicas move to the server that is least full then,
//             the largest first, as the caps on copies allow. Neither needs a lasting condition, as balance does.
// Place:      leadership_shedding.h is quicker with the leadership, and works when the planner is off;
//             master/procedures/move_tablet.h empties draining servers.
// Invariants: a tablet that no server can take stays where it is, and the plan has the reason.
// Threads:    functions of their arguments.
#pragma once

#include "master/balancer/planner/pass.h"
#include "master/balancer/planner/server_loads.h"

namespace ebla::master {

void PlanFullDisks(Pass& pass, ServerLoads& loads);

}  // namespace ebla::master
