// Recovery by hand: what an operator is shown and refused, what becomes of the tablet, and of voters that come back.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

class MasterRecoverTest : public ::testing::Test {
 protected:
  // "carts", one tablet with voters on three of the five servers.
  void SetUp() override {
    ASSERT_TRUE(cluster_.WaitForLeader() && cluster_.WaitForServers());
    cluster_.scheduler().RunFor(2s);
    ASSERT_EQ(cluster_.Create("carts").header.code, idl::Code::OK);
    cluster_.scheduler().RunFor(3s);
    voters_ = Tablet().voters;
  }
  void TearDown() override { EXPECT_THAT(cluster_.ledger().violations(), ::testing::IsEmpty()); }

  idl::TabletInfo Tablet() { return cluster_.Tablets().begin()->second; }
  FakeServer& Named(const std::string& name) { return cluster_.server(static_cast<size_t>(name.back() - '1')); }
  FakeServer& Voter(size_t index) { return Named(voters_.at(index)); }
  void Lose(std::vector<size_t> voters) {
    for (const size_t voter : voters) Voter(voter).Stop();
    cluster_.scheduler().RunFor(10s);
  }
  idl::RecoverTabletReply Recover(const std::string& server, bool accept = true) {
    idl::RecoverTabletRequest request;
    request.tabletId = Tablet().tabletId;
    request.server = server;
    request.acceptDataLoss = accept;
    request.deadlineMs = 8'000;
    return cluster_.Call(&idl::MasterServiceCobSvIf::recoverTablet, request).value();
  }
  idl::RecoverTabletReply RecoverOf(int64_t tablet, const std::string& server) {
    idl::RecoverTabletRequest request;
    request.tabletId = tablet;
    request.server = server;
    request.acceptDataLoss = true;
    request.deadlineMs = 8'000;
    return cluster_.Call(&idl::MasterServiceCobSvIf::recoverTablet, request).value();
  }
  // Returns the child's id.
  int64_t SplitAt(const std::string& key) {
    const auto reply = cluster_.Split("carts", key);
    EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    cluster_.scheduler().RunFor(2s);
    return reply.child.tabletId;
  }
  void WaitServing() {
    EXPECT_TRUE(cluster_.RunUntil([&] { return cluster_.WhyNotServing("carts").empty(); }, 120s))
        << cluster_.WhyNotServing("carts");
  }

  MasterRig cluster_{{.servers = 5}};
  std::vector<std::string> voters_;
};

TEST_F(MasterRecoverTest, TheLastVoterLeadsAloneAndRepairMakesTheOthersAnew) {
  const idl::TabletInfo before = Tablet();
  Lose({0, 1});
  const auto reply = Recover(voters_[2]);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.chosen, voters_[2]);
  EXPECT_EQ(reply.tablet.primary, voters_[2]);
  EXPECT_EQ(reply.tablet.voters, std::vector{voters_[2]});
  EXPECT_GT(reply.tablet.epoch, before.epoch);
  WaitServing();
  EXPECT_EQ(Tablet().voters.size(), 3u);
  // Voters that come back are orphans by now, and dropped, because other replicas have taken their place.
  const int64_t id = Tablet().tabletId;
  Voter(0).Start();
  Voter(1).Start();
  EXPECT_TRUE(Voter(0).replicas().contains(id) && Voter(1).replicas().contains(id));
  EXPECT_TRUE(
      cluster_.RunUntil([&] { return !Voter(0).replicas().contains(id) && !Voter(1).replicas().contains(id); }));
  cluster_.scheduler().RunFor(10s);
  WaitServing();
}

// Its log may have another history, and a replica with a log receives the rest of it, not a copy.
TEST_F(MasterRecoverTest, AnOldVoterIsMadeALearnerOnlyOnceItHasBeenDropped) {
  const int64_t id = Tablet().tabletId;
  for (auto& server : cluster_.servers()) {
    if (server->name() != voters_[2]) server->Stop();
  }
  cluster_.scheduler().RunFor(10s);
  ASSERT_EQ(Recover(voters_[2]).header.code, idl::Code::OK);
  // Two that never held it and reported before keep the master out of safe mode; they take nothing new.
  for (auto& server : cluster_.servers()) {
    if (std::ranges::find(voters_, server->name()) != voters_.end()) continue;
    server->disk_full = true;
    server->Start();
  }
  // A returning voter receives no order to drop its replica; of the second one it is not known what it has.
  Voter(0).deaf = true;
  Voter(1).silent = true;
  Voter(0).Start();
  Voter(1).Start();
  cluster_.scheduler().RunFor(20s);
  EXPECT_EQ(Tablet().voters, std::vector{voters_[2]});
  EXPECT_TRUE(Tablet().learners.empty()) << Tablet().learners.front();
  Voter(0).deaf = Voter(1).silent = false;
  EXPECT_TRUE(cluster_.RunUntil([&] { return Tablet().voters.size() == 3; }, 120s));
  WaitServing();
  for (const size_t voter : {0, 1}) EXPECT_FALSE(Voter(voter).replicas().at(id).incomplete);
}

