#include "master/balancer/planner/placement.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace ebla::master {
namespace {

PlannedServer Live(std::string name, size_t tablets, double operations = 0, std::string rack = "") {
  PlannedServer server;
  server.name = std::move(name);
  server.rack = std::move(rack);
  server.live = true;
  server.tablets = tablets;
  server.operations_per_second = operations;
  return server;
}

std::string Servers(const ClusterView& view, size_t count) {
  std::string servers;
  const auto placements = PlaceNewTablets(view, count, 1).value();
  for (const Placement& placement : placements) servers += placement.primary;
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
  const auto none = PlaceNewTablets({{lost, resting, full}}, 1, 3);
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Code::kUnavailable);
  EXPECT_NE(none.error().message().find("of 3 known, 1 not live, 1 in maintenance, 1 out of disk"), std::string::npos);
}

TEST(PlacementTest, ReplicasStandOnServersOfTheirOwnAndPrimariesAreSpread) {
  const ClusterView view{{Live("a", 0), Live("b", 0), Live("c", 0), Live("d", 0)}};
  std::map<ServerName, int> held, led;
  const auto placements = PlaceNewTablets(view, 40, 3).value();
  for (const Placement& placement : placements) {
    EXPECT_EQ(placement.voters.at(0), placement.primary);
    EXPECT_EQ(std::set(placement.voters.begin(), placement.voters.end()).size(), 3u);
    ++led[placement.primary];
    for (const ServerName& voter : placement.voters) ++held[voter];
  }
  for (const char* name : {"a", "b", "c", "d"}) {
    EXPECT_EQ(held[name], 30) << name;
    EXPECT_EQ(led[name], 10) << name;
  }
}

TEST(PlacementTest, FewerServersThanReplicasTakeOneEach) {
  const auto placements = PlaceNewTablets({{Live("a", 0), Live("b", 0)}}, 1, 7).value();
  EXPECT_EQ(placements[0].voters.size(), 2u);
}

TEST(PlacementTest, RacksGoBeforeNumbers) {
  const ClusterView view{
      {Live("a", 0, 0, "east"), Live("b", 0, 0, "east"), Live("c", 9, 0, "west"), Live("d", 99, 0, "north")}};
  const auto voters = PlaceNewTablets(view, 1, 3).value()[0].voters;
  EXPECT_EQ(std::set(voters.begin(), voters.end()), (std::set<ServerName>{"a", "c", "d"}));
  EXPECT_EQ(PlaceReplica(view, {"a", "c", "d"}), "b");
  EXPECT_EQ(PlaceReplica(view, {"a"}), "c");
  EXPECT_EQ(PlaceReplica(view, {"a", "b", "c", "d"}), "");
}

}  // namespace
}  // namespace ebla::master
