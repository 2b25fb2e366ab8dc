// master/planner/placement.h
// Decides which server gets which new tablet. Pure: the same view gives the same answer, with its reasons.
// Place:      create_table.cc asks for new tablets. Repair, split, merge and balance will read the same ClusterView and
//             answer with actions that carry their reasons likewise.
// Invariants: only usable servers are chosen; each choice counts in the next one.
// Threads:    functions of their arguments.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla::master {

// What the planner knows of one server.
struct PlannedServer {
  ServerName name;
  std::string rack;
  bool live = false;
  bool maintenance = false;     // gets nothing new
  bool writes_refused = false;  // its disk is at the reserve
  size_t tablets = 0;
  double operations_per_second = 0;
  int64_t size_bytes = 0;

  bool usable() const { return live && !maintenance && !writes_refused; }
};

struct ClusterView {
  std::vector<PlannedServer> servers;
};

struct Placement {
  ServerName server;
  std::string reason;  // in numbers, for people
};

// A server for each of `count` new tablets: the one with the fewest tablets, then the least load, then by name.
// UNAVAILABLE when no server is usable; the message says why not.
Result<std::vector<Placement>> PlaceNewTablets(const ClusterView& view, size_t count);

}  // namespace ebla::master
