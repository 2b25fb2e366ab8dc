// master/balancer/planner/view_json.h
// A view and its memory as text, so that a master's view can be inspected and planned again elsewhere.
// Format:  one JSON object on each line. First {"view": version, "now_ms", ...}, then the planner's {"options"}, then
//          {"table"}, {"server"} and {"tablet"} lines in this order, and the memory of servers, {"server_memory"}, and
//          tablets, {"tablet_memory"}, last. Keys are escaped as EscapeBytes does; times are milliseconds of the
//          master's monotonic clock; missing fields have their defaults. A million tablets are some 300 MB, read and
//          written line by line.
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
