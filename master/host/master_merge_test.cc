// Merges by the master (PROTOCOL 14): the intents, the two freezes, one znode in the place of two; whoever dies
// meanwhile, what is refused, what is given up and thawed, who merges them late, what moves them to the same servers
// first.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/lineage.h"
#include "common/base/planted_bug.h"
#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MasterMergeTest : public ::testing::Test {
 protected:
  // A table of two tablets, [, m) and [m, ).
  void Begin(int replicas = 3, size_t servers = 3) {
    cluster_ = std::make_unique<MasterRig>(MasterRig::Shape{.servers = servers});
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
    cluster_->scheduler().RunFor(2s);
    idl::TableOptions options;
    options.__set_replicas(replicas);
    ASSERT_EQ(cluster_->Create("carts", {"m"}, options).header.code, idl::Code::OK);
    WaitServing();
    left_ = Tablet("");
    right_ = Tablet("m");
  }
  void TearDown() override {
    Plant(PlantedBug::none);
    if (!planted_) {
      EXPECT_THAT(cluster_->ledger().violations(), IsEmpty());
    }
  }
  // What follows is to be caught.
  void PlantHere(PlantedBug bug) {
    planted_ = true;
    Plant(bug);
  }

  MasterRig& cluster() { return *cluster_; }
  void WaitServing() {
    ASSERT_TRUE(cluster().RunUntil([&] { return cluster().WhyNotServing("carts").empty(); }, 120s))
        << cluster().WhyNotServing("carts");
    cluster().scheduler().RunFor(2s);  // and everybody has reported
  }
  static idl::MergeTabletsRequest Request(const std::string& key, int32_t deadline_ms = 0) {
    idl::MergeTabletsRequest request;
    request.table = "carts";
    request.key = key;
    request.deadlineMs = deadline_ms;
    return request;
  }
  idl::MergeTabletsReply Merge(const std::string& key = "m", int32_t deadline_ms = 0) {
    return cluster()
        .Call<idl::MergeTabletsReply>(&idl::MasterServiceCobSvIf::mergeTablets, Request(key, deadline_ms), 120s)
        .value_or(idl::MergeTabletsReply());
  }
  // Without waiting for the answer.
  void AskToMerge() {
    TestMaster& leader = cluster().master(cluster().Leader().value());
    leader.executor->Post([service = leader.master->service()] {
      service->mergeTablets([](const idl::MergeTabletsReply&) {}, Request("m"));
    });
  }
  void EachServer(const std::function<void(FakeServer&)>& act) {
    for (auto& server : cluster().servers()) act(*server);
  }
  FakeServer& ServerOf(const std::string& name) {
    for (auto& server : cluster().servers()) {
      if (server->name() == name) return *server;
    }
    ADD_FAILURE() << name;
    return cluster().server(0);
  }
  FakeServer& OtherThan(const std::vector<std::string>& names) {
    for (auto& server : cluster().servers()) {
      if (std::ranges::count(names, server->name()) == 0) return *server;
    }
    ADD_FAILURE() << "no other server";
    return cluster().server(0);
  }
  idl::TabletInfo Tablet(const std::string& start) {
    for (const auto& [id, info] : cluster().Tablets()) {
      if (info.range.startKey == start) return info;
    }
    ADD_FAILURE() << "no tablet begins at " << start;
    return {};
  }
  std::optional<idl::TabletNode> Node(int64_t tablet) {
    const auto node =
        cluster().coordination().tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(tablet)}));
    if (!node) return std::nullopt;
    return *coordination::DecodeNode<idl::TabletNode>(node->data);
  }
  bool Merged() { return cluster().Tablets().size() == 1; }
  bool IntentsOpen() {
    return std::ranges::any_of(cluster().Tablets(), [&](const auto& item) { return Node(item.first)->__isset.merge; });
  }
  bool MergeUnfinished() {
    return std::ranges::any_of(cluster().Tablets(), [&](const auto& item) { return Node(item.first)->__isset.merged; });
  }
  size_t Freezes() {
    size_t count = 0;
    EachServer([&](FakeServer& server) { count += server.freezes_ordered; });
    return count;
  }
  bool Frozen(const idl::TabletInfo& info) {
    const auto& replicas = ServerOf(info.primary).replicas();
    const auto found = replicas.find(info.tabletId);
    return found != replicas.end() && found->second.freeze.has_value();
  }
  // Both go on, in later epochs, and nothing of the merge is left.
  void ExpectGivenUp() {
    ASSERT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s));
    WaitServing();
    ASSERT_EQ(cluster().Tablets().size(), 2u);
    EXPECT_GT(Tablet("").epoch, left_.epoch);
    EXPECT_GT(Tablet("m").epoch, right_.epoch);
    EXPECT_FALSE(MergeUnfinished());
  }

  std::unique_ptr<MasterRig> cluster_;
  idl::TabletInfo left_, right_;
  bool planted_ = false;
};

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
  // It goes on as any other: transferred, split, merged again.
  idl::SplitTabletRequest split;
  split.table = "carts";
  split.key = "f";
  ASSERT_EQ(cluster().Call<idl::SplitTabletReply>(&idl::MasterServiceCobSvIf::splitTablet, split)->header.code,
            idl::Code::OK);
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
  idl::MergeTabletsRequest nowhere = Request("m");
  nowhere.table = "nowhere";
  EXPECT_EQ(cluster().Call<idl::MergeTabletsReply>(&idl::MasterServiceCobSvIf::mergeTablets, nowhere)->header.code,
            idl::Code::NO_SUCH_TABLE);
}

