// Merges that the catalog has and some replicas lack: failovers before any replica knows of the merge, late local
// merges, copies to servers that cannot merge, and a catalog that has lost the merge.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/planted_bug.h"
#include "master/testing/merge_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

// No replica has merged them when the new tablet's primary dies. A voter that lacks the tablet counts as one whose log
// ends where both are applied.
TEST_F(MasterMergeTest, AFailoverBeforeAnybodyKnowsIt) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_local_merges = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 10s));
  const idl::TabletInfo merged = Tablet("");
  FakeServer& primary = ServerOf(merged.primary);
  primary.Stop();
  ASSERT_TRUE(cluster().RunUntil([&] { return Tablet("").epoch > merged.epoch; }, 60s));
  EXPECT_NE(Tablet("").primary, merged.primary);
  EachServer([](FakeServer& server) { server.hold_local_merges = false; });
  ASSERT_TRUE(
      cluster().RunUntil([&] { return ServerOf(Tablet("").primary).Leads(merged.tabletId, Tablet("").epoch); }, 60s));
  EXPECT_EQ(ServerOf(Tablet("").primary).received_tablet_times[merged.tabletId], 1'700'000'000'000 + right_.tabletId)
      << "the later freeze's";
  primary.Start();
  WaitServing();
  EXPECT_FALSE(MergeUnfinished());
}

// PROTOCOL 21: nor does any voter know its time, nor the master that takes over what the freezes' answers said.
TEST_F(MasterMergeTest, AnotherMasterKnowsWhenTheTwoWereFrozen) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_local_merges = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 10s));
  const idl::TabletInfo merged = Tablet("");
  EXPECT_EQ(Node(merged.tabletId)->merged.tabletTimeMs, 1'700'000'000'000 + right_.tabletId) << "the later one";
  cluster().KillMaster(*cluster().Leader());
  FakeServer& primary = ServerOf(merged.primary);
  primary.Stop();
  ASSERT_TRUE(cluster().RunUntil([&] { return Tablet("").epoch > merged.epoch; }, 60s));
  EachServer([](FakeServer& server) { server.hold_local_merges = false; });
  ASSERT_TRUE(
      cluster().RunUntil([&] { return ServerOf(Tablet("").primary).Leads(merged.tabletId, Tablet("").epoch); }, 60s));
  EXPECT_EQ(ServerOf(Tablet("").primary).received_tablet_times[merged.tabletId], 1'700'000'000'000 + right_.tabletId);
  primary.Start();
  WaitServing();
  EXPECT_FALSE(MergeUnfinished());
}

// PROTOCOL 21: who has merged them and knows no time has restarted since. With a majority of such, the time in which
// all were down counts.
TEST_F(MasterMergeTest, TimeGoesOnWhileAllThatHaveMergedThemAreDown) {
  Begin();
  FakeServer& late = OtherThan({left_.primary});
  late.hold_local_merges = true;
  ASSERT_EQ(Merge().header.code, idl::Code::OK) << "a majority has it";
  const idl::TabletInfo merged = Tablet("");
  const auto led = [&] { return ServerOf(Tablet("").primary).Leads(merged.tabletId, Tablet("").epoch); };
  ASSERT_TRUE(cluster().RunUntil(led, 10s));
  EachServer([](FakeServer& server) { server.Stop(); });
  cluster().scheduler().RunFor(3600s);
  EachServer([&](FakeServer& server) {
    if (&server != &late) server.Start();
  });
  ASSERT_TRUE(cluster().RunUntil([&] { return Tablet("").epoch > merged.epoch && led(); }, 60s));
  ASSERT_TRUE(MergeUnfinished());
  FakeServer& primary = ServerOf(Tablet("").primary);
  EXPECT_EQ(primary.received_tablet_times[merged.tabletId], 0);
  EXPECT_GE(primary.received_times_of_day[merged.tabletId], Node(merged.tabletId)->merged.tabletTimeMs);
}

// The majority is lost for good before any replica has merged them, so an operator gives the tablet to the one that is
// left.
TEST_F(MasterMergeTest, ItIsRecoveredByHandBeforeAnybodyKnowsIt) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_local_merges = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 10s));
  const idl::TabletInfo merged = Tablet("");
  FakeServer& left = OtherThan({merged.primary});
  EachServer([&](FakeServer& server) {
    if (&server != &left) server.Stop();
  });
  left.mutable_replicas().at(left_.tabletId).lost = true;
  cluster().scheduler().RunFor(15s);
  cluster().ledger().LossAccepted(merged.tabletId);
  idl::RecoverTabletRequest request;
  request.tabletId = merged.tabletId;
  const auto survey = cluster().Call<idl::RecoverTabletReply>(&idl::MasterServiceCobSvIf::recoverTablet, request);
  ASSERT_TRUE(survey.has_value());
  EXPECT_EQ(survey->chosen, left.name()) << survey->refusal;
  EXPECT_THAT(survey->loss, HasSubstr("the disk of " + left.name() + " lost a part of its log"));
  left.hold_local_merges = false;
  request.acceptDataLoss = true;
  const auto reply = cluster().Call<idl::RecoverTabletReply>(&idl::MasterServiceCobSvIf::recoverTablet, request, 60s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
  EXPECT_EQ(reply->chosen, left.name());
  EachServer([](FakeServer& server) {
    server.hold_local_merges = false;
    if (!server.running()) server.Start();
  });
  WaitServing();
}

