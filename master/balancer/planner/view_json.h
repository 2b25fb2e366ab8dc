// master/balancer/planner/view_json.h
// A view and its memory as text, so that what a master saw can be looked at and planned again elsewhere.
// Format:  one JSON object on each line: {"view": version, "now_ms", ...} first, then what the planner is told to go
//          by, {"options"}, then {"table"}, {"server"} and {"tablet"} lines in this order, and what is remembered of
//          servers, {"server_memory"}, and tablets, {"tablet_memory"}, last. Keys are escaped as EscapeBytes does;
//          times are milliseconds of the master's monotonic clock; what is left out has its default. A million tablets
//          are some 300 MB, read and written line by line.
// Threads: functions of their arguments.
#pragma once

#include <iosfwd>
#include <optional>

#include "master/balancer/planner/memory.h"
#include "master/balancer/planner/options.h"
#include "master/balancer/planner/view.h"

namespace ebla::master {

struct SavedView {
  ClusterView view;
  PlannerMemory memory;
  std::optional<PlannerOptions> options;  // none: of a master that did not save them
};

void SaveView(const ClusterView& view, const PlannerMemory& memory, const PlannerOptions& options, std::ostream& out);
// INVALID_ARGUMENT naming the line and what is wrong there. Tablets may stand in any order.
Result<SavedView> LoadView(std::istream& in);

}  // namespace ebla::master
