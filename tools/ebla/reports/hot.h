// tools/ebla/reports/hot.h
// Which tablets take the load, and which part of it: from what every replica's server reports. Pure.
// Place:   verbs_hot.cc asks the master and shows them.
// Threads: functions of their arguments.
#pragma once

#include <optional>
#include <vector>

#include "ebla/ebla.h"

namespace ebla::shell {

// Below this many operations/s shares are meaningless, because the shell's own requests would dominate.
inline constexpr double kIdleBelow = 10;

// The load of one tablet: reads at any of its replicas, writes at its primary.
struct Heat {
  const TabletSummary* tablet = nullptr;
  TabletLoadInfo load;
  std::optional<double> of_table;   // its part of the table's operations; none: the table is idle
  std::optional<double> of_server;  // the primary's part in the operations of its server; none: the server is idle
  double operations() const { return load.reads_per_second + load.writes_per_second; }
};

// All of them, the busiest first; they point into `tablets`.
std::vector<Heat> ByHeat(const std::vector<TabletSummary>& tablets);
double Operations(const std::vector<Heat>& all);

}  // namespace ebla::shell
