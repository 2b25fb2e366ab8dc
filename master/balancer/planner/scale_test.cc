// How the planner's time grows: with the cluster, not with its square. ebla-planner-bench measures the real sizes.
#include <gtest/gtest.h>

#include <algorithm>
#include <ctime>

#include "master/balancer/planner/testing/random_cluster.h"

namespace ebla::master {
namespace {

// CPU seconds of the cheapest of some passes that have much to do.
double PassSeconds(size_t servers, size_t tablets) {
  ClusterView view = testing::MakeCluster({.servers = servers, .tablets = tablets});
  view.tables[0].merge_part = 0.25;
  view.tables[0].split_operations = 1e9;
  PlannerMemory memory;
  double least = 1e9;
  for (int pass = 0; pass < 12; ++pass) {
    const std::clock_t begin = std::clock();
    Plan plan = MakePlan(view, std::move(memory));
    if (!plan.actions.empty()) least = std::min(least, static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC);
    memory = std::move(plan.memory);
    view.now = view.now + std::chrono::seconds(5);
  }
  EXPECT_LT(least, 1e9) << "it had nothing to do";
  return least;
}

TEST(ScaleTest, FiveTimesTheClusterTakesNotTwentyTimesAsLong) {
  const double small = PassSeconds(100, 10'000);
  const double large = PassSeconds(500, 50'000);
  EXPECT_LT(large, std::max(small, 0.001) * 15) << "a square would be 25 times " << small << " s";
}

}  // namespace
}  // namespace ebla::master
