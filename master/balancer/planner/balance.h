// master/balancer/planner/balance.h
// Rule: a server with too much load in some dimension gives part of it to the servers with the least.
// How:        A server becomes overloaded when it is above ServerLoads::start() in pass after pass, and stays so until
//             it is below stop(). The worst is relieved first. The rule transfers leadership, which is free, then moves
//             replicas; the largest pieces that do not overshoot first, so that moves are few.
// Invariants: 1. A receiving server was below the mean and stays below stop(), and below start() in every other
//             dimension, so that no move requires another. The one exception is a piece larger than any server's room:
//             the largest of a server stays, and similar ones move where the sum is least.
//             2. A tablet that was acted on rests, twice as long each time: none is transferred or moved more than
//                eight times in a day, whatever its load does.
//             3. Replicas lie in no fewer racks than before.
// Threads:    functions of their arguments.
#pragma once

#include "master/balancer/planner/pass.h"
#include "master/balancer/planner/server_loads.h"

namespace ebla::master {

void PlanBalance(Pass& pass, ServerLoads& loads);

}  // namespace ebla::master