// A table that is still being made would have its tablets made again.
TEST_F(MasterMergeTest, NothingIsMergedBeforeItsTableIsMade) {
  cluster_ = std::make_unique<MasterRig>(MasterRig::Shape{});
  ASSERT_TRUE(cluster().WaitForLeader() && cluster().WaitForServers());
  cluster().scheduler().RunFor(2s);
  for (const int64_t tablet : {2, 3, 4}) cluster().server(0).refuse_configure[tablet] = idl::Code::UNAVAILABLE;
  idl::CreateTableRequest create;
  create.name = "carts";
  create.splitPoints = {"m", "t"};
  create.options.__set_replicas(1);
  create.deadlineMs = 3'000;
  (void)cluster().Call<idl::CreateTableReply>(&idl::MasterServiceCobSvIf::createTable, create);
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

// A voter that falls silent between the intents and the freeze: given up after two seconds, and thawed.
TEST_F(MasterMergeTest, WhatIsNotFrozenInTimeIsGivenUpAndThawed) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  const MonotonicTime began = cluster().scheduler().Now();
  const idl::MergeTabletsReply reply = Merge();
  EXPECT_EQ(reply.header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(reply.header.message, HasSubstr("not every voter has it"));
  EXPECT_GE(cluster().scheduler().Now() - began, 2s);
  EXPECT_LT(cluster().scheduler().Now() - began, 4s) << "both pause no longer";
  ExpectGivenUp();
  EachServer([](FakeServer& server) { server.hold_freezes = false; });
  EXPECT_EQ(Merge().header.code, idl::Code::OK);
  WaitServing();
  EXPECT_TRUE(Merged());
}

TEST_F(MasterMergeTest, WhatAPrimaryRefusesIsGivenUpAtOnce) {
  Begin();
  ServerOf(right_.primary).refuse_freeze = idl::Code::INVALID_ARGUMENT;
  const MonotonicTime began = cluster().scheduler().Now();
  const idl::MergeTabletsReply reply = Merge();
  EXPECT_EQ(reply.header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(reply.header.message, HasSubstr("told to refuse"));
  EXPECT_LT(cluster().scheduler().Now() - began, 2s);
  ExpectGivenUp();
}

TEST_F(MasterMergeTest, WithoutAnswersItIsGivenUp) {
  Begin();
  EachServer([](FakeServer& server) { server.lose_freeze_answers = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(left_) && Frozen(right_); }, 10s));
  ExpectGivenUp();
}

// The connection between master and primary is down, all others are well: nobody else would have it led again.
TEST_F(MasterMergeTest, WhoDoesNotReachTheMasterIsThawedToo) {
  Begin();
  FakeServer& primary = ServerOf(left_.primary);
  primary.lose_freeze_answers = true;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(left_); }, 10s));
  primary.silent = primary.deaf = true;
  const auto goes_on = [&] {
    const idl::TabletInfo now = Tablet("");
    return now.primary != left_.primary && ServerOf(now.primary).Leads(now.tabletId, now.epoch);
  };
  EXPECT_TRUE(cluster().RunUntil(goes_on, 20s)) << "it takes no write";
  EXPECT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 20s));
  primary.silent = primary.deaf = false;
  ExpectGivenUp();
}

