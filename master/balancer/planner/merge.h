// master/balancer/planner/merge.h
// Rule: neighbours that have both been quiet for five full minutes are merged.
// How:        The sums of their peaks and sizes must lie well below every threshold, neither may have been split within
//             the hour, and among many neighbours one pair merges at a time, because a cluster that merges on a quiet
//             second melts. A merge needs both on the same servers. Otherwise the smaller one's replicas are moved
//             first, one at a time, with the rests that balance keeps.
// Threads:    functions of their arguments.
#pragma once

#include "master/balancer/planner/pass.h"

namespace ebla::master {

void PlanMerges(Pass& pass);

}  // namespace ebla::master
