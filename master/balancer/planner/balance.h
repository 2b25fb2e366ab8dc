// master/balancer/planner/balance.h
// Rule: a server that carries too much in some dimension gives of it to those that carry least.
// How:        Overloaded is who has been above ServerLoads::start() in pass after pass, until it is below stop(). The
//             worst goes first. It transfers leadership, which is free, then moves replicas; the largest pieces that
//             do not overshoot first, so that moves are few.
// Invariants: 1. Who takes was below the mean and stays below stop(), and below start() in every other dimension: no
//                move makes another needful. The one exception is a piece larger than any server's room: the largest of
//                a server stays, others of its kind go where the sum is least.
//             2. A tablet that was acted on rests, twice as long each time: none is transferred or moved more than
//                eight times in a day, whatever its load does.
//             3. Replicas stand in no fewer racks than before.
// Threads:    functions of their arguments.
#pragma once

#include "master/balancer/planner/pass.h"
#include "master/balancer/planner/server_loads.h"

namespace ebla::master {

void PlanBalance(Pass& pass, ServerLoads& loads);

}  // namespace ebla::master
