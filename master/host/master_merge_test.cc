// Merges by the master (PROTOCOL 14): the intents, the two freezes, one znode in the place of two; what is refused,
// what moves them to the same servers first, and a table that is dropped meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/lineage.h"
#include "master/testing/merge_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

TEST_F(MasterMergeTest, OneZnodeInThePlaceOfTwo) {
  Begin();
  const idl::MergeTabletsReply reply = Merge();
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_GT(reply.tablet.tabletId, std::max(left_.tabletId, right_.tabletId));
  EXPECT_TRUE(SameLineage(TabletId{static_cast<uint64_t>(reply.tablet.tabletId)},
                          TabletId{static_cast<uint64_t>(left_.tabletId)}));
  EXPECT_EQ(reply.tablet.range, idl::KeyRange());
  EXPECT_EQ(reply.tablet.epoch, std::max(left_.epoch, right_.epoch) + 1);
  EXPECT_EQ(reply.tablet.primary, left_.primary);
  EXPECT_EQ(reply.tablet.voters, left_.voters);
  WaitServing();
  EXPECT_TRUE(Merged());
  EXPECT_EQ(Tablet("").epoch, reply.tablet.epoch) << "nobody fenced it for want of a report";
  ASSERT_TRUE(cluster().RunUntil([&] { return !MergeUnfinished(); }, 10s));
  EXPECT_FALSE(IntentsOpen());
  // It behaves like any other tablet: transferred, split, merged again.
  ASSERT_EQ(cluster().Split("carts", "f").header.code, idl::Code::OK);
  WaitServing();
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  const idl::MergeTabletsReply again = Merge("f");
  ASSERT_EQ(again.header.code, idl::Code::OK) << again.header.message;
  EXPECT_GT(again.tablet.tabletId, reply.tablet.tabletId);
  WaitServing();
  EXPECT_TRUE(Merged());
}

TEST_F(MasterMergeTest, WhatCannotBeIsRefused) {
  Begin();
  const idl::MergeTabletsReply within = Merge("n");
  EXPECT_EQ(within.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(within.header.message, HasSubstr("begins at \"m\""));
  const idl::MergeTabletsReply first = Merge("");
  EXPECT_EQ(first.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(first.header.message, HasSubstr("none before it"));
  EXPECT_EQ(RigFixture::Merge("m", 0, "nowhere").header.code, idl::Code::NO_SUCH_TABLE);
}

// A table that is still being made would have its tablets made again.
TEST_F(MasterMergeTest, NothingIsMergedBeforeItsTableIsMade) {
  RigFixture::Begin({});
  for (const int64_t tablet : {2, 3, 4}) cluster().server(0).refuse_configure[tablet] = idl::Code::UNAVAILABLE;
  idl::CreateTableRequest create;
  create.name = "carts";
  create.splitPoints = {"m", "t"};
  create.options = WithReplicas(1);
  create.deadlineMs = 3'000;
  const auto creating = cluster().Call<idl::CreateTableReply>(&idl::MasterServiceCobSvIf::createTable, create);
  ASSERT_TRUE(creating.has_value());
  EXPECT_THAT(creating->header.message, HasSubstr("table carts is being created, and the creation continues: "));
  ASSERT_EQ(cluster().TableNode("carts")->state, idl::TableState::CREATING);
  for (const char* key : {"m", "t"}) EXPECT_NE(Merge(key, 3'000).header.code, idl::Code::OK);
  EXPECT_EQ(cluster().Tablets().size(), 3u);
  EXPECT_EQ(Freezes(), 0u);
  cluster().server(0).refuse_configure.clear();
  WaitServing();
}

// All voters must live and be level before anything is frozen: a freeze would wait for them in vain.
TEST_F(MasterMergeTest, NothingIsBegunWhileAVoterIsAway) {
  Begin();
  FakeServer& away = OtherThan({left_.primary, right_.primary});
  away.Stop();
  ASSERT_TRUE(cluster().WaitForServers());
  const idl::MergeTabletsReply reply = Merge("m", 4'000);
  EXPECT_EQ(reply.header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(reply.header.message, HasSubstr(away.name()));
  EXPECT_FALSE(IntentsOpen());
  EXPECT_EQ(Freezes(), 0u);
  away.Start();
  WaitServing();
  EXPECT_EQ(Merge().header.code, idl::Code::OK);
}

// The smaller one's replicas come to where the larger one lies, one at a time, before anything is frozen.
TEST_F(MasterMergeTest, ThoseOnOtherServersAreBroughtTogetherFirst) {
  Begin(2, 4);
  std::vector<std::string> apart;
  for (const auto& server : cluster().servers()) {
    if (std::ranges::count(left_.voters, server->name()) == 0) apart.push_back(server->name());
  }
  // The right one on exactly the two that have nothing of the left one.
  for (size_t i = 0; i < right_.voters.size(); ++i) {
    if (std::ranges::count(apart, right_.voters[i]) > 0) continue;
    idl::MoveTabletRequest move;
    move.table = "carts";
    move.key = "m";
    move.fromServer = right_.voters[i];
    for (const std::string& to : apart) {
      const std::vector<std::string> now = Tablet("m").voters;
      if (std::ranges::count(now, to) == 0) move.toServer = to;
    }
    move.deadlineMs = 60'000;
    ASSERT_EQ(cluster().Call<idl::MoveTabletReply>(&idl::MasterServiceCobSvIf::moveTablet, move, 90s)->header.code,
              idl::Code::OK);
    WaitServing();
  }
  left_ = Tablet("");
  right_ = Tablet("m");
  EachServer([&](FakeServer& server) {
    server.measure = [&](idl::TabletLoad& load, const FakeServer::Replica&) {
      load.sizeBytes = load.tabletId == left_.tabletId ? 5'000 : 1'000;
    };
  });
  cluster().scheduler().RunFor(3s);
  const idl::MergeTabletsReply soon = Merge("m", 1'000);
  EXPECT_EQ(soon.header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_THAT(soon.header.message, HasSubstr("is moved to"));
  EXPECT_EQ(Freezes(), 0u);
  const idl::MergeTabletsReply reply = Merge("m", 110'000);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  std::vector<std::string> before = left_.voters, after = reply.tablet.voters;
  std::ranges::sort(before);
  std::ranges::sort(after);
  EXPECT_EQ(after, before) << "the smaller one came to the larger";
  WaitServing();
}

TEST_F(MasterMergeTest, TheTableIsDroppedMeanwhile) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(left_); }, 10s));
  const int64_t table = left_.tableId;
  ASSERT_EQ(cluster().Drop("carts").header.code, idl::Code::OK);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().Remains(table).empty(); }, 60s)) << cluster().Remains(table);
}

TEST_F(MasterMergeTest, TheTableIsDroppedBeforeAllHaveMergedThem) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_local_merges = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 10s));
  const int64_t table = left_.tableId;
  ASSERT_EQ(cluster().Drop("carts").header.code, idl::Code::OK);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().Remains(table).empty(); }, 60s)) << cluster().Remains(table);
}

}  // namespace
}  // namespace ebla::master::testing