// While one that lives has yet to merge them nothing else is changed, and what it has is no orphan.
TEST_F(MasterMergeTest, WhoLagsIsWaitedFor) {
  Begin();
  FakeServer& late = OtherThan({left_.primary});
  late.hold_local_merges = true;
  ASSERT_EQ(Merge().header.code, idl::Code::OK) << "a majority has it";
  cluster().scheduler().RunFor(20s);
  ASSERT_TRUE(MergeUnfinished());
  EXPECT_TRUE(late.replicas().contains(left_.tabletId) && late.replicas().contains(right_.tabletId));
  EXPECT_EQ(Transfer("", late.name(), 500).header.code, idl::Code::UNAVAILABLE);
  late.hold_local_merges = false;
  WaitServing();
  ASSERT_TRUE(cluster().RunUntil([&] { return !MergeUnfinished(); }, 10s));
}

// Without the one that lags, only the primary has it for certain. The merge is not closed on that.
TEST_F(MasterMergeTest, AVoterWhoseLogIsLostIsNoPartOfTheMajorityThatHasIt) {
  Begin();
  FakeServer& late = OtherThan({left_.primary});
  FakeServer& lost = OtherThan({left_.primary, late.name()});
  late.hold_local_merges = true;
  ASSERT_EQ(Merge().header.code, idl::Code::OK);
  lost.mutable_replicas().at(Tablet("").tabletId).lost = true;
  cluster().scheduler().RunFor(60s);
  EXPECT_TRUE(MergeUnfinished());
  late.hold_local_merges = false;
  WaitServing();
  EXPECT_TRUE(cluster().RunUntil([&] { return !MergeUnfinished(); }, 10s));
}

// The table has one replica. The disk of its server has forgotten the merge, and still has the two that were merged.
TEST_F(MasterMergeTest, WhatALostLogHasLeftOfThemIsNotDropped) {
  Begin(1);
  ASSERT_EQ(Merge("m", 60'000).header.code, idl::Code::OK);
  WaitServing();
  const int64_t merged = Tablet("").tabletId;
  FakeServer& holder = ServerOf(Tablet("").primary);
  const FakeServer::Replica whole = holder.replicas().at(merged);
  holder.Stop();
  auto& replicas = holder.mutable_replicas();
  replicas.erase(merged);
  for (const idl::TabletInfo& part : {left_, right_}) {
    replicas[part.tabletId] = whole;
    replicas[part.tabletId].range = part.range;
    replicas[part.tabletId].merged.reset();
    replicas[part.tabletId].lost = true;
  }
  holder.Start();
  cluster().scheduler().RunFor(60s);
  EXPECT_TRUE(holder.replicas().contains(left_.tabletId) && holder.replicas().contains(right_.tabletId));
  holder.Stop();
  replicas[merged] = whole;
  holder.Start();
  WaitServing();
  EXPECT_TRUE(cluster().RunUntil([&] { return holder.replicas().size() == 1; }, 60s)) << "now they are orphans";
}

TEST_F(MasterMergeTest, AsOrphansTheyWouldBeLostToWhoLags) {
  Begin();
  PlantHere(PlantedBug::parents_are_orphans);
  OtherThan({left_.primary}).hold_local_merges = true;
  ASSERT_EQ(Merge().header.code, idl::Code::OK);
  cluster().scheduler().RunFor(20s);
  EXPECT_THAT(cluster().ledger().violations(), ::testing::Contains(HasSubstr("which it has yet to merge")));
}

// Away while they were merged, it is copied to.
TEST_F(MasterMergeTest, WhoComesBackAfterItIsClosedIsCopiedTo) {
  Begin();
  FakeServer& away = OtherThan({left_.primary});
  away.hold_local_merges = true;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 10s));
  away.Stop();
  away.hold_local_merges = false;
  ASSERT_TRUE(cluster().RunUntil([&] { return !MergeUnfinished(); }, 60s)) << "nobody that lives needs it";
  ASSERT_TRUE(away.replicas().contains(left_.tabletId));
  away.Start();
  WaitServing();
  EXPECT_FALSE(away.replicas().contains(left_.tabletId));
}

// Its store has lost one of them since it was frozen: it is not waited for, and copied to.
TEST_F(MasterMergeTest, WhoHasLostOneOfThemIsCopiedTo) {
  Begin();
  FakeServer& broken = OtherThan({left_.primary});
  broken.hold_local_merges = true;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 10s));
  broken.mutable_replicas().at(right_.tabletId).failed = true;
  broken.hold_local_merges = false;
  WaitServing();
  EXPECT_FALSE(MergeUnfinished());
}

// The catalog, restored from before the merge, has two tablets that no server has, and lacks the merged one.
TEST_F(MasterMergeTest, ACatalogThatHasForgottenTheMergeAdoptsIt) {
  Begin();
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_EQ(Merge().header.code, idl::Code::OK);
  WaitServing();
  const idl::TabletInfo merged = Tablet("");
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(15s);
  ASSERT_TRUE(cluster().WaitForLeader());
  idl::AdoptRequest request;
  request.confirm = true;
  const auto reply = cluster().Call<idl::AdoptReply>(&idl::MasterServiceCobSvIf::adopt, request, 60s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
  WaitServing();
  EXPECT_EQ(Tablet("").tabletId, merged.tabletId);
  EXPECT_TRUE(Merged());
}

}  // namespace
}  // namespace ebla::master::testing
