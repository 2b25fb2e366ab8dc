#include "master/balancer/planner/leadership_shedding.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

PlannedServer Server(const ServerName& name, size_t primaries, bool full = false) {
  PlannedServer server{.name = name, .live = true, .writes_refused = full, .primaries = primaries};
  server.disk_free_bytes = full ? 12 << 20 : 400 << 20;
  server.disk_total_bytes = 512 << 20;
  return server;
}

std::string Planned(const ClusterView& view, const std::vector<StuckLead>& leads, size_t most = 100) {
  std::string plan;
  for (const LeadMove& move : PlanLeadershipShedding(view, leads, most))
    plan += std::to_string(move.tablet.value) + ">" + move.to + " ";
  return plan;
}

std::vector<StuckLead> Led(const ServerName& by, uint64_t first, uint64_t last,
                           const std::vector<ServerName>& caught_up) {
  std::vector<StuckLead> leads;
  for (uint64_t id = first; id <= last; ++id) leads.push_back({TabletId{id}, by, caught_up});
  return leads;
}

TEST(LeadershipSheddingTest, WhatAFullServerLedIsSpreadOverWhoLeadsLeast) {
  const ClusterView view{{Server("a", 4, true), Server("b", 1), Server("c", 2)}};
  EXPECT_EQ(Planned(view, Led("a", 1, 4, {"b", "c"})), "1>b 2>b 3>c 4>b ");
  EXPECT_EQ(Planned(view, Led("a", 1, 4, {"b", "c"}), 2), "1>b 2>b ");
  EXPECT_EQ(PlanLeadershipShedding(view, Led("a", 1, 1, {"b", "c"}), 1).at(0).reason,
            "the disk of a is at its reserve, 12 of 512 MiB are free; b is the primary of 1 tablet, the fewest of 2 "
            "caught-up voters with room");
}

TEST(LeadershipSheddingTest, OnlyACaughtUpVoterWithRoomIsChosen) {
  ClusterView view{{Server("a", 4, true), Server("b", 0, true), Server("c", 9)}};
  EXPECT_EQ(Planned(view, Led("a", 1, 1, {"b", "c"})), "1>c ");
  EXPECT_EQ(Planned(view, Led("a", 1, 1, {"b"})), "") << "c is not caught up";
  view.servers[2].live = false;
  EXPECT_EQ(Planned(view, Led("a", 1, 1, {"b", "c"})), "");
  view.servers[2] = Server("c", 9);
  view.servers[2].maintenance = true;
  EXPECT_EQ(Planned(view, Led("a", 1, 1, {"b", "c"})), "");
}

TEST(LeadershipSheddingTest, WhoTakesWritesKeepsWhatItLeads) {
  EXPECT_EQ(Planned({{Server("a", 4), Server("b", 0)}}, Led("a", 1, 4, {"b"})), "");
}

}  // namespace
}  // namespace ebla::master
