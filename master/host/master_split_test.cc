// Splits by the master (PROTOCOL 9, 12): the intent, the order, the two znodes in one change, whoever dies meanwhile;
// what is refused, what is given up, what an open intent keeps off.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/lineage.h"
#include "common/base/planted_bug.h"
#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {
namespace {

class MasterSplitTest : public RigFixture {
 protected:
  void Begin(idl::TableOptions options = {}, size_t servers = 3) {
    ASSERT_NO_FATAL_FAILURE(RigFixture::Begin({.servers = servers}));
    if (!options.__isset.replicas) options.__set_replicas(3);
    ASSERT_EQ(cluster_->Create("carts", {}, options).header.code, idl::Code::OK);
    WaitServing();
  }
  void WaitServing() {
    RigFixture::WaitServing();
    cluster().scheduler().RunFor(2s);  // and everybody has reported
  }
  idl::SplitTabletReply Split(const std::string& key, int32_t deadline_ms = 0) {
    return cluster().Split("carts", key, deadline_ms);
  }
};

TEST_F(MasterSplitTest, TwoZnodesInOneChange) {
  Begin();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  const idl::SplitTabletReply reply = Split("m");
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.tablet.tabletId, before.tabletId);
  EXPECT_EQ(reply.tablet.range.endKey, "m");
  EXPECT_EQ(reply.child.range.startKey, "m");
  EXPECT_EQ(reply.child.primary, before.primary);
  EXPECT_EQ(reply.child.epoch, before.epoch);
  EXPECT_EQ(reply.child.voters, before.voters);
  EXPECT_EQ(static_cast<uint64_t>(reply.child.tabletId) % kLineages,
            static_cast<uint64_t>(before.tabletId) % kLineages);
  WaitServing();
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  EXPECT_EQ(cluster().Tablets().at(reply.child.tabletId).epoch, before.epoch)
      << "nobody fenced it for want of a report";
  EXPECT_EQ(Node(reply.child.tabletId)->parentId, before.tabletId);
  EXPECT_FALSE(Node(before.tabletId)->__isset.split);
  // Again, within either half.
  EXPECT_EQ(Split("f").header.code, idl::Code::OK);
  EXPECT_EQ(Split("t").header.code, idl::Code::OK);
  WaitServing();
  EXPECT_EQ(cluster().Tablets().size(), 4u);
}

