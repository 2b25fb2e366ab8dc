// Tablets with several replicas: where they go, who leads when a primary dies, falls silent or is refused, and how long
// that takes; how their membership changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/testing/test_cluster.h"

namespace ebla::master::testing {
namespace {

idl::TableOptions Replicas(int count) {
  idl::TableOptions options;
  options.__set_replicas(count);
  return options;
}

class MasterReplicasTest : public ::testing::Test {
 protected:
  void Begin(TestCluster::Shape shape) {
    cluster_ = std::make_unique<TestCluster>(shape);
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
    cluster_->scheduler().RunFor(2s);  // until each has reported, which creations wait for
  }
  void TearDown() override { EXPECT_THAT(cluster_->ledger().violations(), ::testing::IsEmpty()); }
  TestCluster& cluster() { return *cluster_; }

  // "carts", of five tablets.
  void MakeTable(int replicas) {
    const auto reply = cluster().Create("carts", {"b", "d", "f", "h"}, Replicas(replicas));
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    WaitServing();
  }
  void WaitServing() {
    EXPECT_TRUE(cluster().RunUntil([&] { return cluster().WhyNotServing("carts").empty(); }))
        << cluster().WhyNotServing("carts");
  }
  size_t IndexOf(const std::string& name) {
    for (size_t i = 0; i < cluster().servers().size(); ++i) {
      if (cluster().server(i).name() == name) return i;
    }
    return 99;
  }
  idl::TabletInfo Tablet() { return cluster().Tablets().begin()->second; }
  FakeServer& Primary() { return cluster().server(IndexOf(Tablet().primary)); }
  bool AllLed() {
    return std::ranges::all_of(cluster().Tablets(), [&](const auto& item) {
      return cluster().server(IndexOf(item.second.primary)).Leads(item.first, item.second.epoch);
    });
  }
  // From now until every tablet is led.
  Duration TimeToLead(Duration limit = 60s) {
    const MonotonicTime before = cluster().scheduler().Now();
    EXPECT_TRUE(cluster().RunUntil([&] { return AllLed(); }, limit));
    return cluster().scheduler().Now() - before;
  }

  std::unique_ptr<TestCluster> cluster_;
};

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

TEST_F(MasterReplicasTest, WithFewerServersThereAreFewerReplicas) {
  Begin({.servers = 2});
  MakeTable(7);
  EXPECT_EQ(Tablet().voters.size(), 2u);
  EXPECT_EQ(cluster().TableNode("carts")->schema.options.replicas, 7);
}

TEST_F(MasterReplicasTest, AHeartbeatBringsWhereThePeersAre) {
  Begin({.servers = 3, .racks = 3});
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(20s);
  idl::HeartbeatRequest request;
  request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
  request.server = "ts-1";
  request.incarnation = 1;
  const auto reply = cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request);
  ASSERT_EQ(reply->servers.size(), 3u);
  EXPECT_EQ(reply->servers.at("ts-2").endpoint.port, 9'010);
  EXPECT_EQ(reply->servers.at("ts-2").rack, "rack-1");
  EXPECT_TRUE(reply->servers.at("ts-2").live);
  EXPECT_FALSE(reply->servers.at("ts-3").live);
  EXPECT_EQ(reply->servers.at("ts-3").incarnation, 1);
}

TEST_F(MasterReplicasTest, ADeadPrimarysTabletsAreLedWithinASecondAndAHalf) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(5s);
  for (int round = 0; round < 6; ++round) {
    FakeServer& victim = Primary();
    victim.Stop();
    EXPECT_LT(TimeToLead(), 1'500ms);
    EXPECT_NE(Tablet().primary, victim.name());
    cluster().scheduler().RunFor(std::chrono::milliseconds(8'000 + 130 * round));
    victim.Start();
    WaitServing();
    cluster().scheduler().RunFor(3s);
  }
}

TEST_F(MasterReplicasTest, AThousandTabletsOfADeadPrimaryAreLedAsFast) {
  Begin({});
  std::vector<std::string> points;
  for (int i = 1'001; i < 4'000; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, Replicas(3)).header.code, idl::Code::OK);
  cluster().scheduler().RunFor(5s);
  Primary().Stop();
  EXPECT_LT(TimeToLead(), 1'600ms);
  std::map<std::string, int> led;
  for (const auto& [id, info] : cluster().Tablets()) ++led[info.primary];
  for (const auto& [server, count] : led) EXPECT_GT(count, 1'200) << server;
}

TEST_F(MasterReplicasTest, APrimaryThatItsFollowersDoNotHearIsReplacedThoughItLives) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(5s);
  FakeServer& silent = Primary();
  silent.mute = true;
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().primary != silent.name() && AllLed(); }, 3s));
  silent.mute = false;
  WaitServing();
  const auto settled = cluster().Tablets();
  cluster().scheduler().RunFor(60s);
  EXPECT_EQ(cluster().Tablets(), settled);
}

TEST_F(MasterReplicasTest, OneFollowerThatDoesNotHearChangesNothing) {
  Begin({});
  MakeTable(3);
  const auto before = cluster().Tablets();
  cluster().Cut(0, 1);
  cluster().scheduler().RunFor(30s);
  EXPECT_EQ(cluster().Tablets(), before);
}

TEST_F(MasterReplicasTest, APrimaryThatWasRefusedForAHigherPromiseIsFencedAbove) {
  Begin({});
  MakeTable(3);
  // A master died between its fence and its compare-and-set.
  const idl::TabletInfo info = Tablet();
  for (const std::string& voter : info.voters) {
    if (voter != info.primary) cluster().server(IndexOf(voter)).mutable_replicas().at(info.tabletId).promised = 9;
  }
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().epoch >= 10; }, 5s));
  WaitServing();
}