// The switch's proof: intents that go before a later epoch leave both frozen for ever.
TEST_F(MasterMergeTest, WithoutAThawBothWouldStayFrozen) {
  Begin();
  PlantHere(PlantedBug::give_up_without_thaw);
  EachServer([](FakeServer& server) { server.lose_freeze_answers = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return IntentsOpen(); }, 10s));
  ASSERT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s));
  EXPECT_THAT(cluster().WhyNotServing("carts"), HasSubstr("frozen"));
}

TEST_F(MasterMergeTest, APrimaryDiesBeforeItIsToldToFreeze) {
  Begin();
  FakeServer& primary = ServerOf(right_.primary);
  primary.deaf = true;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return IntentsOpen(); }, 10s));
  primary.Stop();
  ASSERT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s));
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  primary.deaf = false;
  primary.Start();
  ExpectGivenUp();
}

TEST_F(MasterMergeTest, APrimaryDiesOnceItHasFrozen) {
  Begin();
  FakeServer& primary = ServerOf(right_.primary);
  primary.lose_freeze_answers = true;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(right_); }, 10s));
  primary.Stop();
  primary.lose_freeze_answers = false;
  ASSERT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s));
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  primary.Start();
  ExpectGivenUp();
}

// A side that was frozen and failed over since has acknowledged more: it is not replaced as it was. With both on one
// server the failover of the one would be that of the other.
class MasterMergeEpochTest : public MasterMergeTest {
 protected:
  void FailOverTheFrozenOne() {
    Begin();
    if (left_.primary == right_.primary) {
      idl::TransferTabletRequest transfer;
      transfer.table = "carts";
      transfer.key = "m";
      transfer.toServer = left_.voters[0] == left_.primary ? left_.voters[1] : left_.voters[0];
      ASSERT_EQ(
          cluster().Call<idl::TransferTabletReply>(&idl::MasterServiceCobSvIf::transferTablet, transfer)->header.code,
          idl::Code::OK);
      WaitServing();
      right_ = Tablet("m");
    }
    ServerOf(left_.primary).hold_freezes = true;
    AskToMerge();
    ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(right_) && Frozen(left_); }, 10s));
    cluster().scheduler().RunFor(100ms);  // and the right one's answer is there
    // Its session ends, and it comes back as another start of the same server.
    ServerOf(right_.primary).coordinator().Expire();
    ASSERT_TRUE(cluster().RunUntil([&] { return Merged() || Tablet("m").epoch > right_.epoch; }, 1s));
    cluster().scheduler().RunFor(300ms);  // it acknowledges in that epoch
    ServerOf(left_.primary).hold_freezes = false;
  }
};

TEST_F(MasterMergeEpochTest, WhatWasFailedOverSinceIsNotMerged) {
  FailOverTheFrozenOne();
  ExpectGivenUp();
}