TEST_F(MasterSplitTest, WhatCannotBeIsRefused) {
  idl::TableOptions options;
  idl::KeyGroup group;
  group.__set_delimiter("/");
  options.__set_keyGroup(group);
  Begin(options);
  ASSERT_EQ(Split("m/").header.code, idl::Code::OK);
  ASSERT_EQ(cluster().Create("parts", {"m"}).header.code, idl::Code::OK);
  const idl::SplitTabletReply there = cluster().Split("parts", "m");
  EXPECT_EQ(there.header.code, idl::Code::INVALID_ARGUMENT) << "begins there, and never was split";
  EXPECT_THAT(there.header.message, ::testing::HasSubstr("begins at"));
  const idl::SplitTabletReply cut = Split("n/x");
  EXPECT_EQ(cut.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(cut.header.message, ::testing::HasSubstr("group"));
  EXPECT_EQ(Split(std::string(300, 'x')).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(cluster().Split("nowhere", "m").header.code, idl::Code::NO_SUCH_TABLE);
}

// The primary refuses for good. A later epoch's Barrier shows that the SPLIT never took effect, and the intent is
// removed.
TEST_F(MasterSplitTest, ARefusedSplitIsSettledInALaterEpoch) {
  Begin();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  ServerOf(before.primary).refuse_split = idl::Code::INVALID_ARGUMENT;
  const idl::SplitTabletReply reply = Split("m");
  EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT) << reply.header.message;
  WaitServing();
  EXPECT_EQ(cluster().Tablets().size(), 1u);
  EXPECT_GT(cluster().Tablets().begin()->second.epoch, before.epoch);
  EXPECT_FALSE(Node(before.tabletId)->__isset.split);
  ServerOf(before.primary).refuse_split.reset();
  EXPECT_EQ(Split("m").header.code, idl::Code::OK);
}

TEST_F(MasterSplitTest, AReportCompletesItWhereTheAnswerIsLost) {
  Begin();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  ServerOf(before.primary).lose_split_answers = true;
  const idl::SplitTabletReply reply = Split("m", 2'500);
  EXPECT_EQ(reply.header.code, idl::Code::OK) << "long before the order is given up: " << reply.header.message;
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  WaitServing();
}

// The split was done, but its caller does not know, because its master died.
TEST_F(MasterSplitTest, AskedAgainItAnswersWithWhatWasDone) {
  Begin();
  const idl::SplitTabletReply split = Split("m");
  ASSERT_EQ(split.header.code, idl::Code::OK) << split.header.message;
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().WaitForLeader() && cluster().WaitForServers());
  for (const char* other : {"f", "t"}) {  // whatever has become of either half since
    const idl::SplitTabletReply again = Split("m");
    ASSERT_EQ(again.header.code, idl::Code::OK) << again.header.message;
    EXPECT_EQ(again.tablet.tabletId, split.tablet.tabletId);
    EXPECT_EQ(again.child.tabletId, split.child.tabletId);
    WaitServing();
    ASSERT_EQ(Split(other).header.code, idl::Code::OK);
  }
  EXPECT_EQ(cluster().Tablets().size(), 4u);
}

// Its followers have logged SPLIT and not applied it; the next primary's Barrier applies it. The catalog is completed
// as in SPLIT, not with the parent's primary by then, and only after that is the child failed over.
class MasterSplitFailoverTest : public MasterSplitTest {
 protected:
  ~MasterSplitFailoverTest() override { Plant(PlantedBug::none); }

  // Its primary has split the tablet, reports it to no server, and dies.
  void SplitAndDie() {
    Begin();
    before_ = cluster().Tablets().begin()->second;
    primary_ = &ServerOf(before_.primary);
    primary_->lose_split_answers = primary_->silent = true;
    for (auto& server : cluster().servers()) server->hold_splits = true;
    idl::SplitTabletRequest request;
    request.table = "carts";
    request.key = "m";
    TestMaster& leader = cluster().master(cluster().Leader().value());
    leader.executor->Post([service = leader.master->service(), request] {
      service->splitTablet([](const idl::SplitTabletReply&) {}, request);
    });
    ASSERT_TRUE(cluster().RunUntil([&] { return primary_->replicas().size() == 2; }, 10s));
    primary_->Stop();
    ASSERT_TRUE(cluster().RunUntil([&] { return cluster().Tablets().size() == 2; }, 60s));
    const idl::TabletInfo parent = cluster().Tablets().at(before_.tabletId);
    EXPECT_GT(parent.epoch, before_.epoch) << "the parent was failed over first";
    EXPECT_NE(parent.primary, before_.primary);
    child_ = cluster().Tablets().rbegin()->second;
  }

  idl::TabletInfo before_, child_;
  FakeServer* primary_ = nullptr;
};

TEST_F(MasterSplitFailoverTest, ThePrimaryDiesWithItsAnswer) {
  SplitAndDie();
  EXPECT_EQ(child_.epoch, before_.epoch);
  EXPECT_EQ(child_.primary, before_.primary);
  EXPECT_EQ(child_.voters, before_.voters);
  for (auto& server : cluster().servers()) server->hold_splits = false;
  for (const auto& [id, info] : cluster().Tablets()) {
    ASSERT_TRUE(
        cluster().RunUntil([&, id = id] { return cluster().Tablets().at(id).primary != before_.primary; }, 60s));
  }
  primary_->lose_split_answers = primary_->silent = false;
  primary_->Start();
  WaitServing();
}

TEST_F(MasterSplitFailoverTest, WithoutTheRuleTheParentsNextPrimaryLeadsTheChildUnpromised) {
  Plant(PlantedBug::split_completed_as_now);
  SplitAndDie();
  EXPECT_GT(child_.epoch, before_.epoch);
  EXPECT_NE(child_.primary, before_.primary);
}

// PROTOCOL 12: an open intent excludes everything but a failover.
TEST_F(MasterSplitTest, AnOpenIntentKeepsOtherChangesOff) {
  Begin();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  ServerOf(before.primary).refuse_split = idl::Code::COME_AGAIN;
  (void)Split("m", 300);
  ASSERT_TRUE(Node(before.tabletId)->__isset.split);
  idl::TransferTabletRequest transfer;
  transfer.table = "carts";
  transfer.key = "a";
  transfer.toServer = before.voters[0] == before.primary ? before.voters[1] : before.voters[0];
  transfer.deadlineMs = 500;
  EXPECT_EQ(cluster().Call<idl::TransferTabletReply>(&idl::MasterServiceCobSvIf::transferTablet, transfer)->header.code,
            idl::Code::UNAVAILABLE);
  EXPECT_EQ(Split("f", 300).header.code, idl::Code::UNAVAILABLE) << "one at a time";
  EXPECT_EQ(cluster().Tablets().begin()->second.primary, before.primary);
  ServerOf(before.primary).refuse_split.reset();
  WaitServing();
}

// Its primary applies nothing more, so no Barrier of its ever tells; nor may it transfer.
TEST_F(MasterSplitTest, AnIntentWhosePrimaryIsDamagedEndsWithAFailover) {
  Begin();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  FakeServer& damaged = ServerOf(before.primary);
  damaged.refuse_split = idl::Code::COME_AGAIN;
  (void)Split("m", 300);
  ASSERT_TRUE(Node(before.tabletId)->__isset.split);
  damaged.mutable_replicas().at(before.tabletId).damaged = true;
  damaged.measure = [](idl::TabletLoad& load, const FakeServer::Replica& replica) {
    if (replica.damaged) load.barrierApplied = false;
  };
  EXPECT_TRUE(cluster().RunUntil([&] { return !Node(before.tabletId)->__isset.split; }, 120s));
  EXPECT_NE(cluster().Tablets().begin()->second.primary, before.primary);
  WaitServing();
}

// PROTOCOL 9: an order to drop a replica of the parent names the children.
TEST_F(MasterSplitTest, DropsNameWhatWasSplitOff) {
  Begin({}, 4);
  const idl::SplitTabletReply split = Split("m");
  ASSERT_EQ(split.header.code, idl::Code::OK) << split.header.message;
  idl::TableOptions fewer;
  fewer.__set_replicas(2);
  ASSERT_EQ(cluster().Alter("carts", fewer).header.code, idl::Code::OK);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().WhyNotServing("carts").empty(); }, 120s))
      << cluster().WhyNotServing("carts");
  size_t told = 0;
  for (const auto& server : cluster().servers()) {
    const auto dropped = server->drop_splits.find(split.tablet.tabletId);
    if (dropped == server->drop_splits.end()) continue;
    EXPECT_THAT(dropped->second, ::testing::ElementsAre(split.child.tabletId));
    ++told;
  }
  EXPECT_GT(told, 0u);
}

// PROTOCOL 6: in the first epoch a voter that never had the replica was complete and empty, until its tablet was split:
// what the log has of the child's half is in the child by now.
TEST_F(MasterSplitTest, AVoterThatNeverHadTheParentIsNotToldThatItWasCreatedEmpty) {
  Begin();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  const std::string away = before.voters[0] == before.primary ? before.voters[1] : before.voters[0];
  ServerOf(away).Stop();
  ServerOf(away).mutable_replicas().clear();  // as if it had been away when the table was made
  ASSERT_EQ(before.epoch, 1);
  const idl::SplitTabletReply split = Split("m");
  ASSERT_EQ(split.header.code, idl::Code::OK) << split.header.message;
  ServerOf(away).Start();
  for (const int64_t tablet : {split.tablet.tabletId, split.child.tabletId}) {
    const auto& replicas = ServerOf(away).replicas();
    ASSERT_TRUE(cluster().RunUntil([&] { return replicas.contains(tablet); }, 60s));
    EXPECT_TRUE(replicas.at(tablet).incomplete) << "tablet " << tablet << " is to be copied";
  }
  WaitServing();
}

}  // namespace
}  // namespace ebla::master::testing
