#include "master/planner/placement.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

PlannedServer Live(std::string name, size_t tablets, double operations = 0) {
  PlannedServer server;
  server.name = std::move(name);
  server.live = true;
  server.tablets = tablets;
  server.operations_per_second = operations;
  return server;
}

std::string Servers(const ClusterView& view, size_t count) {
  std::string servers;
  const auto placements = PlaceNewTablets(view, count).value();
  for (const Placement& placement : placements) servers += placement.server;
  return servers;
}

TEST(PlacementTest, FewestTabletsThenLoadThenName) {
  EXPECT_EQ(Servers({{Live("a", 3), Live("b", 1), Live("c", 2)}}, 6), "bbcabc");
  EXPECT_EQ(Servers({{Live("a", 1, 500), Live("b", 1, 20)}}, 3), "bab");
  EXPECT_EQ(Servers({{Live("b", 1), Live("a", 1)}}, 2), "ab");
}

TEST(PlacementTest, SkipsTheUnusableAndSaysWhy) {
  PlannedServer lost = Live("a", 0), resting = Live("b", 0), full = Live("c", 0);
  lost.live = false;
  resting.maintenance = true;
  full.writes_refused = true;
  EXPECT_EQ(Servers({{lost, resting, full, Live("d", 9)}}, 2), "dd");
  const auto none = PlaceNewTablets({{lost, resting, full}}, 1);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kUnavailable);
  EXPECT_NE(none.error().message().find("of 3 known, 1 not live, 1 in maintenance, 1 out of disk"), std::string::npos);
}

}  // namespace
}  // namespace ebla::master
