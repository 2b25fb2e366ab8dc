// master/balancer/planner/split.h
// Rule: a tablet over its table's size, or over a threshold of load in pass after pass, is cut in two.
// How:        Load is cut by the primary's sample of keys, data in its middle. A tablet whose keys are written in order
//             is cut at its end, once the half before it is large enough, so that the hot end is small and moves
//             cheaply. If no cut helps, the plan has the reason, and the tablet is left alone for five minutes.
// Invariants: a cut lies inside the tablet, is no longer than a split key may be, and cuts no key group.
// Threads:    functions of their arguments.
#pragma once

#include "master/balancer/planner/pass.h"

namespace ebla::master {

void PlanSplits(Pass& pass);

}  // namespace ebla::master
