// master/balancer/planner_counts.h
// Counts the planner's actions in one master's term, for metrics.
// Threads: values.
#pragma once

#include <cstdint>
#include <map>
#include <utility>

#include "master/balancer/planner/planner.h"

namespace ebla::master {

struct PlannerCounts {
  uint64_t passes = 0;
  uint64_t put_off = 0;     // passes that were due and not made
  double pass_seconds = 0;  // of all of them
  double last_pass_seconds = 0;
  struct Actions {
    uint64_t begun = 0;
    uint64_t done = 0;
    uint64_t failed = 0;
  };
  std::map<ActionKind, Actions> actions;
  std::map<std::pair<Rule, Cause>, uint64_t> refused;
};

}  // namespace ebla::master
