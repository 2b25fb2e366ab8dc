// Merges that the master gives up and thaws: freezes that fail or get no answer, primaries and masters that die
// meanwhile.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/planted_bug.h"
#include "master/testing/merge_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

// A voter that falls silent between the intents and the freeze: given up after a second, and thawed.
TEST_F(MasterMergeTest, WhatIsNotFrozenInTimeIsGivenUpAndThawed) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  const MonotonicTime began = cluster().scheduler().Now();
  const idl::MergeTabletsReply reply = Merge();
  EXPECT_EQ(reply.header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(reply.header.message, HasSubstr("not every voter has it"));
  EXPECT_GE(cluster().scheduler().Now() - began, 1s);
  EXPECT_LT(cluster().scheduler().Now() - began, 3s) << "both pause no longer";
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

// The connection between master and primary is down, and all other connections work, so no other event would give the
// tablet a primary again.
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

// Below the feature merges_without_coordinator, a tablet with an open intent is failed over. A side that was frozen and
// failed over since has acknowledged more writes, so the old result must not replace it.
// With both on one server, the failover of one would concern the second, too.
class MasterMergeEpochTest : public MasterMergeTest {
 protected:
  void FailOverTheFrozenOne() {
    Begin(3, 3, kMergesWithoutCoordinator.level - 1);
    if (left_.primary == right_.primary) {
      const std::string& to = left_.voters[0] == left_.primary ? left_.voters[1] : left_.voters[0];
      ASSERT_EQ(Transfer("m", to).header.code, idl::Code::OK);
      WaitServing();
      right_ = Tablet("m");
    }
    ServerOf(left_.primary).hold_freezes = true;
    AskToMerge();
    ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(right_) && Frozen(left_); }, 10s));
    cluster().scheduler().RunFor(100ms);  // and the right one's answer is there
    // Its session ends, and it registers again as another start of the same server.
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

TEST_F(MasterMergeTest, AnOpenIntentKeepsOtherChangesOff) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return Frozen(left_); }, 10s));
  EXPECT_EQ(Transfer("", OtherThan({left_.primary}).name(), 300).header.code, idl::Code::UNAVAILABLE);
  EXPECT_EQ(cluster().Split("carts", "f", 300).header.code, idl::Code::UNAVAILABLE);
  ASSERT_TRUE(IntentsOpen());
  EXPECT_EQ(Tablet("").primary, left_.primary);
  ExpectGivenUp();
}

// A master that finds it given up does not go on with it, though both would be frozen for it.
TEST_F(MasterMergeTest, WhatOneMasterGaveUpAnotherThaws) {
  Begin();
  EachServer([](FakeServer& server) { server.lose_freeze_answers = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return GivenUp(); }, 10s));
  cluster().KillMaster(*cluster().Leader());
  EachServer([](FakeServer& server) { server.lose_freeze_answers = false; });
  ExpectGivenUp();
}

// The tablet that has a primary first is merged with its other neighbour, before most voters of the second one answer.
class MasterMergeHalfGivenUpTest : public MasterMergeTest {
 protected:
  void MergeTheFirstAway() {
    Begin();
    ASSERT_EQ(cluster().Split("carts", "t").header.code, idl::Code::OK);
    WaitServing();
    EachServer([](FakeServer& server) { server.lose_freeze_answers = true; });
    AskToMerge();
    ASSERT_TRUE(cluster().RunUntil([&] { return IntentsOpen(); }, 10s));
    LeftFails(true);
    ASSERT_TRUE(cluster().RunUntil([&] { return GivenUp(); }, 10s));
    ASSERT_TRUE(cluster().RunUntil([&] { return !Node(right_.tabletId)->__isset.merge; }, 20s));
    EachServer([](FakeServer& server) { server.lose_freeze_answers = false; });
    ASSERT_EQ(Merge("t").header.code, idl::Code::OK);
    ASSERT_TRUE(Node(left_.tabletId)->__isset.merge) << "the test shows nothing";
  }
  void LeftFails(bool failed) {
    EachServer([&](FakeServer& server) { server.mutable_replicas().at(left_.tabletId).failed = failed; });
  }
  void ExpectLeftGoesOn() {
    LeftFails(false);
    EXPECT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s)) << "it can never be moved or split again";
    WaitServing();
  }
};

TEST_F(MasterMergeHalfGivenUpTest, TheSecondGoesOn) {
  ASSERT_NO_FATAL_FAILURE(MergeTheFirstAway());
  ExpectLeftGoesOn();
}

TEST_F(MasterMergeHalfGivenUpTest, TheSecondGoesOnUnderTheNextMaster) {
  ASSERT_NO_FATAL_FAILURE(MergeTheFirstAway());
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().WaitForLeader());
  ExpectLeftGoesOn();
}

// PROTOCOL 24: nothing is repaired by an older catalog.
TEST_F(MasterMergeHalfGivenUpTest, AnOlderCatalogEndsNoIntent) {
  ASSERT_NO_FATAL_FAILURE(MergeTheFirstAway());
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_EQ(cluster().Create("later", {}, WithReplicas(3)).header.code, idl::Code::OK);
  cluster().scheduler().RunFor(3s);
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(5s);
  ASSERT_TRUE(cluster().WaitForLeader());
  LeftFails(false);
  cluster().scheduler().RunFor(20s);
  EXPECT_TRUE(IntentsOpen());
  idl::AdoptRequest request;
  request.confirm = true;
  const auto reply = cluster().Call<idl::AdoptReply>(&idl::MasterServiceCobSvIf::adopt, request, 60s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
  EXPECT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s));
}

// Restored from a state before the intents, the catalog does not name what the two are frozen for.
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
