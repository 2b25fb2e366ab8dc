// master/balancer/planner/options.h
// When the planner acts: every margin, patience and cap of its rules, with DESIGN's defaults. A table's own thresholds
// are in TableView.
// Threads: values.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>

#include "common/base/executor.h"

namespace ebla::master {

struct SplitOptions {
  Duration sustained = std::chrono::seconds(30);  // over a threshold for so long...
  size_t samples = 3;                             // ...and in so many passes
  Duration again = std::chrono::minutes(1);       // a tablet's next split: rates that decay still tell of the whole
  Duration left_alone = std::chrono::minutes(5);  // one that cannot be split
  size_t most = 64;                               // under way, in all
  size_t most_per_server = 4;                     // led by one server
};

struct MergeOptions {
  Duration history = std::chrono::minutes(5);  // of peaks, of both
  Duration after_split = std::chrono::hours(1);
  size_t region = 32;     // one merge at a time among so many neighbours
  size_t most = 16;       // under way, in all
  double part_max = 0.8;  // of every threshold, for any merge_part of the table
};

// Over the mean by this fraction of it and by this floor.
struct Margin {
  double fraction = 0.1;
  double floor = 0;
};

struct BalanceOptions {
  // By Dimension: cores, operations/s, bytes/s, bytes, replicas, primaries.
  // Mere numbers of replicas weigh less than what they cost.
  std::array<Margin, 6> margins = {
      {{0.1, 0.1}, {0.1, 250}, {0.1, 1 << 20}, {0.1, 4.0 * (1 << 30)}, {0.2, 10}, {0.2, 2}}};
  double stop = 0.5;  // of its margin: where a server that was overloaded no longer is
  Duration sustained = std::chrono::seconds(30);
  size_t samples = 3;
  // After the first action on a tablet; twice as long after each further one, until it has been quiet for a day.
  Duration cool_down = std::chrono::minutes(10);
  Duration cool_down_max = std::chrono::hours(12);
  Duration after_failure = std::chrono::minutes(5);
  Duration rates_settle = std::chrono::seconds(20);  // a new primary's rates begin at nothing
  size_t transfers = 64;                             // of one pass, in all
  size_t transfers_per_server = 4;                   // to or from one
  size_t copies = 64;                                // under way, in all
  size_t copies_per_server = 4;                      // to or from one
};

// One server's share of the load that it is meant to carry; 0: does not count.
struct AutoscaleOptions {
  bool enabled = false;
  bool dry_run = false;  // only plans
  double operations_per_server = 20'000;
  double cores_per_server = 0;
  double disk_fraction = 0.7;   // of each disk; 0: does not count
  double release_below = 0.75;  // of the target, with one server fewer
  Duration over_sustained = std::chrono::minutes(5);
  Duration under_sustained = std::chrono::minutes(30);
  Duration after_growth = std::chrono::minutes(10);  // until the next action
  Duration after_release = std::chrono::minutes(30);
  size_t servers_min = 3;
  size_t servers_max = 100;
};

struct PlannerOptions {
  // Passes further apart than this do not make one unbroken stretch of time.
  Duration gap_max = std::chrono::seconds(20);
  size_t rejected_max = 1'000;  // listed; all are counted
  double disk_kept_free = 0.1;  // of each disk; no copy is planned that would leave less
  bool splits = true;
  bool merges = true;
  bool balances = true;
  SplitOptions split;
  MergeOptions merge;
  BalanceOptions balance;
  AutoscaleOptions autoscale;
};

}  // namespace ebla::master