TEST_F(MasterRecoverTest, AReplicaThatHasFailedIsNotWaitedForWhateverItAnswers) {
  const int64_t id = Tablet().tabletId;
  for (const size_t voter : {0, 1}) {
    FakeServer::Replica& replica = Voter(voter).mutable_replicas().at(id);
    replica.failed = true;
    replica.failure = idl::Code::UNAVAILABLE;
    replica.leading = 0;
  }
  cluster_.scheduler().RunFor(5s);
  const auto reply = Recover(voters_[2]);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(Tablet().primary, voters_[2]);
  WaitServing();
}

TEST_F(MasterRecoverTest, RefusedWhileAMajorityLives) {
  const idl::TabletInfo before = Tablet();
  auto reply = Recover(voters_[1]);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("3 of the 3 voters of tablet"));
  EXPECT_EQ(Tablet(), before);
  Lose({2});
  reply = Recover(voters_[1]);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("the tablet recovers by itself"));
  EXPECT_EQ(Tablet().voters.size(), 3u);
}

TEST_F(MasterRecoverTest, WithoutAWordOfLossNothingIsChanged) {
  Lose({0, 1});
  const idl::TabletInfo before = Tablet();
  const int64_t promised = Voter(2).replicas().at(before.tabletId).promised;
  const auto reply = Recover("", false);
  EXPECT_EQ(reply.header.code, idl::Code::OK);
  EXPECT_EQ(reply.refusal, "");
  EXPECT_EQ(reply.chosen, voters_[2]);
  ASSERT_EQ(reply.replicas.size(), 3u);
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(reply.replicas[i].server, before.voters[i]);
    EXPECT_EQ(reply.replicas[i].live, before.voters[i] == voters_[2]);
    EXPECT_TRUE(reply.replicas[i].reported && reply.replicas[i].known);
    EXPECT_GT(reply.replicas[i].last.lsn, 10);
  }
  cluster_.scheduler().RunFor(20s);
  EXPECT_EQ(Tablet(), before);
  EXPECT_EQ(Voter(2).replicas().at(before.tabletId).promised, promised);
}

TEST_F(MasterRecoverTest, WhatTheLostHadMoreIsSaid) {
  Voter(2).mute = true;
  cluster_.scheduler().RunFor(1'500ms);
  Lose({0, 1});
  Voter(2).mute = false;
  cluster_.ledger().LossAccepted(Tablet().tabletId);
  const auto reply = Recover("");
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_THAT(reply.loss, HasSubstr(voters_[0] + " last reported "));
  EXPECT_THAT(reply.loss, HasSubstr(" entries more"));
  WaitServing();
}

TEST_F(MasterRecoverTest, AnIncompleteReplicaIsNotGivenTheTablet) {
  Lose({0, 1});
  Voter(2).mutable_replicas().begin()->second.incomplete = true;
  cluster_.scheduler().RunFor(2s);
  auto reply = Recover(voters_[2]);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("is incomplete"));
  reply = Recover("");
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("no live replica is complete: start one of "));
  EXPECT_THAT(reply.header.message, HasSubstr("the table can only be dropped"));
}

// It would serve the child's range, whose records no live server has.
TEST_F(MasterRecoverTest, AReplicaThatLacksASplitIsNotGivenTheTablet) {
  const size_t follower = voters_[2] == Tablet().primary ? 1 : 2;
  Voter(follower).mute = true;
  cluster_.scheduler().RunFor(200ms);
  const int64_t child = SplitAt("m");
  std::vector<size_t> others{0, 1, 2};
  std::erase(others, follower);
  Lose(others);
  const idl::TabletInfo before = Tablet();
  for (const std::string& server : {voters_[follower], std::string()}) {
    const auto reply = Recover(server);
    EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED) << reply.header.message;
    EXPECT_THAT(reply.header.message, HasSubstr("tablet " + std::to_string(child) + " was split off"));
    EXPECT_THAT(reply.header.message, HasSubstr("at \"m\""));
  }
  EXPECT_EQ(Tablet(), before);
  // A voter that has the split returns, so both halves can be recovered from it.
  Voter(others[0]).Start();
  Voter(follower).Stop();
  cluster_.scheduler().RunFor(10s);
  cluster_.ledger().LossAccepted(before.tabletId);
  cluster_.ledger().LossAccepted(child);
  for (const int64_t tablet : {before.tabletId, child}) {
    const auto reply = RecoverOf(tablet, "");
    EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    EXPECT_EQ(reply.chosen, voters_[others[0]]);
  }
  WaitServing();
}

