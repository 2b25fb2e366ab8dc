// master/balancer/planner_flags.h
// The flags of ebla-master that say how the cluster follows its load: when it splits, balances, grows and shrinks.
// Place:   main.cc, and the test beside it. The defaults are those of balancer/planner/options.h.
// Threads: once, before any thread is started.
#pragma once

#include "master/cluster/options.h"

namespace ebla::master {

// INVALID_ARGUMENT names the flags that do not go together.
Status TakePlannerFlags(MasterOptions& options);

// How long a scale command may take.
Duration ScaleCommandLimit();

}  // namespace ebla::master