TEST_F(MasterReplicasTest, AServerThatAnswersNothingHoldsUpNobody) {
  Begin({.servers = 5});
  MakeTable(5);
  cluster().scheduler().RunFor(5s);
  const idl::TabletInfo info = Tablet();
  cluster().server(IndexOf(info.voters[1])).deaf = true;
  Primary().Stop();
  EXPECT_LT(TimeToLead(), 1'700ms);
}

TEST_F(MasterReplicasTest, AMinorityIsNotFailedOver) {
  Begin({});
  MakeTable(3);
  const auto before = cluster().Tablets();
  cluster().server(0).Stop();
  cluster().server(1).Stop();
  cluster().scheduler().RunFor(30s);
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_TRUE(info.primary == before.at(id).primary) << id;
  }
  cluster().server(1).Start();
  EXPECT_LT(TimeToLead(), 5s);
  cluster().server(0).Start();
  WaitServing();
}

TEST_F(MasterReplicasTest, AFollowerThatWasNeverMadeIsMade) {
  Begin({});
  MakeTable(3);
  const idl::TabletInfo info = Tablet();
  FakeServer& follower = cluster().server(IndexOf(info.voters[1]));
  follower.mutable_replicas().erase(info.tabletId);
  WaitServing();
  EXPECT_EQ(Tablet(), info);
}

TEST_F(MasterReplicasTest, AllServersAtOnceComeBack) {
  Begin({});
  MakeTable(3);
  for (auto& server : cluster().servers()) server->Stop();
  cluster().scheduler().RunFor(200ms);
  for (auto& server : cluster().servers()) server->Start();
  WaitServing();
}

// ---- membership -----------------------------------------------------------------------------------------------------

TEST_F(MasterReplicasTest, ReplicasAreAddedAsServersJoin) {
  Begin({.servers = 3, .asleep = 2});
  MakeTable(3);
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
  for (const auto& [id, info] : cluster().Tablets()) EXPECT_THAT(info.voters, ::testing::Not(::testing::Contains("ts-1")));
  cluster().server(0).Start();
  cluster().scheduler().RunFor(10s);
  EXPECT_TRUE(cluster().server(0).replicas().empty()) << "what was removed is dropped";
  WaitServing();
}

TEST_F(MasterReplicasTest, AlterRaisesAndLowersTheNumberOfReplicas) {
  Begin({.servers = 5});
  MakeTable(1);
  for (const int replicas : {3, 5, 2, 1, 4}) {
    ASSERT_EQ(cluster().Alter("carts", Replicas(replicas)).header.code, idl::Code::OK);
    WaitServing();
    for (const auto& [id, info] : cluster().Tablets()) EXPECT_EQ(info.voters.size(), static_cast<size_t>(replicas));
  }
}

TEST_F(MasterReplicasTest, CopiesStayWithinTheirCaps) {
  Begin({.servers = 4});
  std::vector<std::string> points;
  for (int i = 101; i < 160; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, Replicas(1)).header.code, idl::Code::OK);
  ASSERT_EQ(cluster().Alter("carts", Replicas(2)).header.code, idl::Code::OK);
  size_t most = 0;
  EXPECT_TRUE(cluster().RunUntil([&] {
    std::map<std::string, size_t> copies;
    for (const auto& [id, info] : cluster().Tablets()) {
      for (const std::string& learner : info.learners) most = std::max(most, ++copies[learner]);
    }
    return cluster().WhyNotServing("carts").empty();
  }, 300s)) << cluster().WhyNotServing("carts");
  EXPECT_EQ(most, RepairCaps().copies_per_server);
}

TEST_F(MasterReplicasTest, APrimaryThatDiesAmidAChangeIsFailedOverAndTheChangeGoesOn) {
  Begin({.servers = 4});
  MakeTable(3);
  ASSERT_EQ(cluster().Alter("carts", Replicas(4)).header.code, idl::Code::OK);
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