TEST_F(MasterRecoverTest, ServersThatCannotBeAreNamed) {
  Lose({0, 1});
  EXPECT_EQ(Recover("nobody").header.code, idl::Code::INVALID_ARGUMENT);
  const auto reply = Recover(voters_[0]);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("is not live"));
  idl::RecoverTabletRequest request;
  request.tabletId = 4'711;
  request.acceptDataLoss = true;
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::recoverTablet, request)->header.code, idl::Code::NOT_FOUND);
}

TEST_F(MasterRecoverTest, AReplicaThatPromisedMoreIsFencedHigher) {
  Lose({0, 1});
  Voter(2).mutable_replicas().begin()->second.promised = 12;
  const auto reply = Recover(voters_[2]);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_GT(Tablet().epoch, 12);
  WaitServing();
}

// The reports are a second old: what the fence finds decides.
TEST_F(MasterRecoverTest, TheLongestLogIsThatOfTheFencesAnswers) {
  MasterRig cluster({.servers = 5, .replicas_default = 5});
  ASSERT_TRUE(cluster.WaitForLeader() && cluster.WaitForServers());
  cluster.scheduler().RunFor(2s);
  ASSERT_EQ(cluster.Create("carts").header.code, idl::Code::OK);
  cluster.scheduler().RunFor(3s);
  const int64_t id = cluster.Tablets().begin()->first;
  for (const size_t lost : {0, 1, 2}) cluster.server(lost).Stop();
  cluster.scheduler().RunFor(10s);
  const auto log = [&](size_t server) -> idl::LogPosition& {
    return cluster.server(server).mutable_replicas().at(id).last;
  };
  log(3).lsn += 50;
  cluster.scheduler().RunFor(2s);
  for (const size_t survivor : {3, 4}) cluster.server(survivor).silent = true;
  log(4).lsn += 100;
  idl::RecoverTabletRequest request;
  request.tabletId = id;
  request.acceptDataLoss = true;
  const auto reply = cluster.Call(&idl::MasterServiceCobSvIf::recoverTablet, request).value();
  // The survivors send no reports meanwhile, so the master cannot learn that it is primary; the catalog shows it.
  EXPECT_EQ(cluster.Tablets().at(id).primary, "ts-5") << reply.header.message;
  EXPECT_EQ(cluster.Tablets().at(id).voters, std::vector<std::string>{"ts-5"});
  EXPECT_THAT(cluster.ledger().violations(), ::testing::IsEmpty());
}

TEST_F(MasterRecoverTest, ASecondOneThatNamesAnotherIsRefusedWhileTheFirstRuns) {
  Lose({0, 1});
  Voter(2).deaf = true;  // the first never ends
  idl::RecoverTabletRequest first;
  first.tabletId = Tablet().tabletId;
  first.acceptDataLoss = true;
  TestMaster& leader = cluster_.master(*cluster_.Leader());
  leader.executor->Post(
      [service = leader.master->service(), first] { service->recoverTablet([](const auto&) {}, first); });
  cluster_.scheduler().RunFor(500ms);
  const auto reply = Recover(voters_[2]);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("being recovered already, from the longest log"));
  Voter(2).deaf = false;
  EXPECT_EQ(Recover("").header.code, idl::Code::OK);
  WaitServing();
}

TEST_F(MasterRecoverTest, AskedTwiceItIsDoneOnce) {
  Lose({0, 1});
  ASSERT_EQ(Recover(voters_[2]).header.code, idl::Code::OK);
  const idl::TabletInfo once = Tablet();
  ASSERT_EQ(once.voters.size(), 1u);
  EXPECT_EQ(Recover(voters_[2]).header.code, idl::Code::OK);
  EXPECT_EQ(Tablet().primary, once.primary);
  WaitServing();
}

TEST_F(MasterRecoverTest, ATabletThatDoesNotExistIsAnErrorAlsoWhereNothingIsToBeChanged) {
  for (const bool accept : {false, true}) {
    idl::RecoverTabletRequest request;
    request.tabletId = 9'999;
    request.acceptDataLoss = accept;
    const auto reply = cluster_.Call(&idl::MasterServiceCobSvIf::recoverTablet, request);
    EXPECT_EQ(reply->header.code, idl::Code::NOT_FOUND);
    EXPECT_THAT(reply->header.message, HasSubstr("no tablet 9999"));
  }
}

}  // namespace
}  // namespace ebla::master::testing
