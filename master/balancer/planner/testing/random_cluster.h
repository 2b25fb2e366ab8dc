// master/balancer/planner/testing/random_cluster.h
// Large views for tests and benchmarks: tablets placed at random, their load by Zipf's law; and the least that a
// planner must do to even them out.
// How:     LeastMoves is a lower bound. Whatever is moved, each server must lose what it has above the level, and no
//          move takes more from it than its largest piece; so for each server the fewest of its largest pieces that
//          add up to its surplus are counted. Pieces that are larger than the level by themselves are not counted in
//          the surplus.
// Threads: functions of their arguments.
#pragma once

#include <cstddef>
#include <cstdint>

#include "master/balancer/planner/planner.h"

namespace ebla::master::testing {

struct RandomCluster {
  size_t servers = 50;
  size_t tablets = 5'000;
  size_t replicas = 3;
  size_t racks = 0;                       // 0: none are named
  double operations_per_server = 10'000;  // on the average
  double zipf = 0.99;                     // 0: all tablets alike
  double mean_bytes = 1 << 30;            // of a tablet; half to one and a half times that
  uint64_t seed = 1;
};

// Table 1, without thresholds to split at.
ClusterView MakeCluster(const RandomCluster& options);

// Everything that the plan moves is at once where it is to be.
void ApplyPlan(const Plan& plan, ClusterView& view);

// Moves and transfers that it takes at least until no server has more operations than `level` times the mean.
size_t LeastMoves(const ClusterView& view, double level);

// The greatest part of the mean, in operations, that any server has; one tablet that is more than that by itself, and
// what its server has beside it below `beside` of the mean, is left out.
double WorstOverMean(const ClusterView& view, double beside);

}  // namespace ebla::master::testing
