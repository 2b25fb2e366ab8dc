// master/balancer/planner/split.h
// Rule: a tablet over its table's size, or over a threshold of load in pass after pass, is cut in two.
// How:        Load is cut where the primary's sample of keys says, data in its middle. A tablet whose keys are written
//             in order is cut at its end, once the half left behind is worth leaving: the hot end is then small and
//             moves cheaply. Where no cut helps, the plan says why, and the tablet is left alone for five minutes.
// Invariants: a cut lies inside the tablet, is no longer than a split key may be, and cuts no key group.
// Threads:    functions of their arguments.
#pragma once

#include "master/balancer/planner/pass.h"

namespace ebla::master {

void PlanSplits(Pass& pass);

}  // namespace ebla::master
