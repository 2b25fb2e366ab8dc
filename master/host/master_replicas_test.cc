// Tablets with several replicas: where they go, who leads when a primary dies, falls silent or is refused, and how long
// that takes; how their membership changes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

idl::TableOptions Replicas(int count) {
  idl::TableOptions options;
  options.__set_replicas(count);
  return options;
}

class MasterReplicasTest : public ::testing::Test {
 protected:
  void Begin(MasterRig::Shape shape) {
    cluster_ = std::make_unique<MasterRig>(shape);
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
    cluster_->scheduler().RunFor(2s);  // until each has reported, which creations wait for
  }
  void TearDown() override { EXPECT_THAT(cluster_->ledger().violations(), ::testing::IsEmpty()); }
  MasterRig& cluster() { return *cluster_; }

  // "carts", of five tablets.
  void MakeTable(std::optional<int> replicas) {
    const auto reply =
        cluster().Create("carts", {"b", "d", "f", "h"}, replicas ? Replicas(*replicas) : idl::TableOptions());
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

  std::unique_ptr<MasterRig> cluster_;
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
  const auto reply = cluster().Create("carts", {}, Replicas(5));
  EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(reply.header.message,
            "5 replicas need as many tablet servers, and the cluster has 3: start more of them, or ask "
            "for at most 3");
  EXPECT_LT(cluster().scheduler().Now() - before, 1'200ms) << "no longer than a server takes that has just joined";
  MakeTable(3);
  EXPECT_EQ(cluster().Alter("carts", Replicas(4)).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(cluster().Describe("carts").table.schema.options.replicas, 3);
}

TEST_F(MasterReplicasTest, AskedForReplicasAreWaitedForWhileTheirServersAreAway) {
  Begin({.servers = 3});
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(10s);
  idl::CreateTableRequest request;
  request.name = "carts";
  request.options = Replicas(3);
  request.deadlineMs = 1'000;
  const auto refused = cluster().Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(refused->header.code, idl::Code::UNAVAILABLE);
  EXPECT_EQ(refused->header.message,
            "3 replicas need as many live tablet servers with room; of 3 there are 2: start the others, or ask "
            "for at most 2 and raise it later");
  EXPECT_FALSE(cluster().TableNode("carts"));
  cluster().server(2).Start();
  request.deadlineMs = 20'000;
  const auto made = cluster().Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(made->header.code, idl::Code::OK) << made->header.message;
  EXPECT_EQ(Tablet().voters.size(), 3u);
}

TEST_F(MasterReplicasTest, AHeartbeatBringsWhereThePeersAre) {
  Begin({.servers = 3, .racks = 3});
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(20s);
  idl::HeartbeatRequest request;
  request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
  request.server = "ts-1";
  request.incarnation = 1;
  request.featureLevel = kFeatureLevel;
  const auto reply = cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request);
  ASSERT_EQ(reply->servers.size(), 3u);
  EXPECT_EQ(reply->servers.at("ts-2").endpoint.port, 9'010);
  EXPECT_EQ(reply->servers.at("ts-2").rack, "rack-1");
  EXPECT_TRUE(reply->servers.at("ts-2").live);
  EXPECT_FALSE(reply->servers.at("ts-3").live);
  EXPECT_EQ(reply->servers.at("ts-3").incarnation, 1);
}

TEST_F(MasterReplicasTest, AHeartbeatBringsOnlyWhatHasChangedSinceTheOneBefore) {
  Begin({.servers = 3});
  idl::HeartbeatRequest request;
  request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
  request.server = "ts-1";
  request.incarnation = 1;
  request.featureLevel = kFeatureLevel;
  const auto beat = [&] {
    const auto reply = cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request);
    request.serversTerm = reply->masterTerm;
    request.serversVersion = reply->serversVersion;
    return reply->servers;
  };
  EXPECT_EQ(beat().size(), 3u);
  EXPECT_TRUE(beat().empty());
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(20s);
  const auto changed = beat();
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_FALSE(changed.at("ts-3").live);
  EXPECT_TRUE(beat().empty());
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().WaitForLeader());
  EXPECT_EQ(beat().size(), 2u) << "a new master counts anew; where the third was, it cannot know";
}

TEST_F(MasterReplicasTest, AServerIsRemovedForGoodOnceItHasNothing) {
  Begin({.servers = 4});
  MakeTable(3);
  const auto remove = [&](const std::string& name) {
    idl::RemoveServerRequest request;
    request.name = name;
    return cluster().Call(&idl::MasterServiceCobSvIf::removeServer, request)->header;
  };
  EXPECT_EQ(remove("nobody").code, idl::Code::NOT_FOUND);
  FakeServer& victim = Primary();
  EXPECT_EQ(remove(victim.name()).code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(remove(victim.name()).message, ::testing::HasSubstr("is live: drain it"));
  victim.Stop();
  cluster().scheduler().RunFor(10s);
  EXPECT_THAT(remove(victim.name()).message, ::testing::HasSubstr("still has"));
  EXPECT_TRUE(cluster().RunUntil([&] { return remove(victim.name()).code == idl::Code::OK; }, 400s));
  EXPECT_FALSE(cluster().coordination().tree().Get(coordination::layout::ServerPath(victim.name())));
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest())->servers.size(), 3u);
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::clusterInfo, idl::ClusterInfoRequest())->knownServers, 3);
  EXPECT_EQ(remove(victim.name()).code, idl::Code::NOT_FOUND);
  victim.Start();  // it may join again, with nothing
  cluster().scheduler().RunFor(20s);
  WaitServing();
  EXPECT_TRUE(victim.replicas().empty());
}