TEST_F(MasterMergeEpochTest, WithoutTheCheckItWouldBeMergedShortOfWhatWasAcknowledged) {
  PlantHere(PlantedBug::merge_unchecked_epoch);
  FailOverTheFrozenOne();
  cluster().scheduler().RunFor(10s);
  EXPECT_THAT(cluster().ledger().violations(), ::testing::Contains(HasSubstr("short of the acknowledged")));
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

// Nobody has merged them when the new tablet's primary dies: a voter that does not know it counts as one whose log ends
// where all of both is applied.
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

// With the majority gone for good before anybody has merged them, an operator gives it to the one that is left.
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
  cluster().scheduler().RunFor(15s);
  cluster().ledger().LossAccepted(merged.tabletId);
  idl::RecoverTabletRequest request;
  request.tabletId = merged.tabletId;
  const auto survey = cluster().Call<idl::RecoverTabletReply>(&idl::MasterServiceCobSvIf::recoverTablet, request);
  ASSERT_TRUE(survey.has_value());
  EXPECT_EQ(survey->chosen, left.name()) << survey->refusal;
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
  idl::TransferTabletRequest transfer;
  transfer.table = "carts";
  transfer.toServer = late.name();
  transfer.deadlineMs = 500;
  EXPECT_EQ(cluster().Call<idl::TransferTabletReply>(&idl::MasterServiceCobSvIf::transferTablet, transfer)->header.code,
            idl::Code::UNAVAILABLE);
  late.hold_local_merges = false;
  WaitServing();
  ASSERT_TRUE(cluster().RunUntil([&] { return !MergeUnfinished(); }, 10s));
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

TEST_F(MasterMergeTest, AnOpenIntentKeepsOtherChangesOff) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(left_); }, 10s));
  idl::TransferTabletRequest transfer;
  transfer.table = "carts";
  transfer.toServer = OtherThan({left_.primary}).name();
  transfer.deadlineMs = 300;
  EXPECT_EQ(cluster().Call<idl::TransferTabletReply>(&idl::MasterServiceCobSvIf::transferTablet, transfer)->header.code,
            idl::Code::UNAVAILABLE);
  idl::SplitTabletRequest split;
  split.table = "carts";
  split.key = "f";
  split.deadlineMs = 300;
  EXPECT_EQ(cluster().Call<idl::SplitTabletReply>(&idl::MasterServiceCobSvIf::splitTablet, split)->header.code,
            idl::Code::UNAVAILABLE);
  ASSERT_TRUE(IntentsOpen());
  EXPECT_EQ(Tablet("").primary, left_.primary);
  ExpectGivenUp();
}

// A master that finds it given up does not go on with it, though both would be frozen for it.
TEST_F(MasterMergeTest, WhatOneMasterGaveUpAnotherThaws) {
  Begin();
  EachServer([](FakeServer& server) { server.lose_freeze_answers = true; });
  AskToMerge();
  const auto given_up = [&] {
    const auto left = Node(left_.tabletId), right = Node(right_.tabletId);
    return left && right && left->merge.givenUp && right->merge.givenUp;
  };
  ASSERT_TRUE(cluster().RunUntil(given_up, 10s));
  cluster().KillMaster(*cluster().Leader());
  EachServer([](FakeServer& server) { server.lose_freeze_answers = false; });
  ExpectGivenUp();
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

// Restored from a state before the merge, the catalog has two that nobody has any more, and one that it does not know.
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

// The same where only the intents are forgotten: nothing names what the two are frozen for.
TEST_F(MasterMergeTest, ACatalogThatHasForgottenTheIntentsThawsBoth) {
  Begin();
  auto older = cluster().coordination().TakeSnapshot();
  EachServer([](FakeServer& server) { server.lose_freeze_answers = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(left_) && Frozen(right_); }, 10s));
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(15s);
  ASSERT_TRUE(cluster().WaitForLeader());
  idl::AdoptRequest request;
  request.confirm = true;
  const auto reply = cluster().Call<idl::AdoptReply>(&idl::MasterServiceCobSvIf::adopt, request, 60s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
  ExpectGivenUp();
}

}  // namespace
}  // namespace ebla::master::testing
