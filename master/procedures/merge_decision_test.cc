#include "master/procedures/merge_decision.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr MergeFacts kMine{.ahead = true, .mine = true};
constexpr MergeFacts kOfAnother{.ahead = true};

MergeStep With(MergeFacts facts, bool MergeFacts::* fact) {
  facts.*fact = true;
  return NextMergeStep(facts);
}

TEST(MergeDecisionTest, TheWriterThawsAheadOfTheCatalogUntilItHasToldAServer) {
  EXPECT_EQ(NextMergeStep(kMine), MergeStep::kFreeze);
  for (const auto fact : {&MergeFacts::changed, &MergeFacts::cancelled, &MergeFacts::failing}) {
    EXPECT_EQ(With(kMine, fact), MergeStep::kThaw);
    MergeFacts told = kMine;
    told.told = true;
    EXPECT_EQ(With(told, fact), MergeStep::kForward) << "a server may serve what it was told of";
  }
  EXPECT_EQ(With(kMine, &MergeFacts::frozen), MergeStep::kForward);
  MergeFacts thawed = kMine;
  thawed.thawed = true;
  EXPECT_EQ(With(thawed, &MergeFacts::frozen), MergeStep::kThaw) << "one of them may go on already";
  EXPECT_EQ(With(kMine, &MergeFacts::given_up), MergeStep::kEnd);
}

TEST(MergeDecisionTest, AnotherMasterExcludesTheMergeFirst) {
  for (const auto fact : {&MergeFacts::changed, &MergeFacts::cancelled, &MergeFacts::failing}) {
    MergeFacts facts = kOfAnother;
    facts.*fact = true;
    EXPECT_EQ(NextMergeStep(facts), MergeStep::kExclude);
    EXPECT_EQ(With(facts, &MergeFacts::excluded), MergeStep::kGiveUp);
    EXPECT_EQ(With(facts, &MergeFacts::found), MergeStep::kAwaitReport);
  }
  MergeFacts failing = kOfAnother;
  failing.failing = true;
  EXPECT_EQ(With(failing, &MergeFacts::frozen), MergeStep::kForward);
  EXPECT_EQ(With(failing, &MergeFacts::reported), MergeStep::kForward);
}

TEST(MergeDecisionTest, AnOldIntentIsDecidedInTheCatalog) {
  EXPECT_EQ(NextMergeStep({}), MergeStep::kFreeze);
  EXPECT_EQ(NextMergeStep({.frozen = true}), MergeStep::kForward);
  EXPECT_EQ(NextMergeStep({.failing = true, .frozen = true}), MergeStep::kForward);
  EXPECT_EQ(NextMergeStep({.failing = true}), MergeStep::kGiveUp);
  EXPECT_EQ(NextMergeStep({.changed = true, .frozen = true}), MergeStep::kGiveUp);
}

TEST(MergeDecisionTest, AClockThatLeapsDoesNotEndAWait) {
  Patience patience;
  const MonotonicTime start{seconds(100)};
  patience.Begin(start);
  patience.Look(start + milliseconds(50));
  patience.Look(start + seconds(3600));
  EXPECT_LT(patience.waited(), milliseconds(300));
  for (int i = 1; i <= 20; ++i) patience.Look(start + seconds(3600) + i * milliseconds(50));
  EXPECT_GE(patience.waited(), seconds(1));
}

TEST(MergeDecisionTest, EachMasterMeansTheSameTablet) {
  idl::TabletNode left, right;
  left.info.tabletId = 7;
  left.info.primary = "ts-1";
  left.info.voters = {"ts-1", "ts-2"};
  left.info.range.endKey = "m";
  left.info.epoch = left.merge.epoch = 3;
  right.info = left.info;
  right.info.tabletId = 9;
  right.info.primary = "ts-2";
  right.info.range.startKey = "m";
  right.info.range.endKey = "z";
  right.info.epoch = right.merge.epoch = 5;
  left.merge.intoId = right.merge.intoId = 71;
  left.merge.__set_intoEpoch(6);
  right.merge.__set_intoEpoch(6);
  idl::FreezeResult left_frozen, right_frozen;
  left_frozen.freeze.epoch = 3;
  left_frozen.freeze.lsn = 400;
  right_frozen.freeze.epoch = 5;
  right_frozen.freeze.lsn = 70;
  left_frozen.tabletTimeMs = 1;
  right_frozen.tabletTimeMs = 2;
  const idl::Merged merged = MergedOf(left, right, left_frozen, right_frozen);
  EXPECT_EQ(merged.position.epoch, 6);
  EXPECT_EQ(merged.position.lsn, 401);
  EXPECT_EQ(merged.tabletTimeMs, 2);
  EXPECT_TRUE(IsMergeOf(merged, left, right));
  const idl::TabletNode node = MergedNode(left, right, merged);
  EXPECT_EQ(node.info.tabletId, 71);
  EXPECT_EQ(node.info.epoch, 6);
  EXPECT_EQ(node.info.primary, "ts-1");
  EXPECT_EQ(node.info.range.endKey, "z");
  EXPECT_TRUE(node.__isset.merged);
  EXPECT_FALSE(node.__isset.merge);
  right.merge.epoch = 4;
  EXPECT_FALSE(IsMergeOf(merged, left, right)) << "frozen in another epoch";
}

}  // namespace
}  // namespace ebla::master