TEST_F(MasterReplicasTest, ADeadFollowerDoesNotHoldUpTheFailoverOfADeadPrimary) {
  Begin({.servers = 5});
  MakeTable(5);
  cluster().scheduler().RunFor(5s);
  // Three of five followers' voices are a majority of the voters, whatever the fourth would say.
  FakeServer& follower = cluster().server(IndexOf(Tablet().voters.at(1)));
  FakeServer& primary = Primary();
  follower.Stop();
  primary.Stop();
  EXPECT_LT(TimeToLead(), 1'500ms);
}

TEST_F(MasterReplicasTest, WithAFollowerAndThePrimaryOfThreeDeadItGoesOnAsSoonAsOneIsBack) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(5s);
  FakeServer& follower = cluster().server(IndexOf(Tablet().voters.at(1)));
  FakeServer& primary = Primary();
  follower.Stop();
  primary.Stop();
  cluster().scheduler().RunFor(10s);
  EXPECT_FALSE(AllLed()) << "one of three is no majority";
  follower.Start();
  EXPECT_LT(TimeToLead(), 3'000ms);
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

// Its server lives, so nobody else would ever be asked; it is dropped and made anew, in its own place where there is no
// other.
TEST_F(MasterReplicasTest, AReplicaThatHasFailedIsMadeAnewThoughItsServerLives) {
  Begin({.servers = 3});
  MakeTable(3);
  const auto before = cluster().Tablets();
  const auto& [id, info] = *before.begin();
  for (const std::string& voter : {info.voters[1], info.primary}) {
    FakeServer::Replica& replica = cluster().server(IndexOf(voter)).mutable_replicas().at(id);
    replica.failed = true;
    replica.leading = 0;
    EXPECT_TRUE(cluster().RunUntil([&] {
      const auto& replicas = cluster().server(IndexOf(voter)).replicas();
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

TEST_F(MasterReplicasTest, DamagedFollowersAreMadeAnewOneAtATime) {
  Begin({.servers = 3});
  MakeTable(3);
  const idl::TabletInfo info = cluster().Tablets().begin()->second;
  const int64_t tablet = info.tabletId;
  std::vector<std::string> followers = info.voters;
  std::erase(followers, info.primary);
  for (const std::string& follower : followers)
    cluster().server(IndexOf(follower)).mutable_replicas().at(tablet).damaged = true;
  const auto damaged = [&](const std::string& server) {
    const auto& replicas = cluster().server(IndexOf(server)).replicas();
    return replicas.contains(tablet) && replicas.at(tablet).damaged;
  };
  EXPECT_TRUE(cluster().RunUntil([&] { return damaged(followers[0]) != damaged(followers[1]); }));
  EXPECT_TRUE(cluster().RunUntil([&] {
    EXPECT_GE(cluster().Tablets().at(tablet).voters.size(), 2u);
    return !damaged(followers[0]) && !damaged(followers[1]) && cluster().Tablets().at(tablet).voters.size() == 3;
  }));
  WaitServing();
}

TEST_F(MasterReplicasTest, ADamagedReplicaStaysWhileAnotherIsAway) {
  Begin({.servers = 3});
  MakeTable(3);
  const idl::TabletInfo info = cluster().Tablets().begin()->second;
  std::vector<std::string> followers = info.voters;
  std::erase(followers, info.primary);
  cluster().server(IndexOf(followers[0])).Stop();
  cluster().scheduler().RunFor(3s);
  cluster().server(IndexOf(followers[1])).mutable_replicas().at(info.tabletId).damaged = true;
  cluster().scheduler().RunFor(20s);
  EXPECT_EQ(cluster().Tablets().at(info.tabletId).voters, info.voters);
}

TEST_F(MasterReplicasTest, WhatIsIncompleteGoesBeforeWhatIsWhole) {
  Begin({.servers = 3});
  MakeTable(3);
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  std::vector<std::string> followers = before.voters;
  std::erase(followers, before.primary);
  std::ranges::sort(followers);
  // The other one's name would have it go first.
  FakeServer& filled = cluster().server(IndexOf(followers[0]));
  FakeServer::Replica& replica = filled.mutable_replicas().at(before.tabletId);
  replica.incomplete = true;
  replica.copying_since = cluster().scheduler().Now() + 3'600s;
  cluster().scheduler().RunFor(3s);
  ASSERT_EQ(cluster().Alter("carts", Replicas(2)).header.code, idl::Code::OK);
  EXPECT_TRUE(cluster().RunUntil([&] { return cluster().Tablets().at(before.tabletId).voters.size() == 2; }));
  EXPECT_THAT(cluster().Tablets().at(before.tabletId).voters,
              ::testing::UnorderedElementsAre(before.primary, followers[1]));
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
  ASSERT_EQ(cluster().Alter("carts", Replicas(4)).header.code, idl::Code::OK);
  EXPECT_TRUE(cluster().RunUntil([&] { return !Tablet().learners.empty(); }));
  FakeServer& victim = Primary();
  victim.Stop();
  cluster().scheduler().RunFor(20s);
  EXPECT_TRUE(AllLed());
  victim.Start();
  WaitServing();
}

// ---- transfer -------------------------------------------------------------------------------------------------------

class MasterTransferTest : public MasterReplicasTest {
 protected:
  idl::TransferTabletReply Transfer(const std::string& key, const std::string& to, int deadline_ms = 5'000) {
    idl::TransferTabletRequest request;
    request.table = "carts";
    request.key = key;
    request.toServer = to;
    request.deadlineMs = deadline_ms;
    return cluster().Call(&idl::MasterServiceCobSvIf::transferTablet, request).value();
  }
};

TEST_F(MasterTransferTest, AnOperatorHandsATabletOver) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  const std::string to = before.voters.at(2);
  const auto reply = Transfer("", to);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.tablet.primary, to);
  EXPECT_EQ(reply.tablet.epoch, before.epoch + 1);
  WaitServing();
  EXPECT_EQ(Tablet().primary, to);
  const auto settled = cluster().Tablets();
  EXPECT_EQ(Transfer("", to).header.code, idl::Code::OK) << "it leads already";
  cluster().scheduler().RunFor(3s);
  EXPECT_EQ(cluster().Tablets(), settled) << "nothing was done";
}

TEST_F(MasterTransferTest, WhatCannotBeIsRefused) {
  Begin({.servers = 4});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  std::set<std::string> others = {"ts-1", "ts-2", "ts-3", "ts-4"};
  for (const std::string& voter : Tablet().voters) others.erase(voter);
  EXPECT_EQ(Transfer("", *others.begin()).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Transfer("", "nobody").header.code, idl::Code::INVALID_ARGUMENT);
  idl::TransferTabletRequest request;
  request.table = "nothing";
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::transferTablet, request)->header.code, idl::Code::NO_SUCH_TABLE);
}

TEST_F(MasterTransferTest, ATargetThatDoesNotComeLevelLeavesThePrimaryInPlace) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  cluster().server(IndexOf(before.voters.at(1))).mute = true;
  const auto reply = Transfer("", before.voters.at(1), 1'000);
  EXPECT_EQ(reply.header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(reply.header.message, ::testing::HasSubstr("does not come level"));
  EXPECT_EQ(Tablet().primary, before.primary);
  EXPECT_TRUE(cluster().server(IndexOf(before.primary)).Leads(before.tabletId, before.epoch));
  EXPECT_TRUE(cluster().RunUntil([&] { return AllLed(); })) << "what the mute one led has others to lead it by now";
}

TEST_F(MasterTransferTest, OneThatWasGivenUpIsNotSpokenOfForEver) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  cluster().Cut(IndexOf(before.primary), IndexOf(before.voters.at(1)));
  EXPECT_EQ(Transfer("", before.voters.at(1), 1'000).header.code, idl::Code::UNAVAILABLE);
  cluster().Mend();
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(Tablet().primary, before.primary);
  const auto listed = cluster().Call(&idl::MasterServiceCobSvIf::listProcedures, idl::ListProceduresRequest());
  EXPECT_THAT(listed->procedures, ::testing::IsEmpty()) << listed->procedures.front().kind;
}

TEST_F(MasterTransferTest, WritesAreRefusedForNoLongerThanItTakes) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  FakeServer& primary = cluster().server(IndexOf(before.primary));
  cluster().Cut(IndexOf(before.primary), IndexOf(before.voters.at(1)));
  EXPECT_EQ(Transfer("", before.voters.at(1), 3'000).header.code, idl::Code::UNAVAILABLE);
  const std::vector<int64_t> told = std::exchange(primary.received_patience[before.tabletId], {});
  ASSERT_GE(told.size(), 3u);
  EXPECT_EQ(told[0], 25);
  for (size_t i = 1; i < told.size(); ++i) EXPECT_EQ(told[i], std::min<int64_t>(2 * told[i - 1], 1'000));
  cluster().Mend();
  FakeServer& target = cluster().server(IndexOf(before.voters.at(1)));
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(Transfer("", before.voters.at(1)).header.code, idl::Code::OK);
    WaitServing();
    ASSERT_EQ(Transfer("", before.primary).header.code, idl::Code::OK);
    WaitServing();
    EXPECT_EQ(target.received_patience[before.tabletId].back(), 25) << "to another target";
  }
  const std::vector<int64_t>& later = primary.received_patience[before.tabletId];
  EXPECT_GT(later.front(), 25) << "what the first hand-overs needed, the next will need";
  EXPECT_TRUE(std::ranges::is_sorted(later, std::greater()));
  EXPECT_EQ(later.back(), 25) << "which is forgotten by and by";
}

TEST_F(MasterTransferTest, PrimariesAreSpreadAgainAfterAFailover) {
  Begin({.balance = true});
  std::vector<std::string> points;
  for (int i = 101; i < 124; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, Replicas(3)).header.code, idl::Code::OK);
  cluster().server(0).Stop();
  cluster().scheduler().RunFor(10s);
  cluster().server(0).Start();
  WaitServing();
  EXPECT_TRUE(cluster().RunUntil(
      [&] {
        std::map<std::string, int> led;
        for (const auto& [id, info] : cluster().Tablets()) ++led[info.primary];
        // The mean is 8; numbers alone count from two above it on, and until one above it.
        return led["ts-1"] >= 6 && led["ts-2"] <= 9 && led["ts-3"] <= 9;
      },
      120s));
  cluster().scheduler().RunFor(3s);
  const auto settled = cluster().Tablets();
  cluster().scheduler().RunFor(120s);
  EXPECT_EQ(cluster().Tablets(), settled) << "and then they stay";
  EXPECT_EQ(cluster().WhyNotServing("carts"), "");
}

TEST_F(MasterTransferTest, WhatAnOperatorHandedOverTheBalancerLeavesAlone) {
  Begin({.balance = true});
  std::vector<std::string> points;
  for (int i = 101; i < 107; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, Replicas(3)).header.code, idl::Code::OK);
  cluster().scheduler().RunFor(40s);  // long enough for the balancer to be at work
  // All to one.
  for (const auto& [id, info] : cluster().Tablets()) {
    ASSERT_EQ(Transfer(info.range.startKey, "ts-1").header.code, idl::Code::OK);
  }
  const auto led = [&] {
    return std::ranges::count_if(cluster().Tablets(), [](const auto& item) { return item.second.primary == "ts-1"; });
  };
  cluster().scheduler().RunFor(9min);
  EXPECT_EQ(led(), 7);
  EXPECT_TRUE(cluster().RunUntil([&] { return led() <= 4; }, 300s)) << "then it evens them out";
}

TEST_F(MasterTransferTest, WhatAServerLedWhoseDiskIsFullIsHandedToOthers) {
  Begin({.servers = 4});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const auto before = cluster().Tablets();
  FakeServer& full = Primary();
  const auto led = [&] {
    return std::ranges::count_if(cluster().Tablets(),
                                 [&](const auto& item) { return item.second.primary == full.name(); });
  };
  const auto of_old = led();
  full.disk_full = true;
  ASSERT_TRUE(cluster().RunUntil([&] { return led() == 0 && AllLed(); }, 5s));
  int64_t moved = 0;
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_EQ(info.voters, before.at(id).voters);
    moved += info.epoch - before.at(id).epoch;
  }
  EXPECT_EQ(moved, of_old) << "each transferred once, the others left alone";
  ASSERT_EQ(cluster().Create("new", {"b", "d", "f", "h"}, Replicas(3)).header.code, idl::Code::OK);
  for (const auto& [id, info] : cluster().Tablets()) {
    if (!before.contains(id)) {
      EXPECT_THAT(info.voters, ::testing::Not(::testing::Contains(full.name())));
    }
  }
  // With room again it may lead, and keeps what it is given.
  full.disk_full = false;
  cluster().scheduler().RunFor(3s);
  for (const auto& [id, info] : before) {
    if (info.primary != full.name()) continue;
    EXPECT_EQ(Transfer(info.range.startKey, full.name()).header.code, idl::Code::OK);
  }
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(led(), of_old);
}

TEST_F(MasterTransferTest, WhereEveryVotersDiskIsFullTheTabletStays) {
  Begin({.servers = 3});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const auto before = cluster().Tablets();
  for (auto& server : cluster().servers()) server->disk_full = true;
  cluster().scheduler().RunFor(20s);
  EXPECT_EQ(cluster().Tablets(), before);
  FakeServer& roomy = cluster().server(IndexOf(Tablet().voters.at(1)));
  roomy.disk_full = false;
  EXPECT_TRUE(cluster().RunUntil(
      [&] {
        return std::ranges::all_of(cluster().Tablets(),
                                   [&](const auto& item) { return item.second.primary == roomy.name(); });
      },
      10s));
  WaitServing();
}

// ---- safe mode ------------------------------------------------------------------------------------------------------

class MasterSafeModeTest : public MasterReplicasTest {
 protected:
  std::string SafeMode() {
    return cluster().Call(&idl::MasterServiceCobSvIf::clusterInfo, idl::ClusterInfoRequest())->safeMode;
  }
};

TEST_F(MasterSafeModeTest, BelowHalfOfTheServersNothingIsRepaired) {
  Begin({.servers = 7});
  MakeTable(3);
  EXPECT_EQ(SafeMode(), "");
  const auto before = cluster().Tablets();
  for (size_t i = 3; i < 7; ++i) cluster().server(i).Stop();
  cluster().scheduler().RunFor(400s);
  EXPECT_EQ(SafeMode(), "of 7 known servers only 3 live");
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_THAT(info.voters, ::testing::UnorderedElementsAreArray(before.at(id).voters));
    EXPECT_TRUE(info.learners.empty());
  }
  for (size_t i = 3; i < 7; ++i) cluster().server(i).Start();
  WaitServing();
  EXPECT_EQ(SafeMode(), "");
}

TEST_F(MasterSafeModeTest, ACatalogOlderThanItsTabletsTouchesThemNot) {
  Begin({.servers = 4});
  MakeTable(3);
  auto older = cluster().coordination().TakeSnapshot();
  const int64_t id = Tablet().tabletId;
  // A voter is replaced: the older catalog knows other voters than the newer one.
  cluster().server(IndexOf(Tablet().voters.at(1))).Stop();
  cluster().scheduler().RunFor(320s);
  ASSERT_TRUE(AllLed());
  for (auto& server : cluster().servers()) {
    if (!server->running()) server->Start();
  }
  WaitServing();
  auto newest = cluster().coordination().TakeSnapshot();
  const idl::TabletInfo now = Tablet();
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(60s);
  EXPECT_THAT(SafeMode(), ::testing::HasSubstr("restored from an older state"));
  EXPECT_TRUE(cluster().server(IndexOf(now.primary)).Leads(id, now.epoch)) << "who leads goes on";
  cluster().coordination().Restore(std::move(newest));
  WaitServing();
}

}  // namespace
}  // namespace ebla::master::testing
