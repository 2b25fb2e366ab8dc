// Tablets with several replicas: how many there are and where they go, and how their membership changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "master/testing/replicas_fixture.h"

namespace ebla::master::testing {
namespace {

TEST_F(MasterReplicasTest, ATableHasItsReplicasOnServersOfTheirOwn) {
  Begin({.servers = 4});
  MakeTable(3);
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_EQ(info.voters.size(), 3u);
    EXPECT_EQ(std::set(info.voters.begin(), info.voters.end()).size(), 3u);
  }
  const auto located = cluster().Locate(Tablet().tableId);
  for (const auto& tablet : located.tablets) {
    EXPECT_EQ(tablet.replicas.size(), 3u);
    EXPECT_FALSE(tablet.primary.empty());
  }
}

TEST_F(MasterReplicasTest, ReplicasSpreadOverRacks) {
  Begin({.servers = 6, .racks = 3});
  MakeTable(3);
  for (const auto& tablet : cluster().Locate(Tablet().tableId).tablets) {
    std::set<std::string> racks;
    for (const auto& replica : tablet.replicas) racks.insert(replica.rack);
    EXPECT_EQ(racks.size(), 3u);
  }
}

TEST_F(MasterReplicasTest, ATableThatAsksForNoNumberGetsThree) {
  Begin({.servers = 4});
  ASSERT_EQ(cluster().Create("carts", {"m"}).header.code, idl::Code::OK);
  EXPECT_EQ(Tablet().voters.size(), 3u);
  EXPECT_EQ(cluster().Describe("carts").table.replicasLeast, 3);
}

TEST_F(MasterReplicasTest, WithTwoServersATableBeginsWithTwoReplicasAndGetsItsThirdWithTheThirdServer) {
  Begin({.servers = 3, .asleep = 1});
  ASSERT_EQ(cluster().Create("carts", {"m"}).header.code, idl::Code::OK);
  EXPECT_EQ(Tablet().voters.size(), 2u);
  EXPECT_EQ(cluster().Describe("carts").table.schema.options.replicas, 3);
  EXPECT_EQ(cluster().Describe("carts").table.replicasLeast, 2);
  cluster().server(2).Start();
  WaitServing();
  EXPECT_TRUE(cluster().RunUntil([&] { return cluster().Describe("carts").table.replicasLeast == 3; }));
}

TEST_F(MasterReplicasTest, MoreReplicasThanServersAreRefusedSayingWhatToDo) {
  Begin({.servers = 3});
  const MonotonicTime before = cluster().scheduler().Now();
  const auto reply = cluster().Create("carts", {}, WithReplicas(5));
  EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(reply.header.message,
            "5 replicas need as many tablet servers, and the cluster has 3: start more of them, or ask "
            "for at most 3");
  EXPECT_LT(cluster().scheduler().Now() - before, 1'200ms) << "no longer than a server takes that has just joined";
  MakeTable(3);
  EXPECT_EQ(cluster().Alter("carts", WithReplicas(4)).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(cluster().Describe("carts").table.schema.options.replicas, 3);
}

TEST_F(MasterReplicasTest, AskedForReplicasAreWaitedForWhileTheirServersAreAway) {
  Begin({.servers = 3});
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(10s);
  idl::CreateTableRequest request;
  request.name = "carts";
  request.options = WithReplicas(3);
  request.deadlineMs = 1'000;
  const auto refused = cluster().Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(refused->header.code, idl::Code::UNAVAILABLE);
  EXPECT_EQ(refused->header.message,
            "3 replicas need as many live tablet servers with room; of 3 there are 2: start the other servers, or ask "
            "for at most 2 and raise it later");
  EXPECT_FALSE(cluster().TableNode("carts"));
  cluster().server(2).Start();
  request.deadlineMs = 20'000;
  const auto made = cluster().Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(made->header.code, idl::Code::OK) << made->header.message;
  EXPECT_EQ(Tablet().voters.size(), 3u);
}

// ---- membership -----------------------------------------------------------------------------------------------------

TEST_F(MasterReplicasTest, ReplicasAreAddedAsServersJoin) {
  Begin({.servers = 3, .asleep = 2});
  MakeTable({});
  EXPECT_EQ(Tablet().voters.size(), 1u);
  cluster().server(1).Start();
  WaitServing();
  EXPECT_EQ(Tablet().voters.size(), 2u);
  cluster().server(2).Start();
  WaitServing();
  EXPECT_EQ(Tablet().voters.size(), 3u);
  const auto settled = cluster().Tablets();
  cluster().scheduler().RunFor(60s);
  EXPECT_EQ(cluster().Tablets(), settled);
}

TEST_F(MasterReplicasTest, ALostServersReplicasAreMadeElsewhereAfterFiveMinutes) {
  Begin({.servers = 4});
  MakeTable(3);
  cluster().server(0).Stop();
  cluster().scheduler().RunFor(290s);
  EXPECT_NE(cluster().WhyNotServing("carts"), "");
  WaitServing();
  for (const auto& [id, info] : cluster().Tablets())
    EXPECT_THAT(info.voters, ::testing::Not(::testing::Contains("ts-1")));
  cluster().server(0).Start();
  cluster().scheduler().RunFor(10s);
  EXPECT_TRUE(cluster().server(0).replicas().empty()) << "what was removed is dropped";
  WaitServing();
}

// Its server lives, so no other event would replace the replica. It is dropped and created again, in its own place if
// there is no other.
TEST_F(MasterReplicasTest, AReplicaThatHasFailedIsMadeAnewThoughItsServerLives) {
  Begin({.servers = 3});
  MakeTable(3);
  const auto before = cluster().Tablets();
  const auto& [id, info] = *before.begin();
  for (const std::string& voter : {info.voters[1], info.primary}) {
    FakeServer::Replica& replica = ServerOf(voter).mutable_replicas().at(id);
    replica.failed = true;
    replica.leading = 0;
    EXPECT_TRUE(cluster().RunUntil([&] {
      const auto& replicas = ServerOf(voter).replicas();
      return !replicas.contains(id) || !replicas.at(id).failed;
    })) << voter;
    WaitServing();
    EXPECT_TRUE(cluster().RunUntil([&] { return cluster().Tablets().at(id).voters.size() == 3; }));
    WaitServing();
  }
  for (const auto& [other, same] : before) {
    if (other != id) {
      EXPECT_EQ(cluster().Tablets().at(other), same);
    }
  }
}

TEST_F(MasterReplicasTest, WhatIsIncompleteGoesBeforeWhatIsWhole) {
  Begin({.servers = 3});
  MakeTable(3);
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  std::vector<std::string> followers = before.voters;
  std::erase(followers, before.primary);
  std::ranges::sort(followers);
  // The other one's name would have it go first.
  FakeServer& filled = ServerOf(followers[0]);
  FakeServer::Replica& replica = filled.mutable_replicas().at(before.tabletId);
  replica.incomplete = true;
  replica.copying_since = cluster().scheduler().Now() + 3'600s;
  cluster().scheduler().RunFor(3s);
  ASSERT_EQ(cluster().Alter("carts", WithReplicas(2)).header.code, idl::Code::OK);
  EXPECT_TRUE(cluster().RunUntil([&] { return cluster().Tablets().at(before.tabletId).voters.size() == 2; }));
  EXPECT_THAT(cluster().Tablets().at(before.tabletId).voters,
              ::testing::UnorderedElementsAre(before.primary, followers[1]));
  WaitServing();
}

TEST_F(MasterReplicasTest, AlterRaisesAndLowersTheNumberOfReplicas) {
  Begin({.servers = 5});
  MakeTable(1);
  for (const int replicas : {3, 5, 2, 1, 4}) {
    ASSERT_EQ(cluster().Alter("carts", WithReplicas(replicas)).header.code, idl::Code::OK);
    WaitServing();
    for (const auto& [id, info] : cluster().Tablets()) EXPECT_EQ(info.voters.size(), static_cast<size_t>(replicas));
  }
}

TEST_F(MasterReplicasTest, CopiesStayWithinTheirCaps) {
  Begin({.servers = 4});
  std::vector<std::string> points;
  for (int i = 101; i < 160; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, WithReplicas(1)).header.code, idl::Code::OK);
  ASSERT_EQ(cluster().Alter("carts", WithReplicas(2)).header.code, idl::Code::OK);
  size_t most = 0;
  EXPECT_TRUE(cluster().RunUntil(
      [&] {
        std::map<std::string, size_t> copies;
        for (const auto& [id, info] : cluster().Tablets()) {
          for (const std::string& learner : info.learners) most = std::max(most, ++copies[learner]);
        }
        return cluster().WhyNotServing("carts").empty();
      },
      300s))
      << cluster().WhyNotServing("carts");
  EXPECT_EQ(most, RepairCaps().copies_per_server);
}

TEST_F(MasterReplicasTest, AnOrphanThatPromisedMoreIsOutgrownAndDropped) {
  Begin({.servers = 4});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo info = Tablet();
  for (auto& server : cluster().servers()) {
    if (std::ranges::count(info.voters, server->name()) > 0) continue;
    FakeServer::Replica orphan;
    orphan.range = info.range;
    orphan.table = info.tableId;
    orphan.promised = 9;
    server->mutable_replicas()[info.tabletId] = orphan;
  }
  std::vector<int64_t> listed;
  for (int i = 0; i < 50 && listed.empty(); ++i) {
    cluster().scheduler().RunFor(100ms);
    const auto reply = cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
    for (const idl::ServerSummary& server : reply->servers) {
      listed.insert(listed.end(), server.strays.begin(), server.strays.end());
    }
  }
  EXPECT_EQ(listed, std::vector<int64_t>{info.tabletId}) << "and it is listed meanwhile";
  WaitServing();
  EXPECT_GT(Tablet().epoch, 9);
  EXPECT_EQ(Tablet().primary, info.primary);
}

TEST_F(MasterReplicasTest, APrimaryThatDiesAmidAChangeIsFailedOverAndTheChangeGoesOn) {
  Begin({.servers = 4});
  MakeTable(3);
  ASSERT_EQ(cluster().Alter("carts", WithReplicas(4)).header.code, idl::Code::OK);
  EXPECT_TRUE(cluster().RunUntil([&] { return !Tablet().learners.empty(); }));
  FakeServer& victim = Primary();
  victim.Stop();
  cluster().scheduler().RunFor(20s);
  EXPECT_TRUE(AllLed());
  victim.Start();
  WaitServing();
}

}  // namespace
}  // namespace ebla::master::testing
