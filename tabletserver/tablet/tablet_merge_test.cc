// The result of merging two tablets (PROTOCOL 17, 18): histories of the parts, one dedup window, the later time.
#include <gtest/gtest.h>

#include "common/base/planted_bug.h"
#include "tabletserver/tablet/session_token.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {
namespace {

Version At(uint64_t epoch, uint64_t lsn) { return {Epoch{epoch}, Lsn{lsn}}; }

DedupRow RowOf(uint64_t client, uint64_t sequence, Version version) {
  DedupRow row;
  row.client = {client};
  row.sequence = {sequence};
  row.version = version;
  return row;
}

FrozenTablet Frozen(uint64_t id, KeyRange range, Version freeze, std::vector<EpochStart> starts) {
  FrozenTablet frozen;
  frozen.tablet = {id};
  frozen.applied.applied = freeze;
  frozen.applied.range = std::move(range);
  frozen.applied.time = {100 * id};
  frozen.applied.epoch_starts = std::move(starts);
  frozen.schema = std::make_shared<const TabletSchema>();
  return frozen;
}

Merged MergedOf(const FrozenTablet& left, const FrozenTablet& right) {
  const Version a = left.applied.applied, b = right.applied.applied;
  return {{left.tablet, left.applied.range, a},
          {right.tablet, right.applied.range, b},
          {std::max(a.epoch, b.epoch).Next(), std::max(a.lsn, b.lsn).Next()}};
}

MergeResult MergeTwo(const FrozenTablet& left, const FrozenTablet& right) {
  return MergeFrozen(left, right, MergedOf(left, right), {});
}

// The merged tablet's export for the next merge, after a Barrier of the epoch it began in.
FrozenTablet Again(uint64_t id, const MergeResult& merge_result, Version freeze) {
  FrozenTablet frozen = Frozen(id, merge_result.applied.range, freeze, merge_result.applied.epoch_starts);
  frozen.applied.former = merge_result.applied.former;
  return frozen;
}

bool Has(const AppliedState& applied, Version version, const KeyRange& range) {
  TabletView view;
  view.epoch_starts = applied.epoch_starts;
  view.former = applied.former;
  return InHistory(version, range, view);
}

const KeyRange kLeft{"", "m"}, kRight{"m", ""};

TEST(TabletMerge, ItBeginsAboveBothWithTheLaterTime) {
  const MergeResult merge_result =
      MergeTwo(Frozen(1, kLeft, At(3, 40), {{Epoch{1}, Lsn{1}}}), Frozen(2, kRight, At(5, 9), {{Epoch{5}, Lsn{1}}}));
  EXPECT_EQ(merge_result.applied.applied, At(6, 41));
  EXPECT_EQ(merge_result.applied.range, KeyRange::All());
  EXPECT_EQ(merge_result.applied.time, TabletTime{200});
  EXPECT_TRUE(Has(merge_result.applied, At(6, 41), KeyRange::All())) << "its first position is part of its history";
}

TEST(TabletMerge, WhatIsOlderIsJudgedByThePart) {
  const MergeResult merge_result = MergeTwo(Frozen(1, kLeft, At(3, 40), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{20}}}),
                                            Frozen(2, kRight, At(3, 50), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{30}}}));
  EXPECT_FALSE(Has(merge_result.applied, At(1, 25), kLeft));
  EXPECT_TRUE(Has(merge_result.applied, At(1, 25), kRight));
  EXPECT_TRUE(Has(merge_result.applied, At(3, 25), kLeft));
  EXPECT_FALSE(Has(merge_result.applied, At(3, 25), kRight));
}

TEST(TabletMerge, PartsGoOnThroughFurtherMergesAndSplits) {
  const MergeResult first = MergeTwo(Frozen(1, {"", "f"}, At(3, 40), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{20}}}),
                                     Frozen(2, {"f", "m"}, At(3, 50), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{30}}}));
  const MergeResult second = MergeTwo(Again(3, first, At(4, 60)), Frozen(4, kRight, At(2, 10), {{Epoch{2}, Lsn{5}}}));
  ASSERT_EQ(second.applied.former->size(), 3u);
  EXPECT_FALSE(Has(second.applied, At(1, 25), {"a", "b"}));
  EXPECT_TRUE(Has(second.applied, At(1, 25), {"g", "h"}));
  EXPECT_TRUE(Has(second.applied, At(4, 55), {"a", "b"})) << "between the two merges";
  EXPECT_FALSE(Has(second.applied, At(4, 55), {"x", "y"})) << "not of that part";
  const auto right = Clip(second.applied.former, {"g", ""});
  ASSERT_EQ(right->size(), 2u);
  EXPECT_EQ(right->front().range, (KeyRange{"g", "m"}));
}

TEST(TabletMerge, TwoOfOneHistoryAreOnePart) {
  const std::vector<EpochStart> starts{{Epoch{1}, Lsn{1}}, {Epoch{2}, Lsn{9}}};
  const MergeResult merge_result = MergeTwo(Frozen(1, kLeft, At(2, 40), starts), Frozen(2, kRight, At(2, 50), starts));
  ASSERT_EQ(merge_result.applied.former->size(), 1u);
  EXPECT_EQ(merge_result.applied.former->front().range, KeyRange::All());
}

// Nothing grows without bound: what is forgotten counts as part of the history.
TEST(TabletMerge, TheOldestIsForgotten) {
  FrozenTablet left = Frozen(1, {"", "b"}, At(400, 400), {});
  for (uint64_t i = 1; i <= 400; ++i) left.applied.epoch_starts.push_back({Epoch{i}, Lsn{i}});
  FormerRanges many;
  for (uint64_t i = 0; i < 70; ++i) {
    const auto key = [](uint64_t at) { return "k" + std::to_string(100 + at); };
    many.push_back({{key(i), key(i + 1)}, {{Epoch{i + 1}, Lsn{i + 1}}}});
  }
  FrozenTablet right = Frozen(2, {"b", ""}, At(80, 80), {});
  right.applied.former = std::make_shared<const FormerRanges>(many);
  const MergeResult merge_result = MergeTwo(left, right);
  EXPECT_EQ(merge_result.applied.former->size(), 64u);
  EXPECT_EQ(merge_result.applied.former->front().epoch_starts.size(), 256u);
  EXPECT_TRUE(Has(merge_result.applied, At(1, 300), {"", "a"})) << "older than what is known";
  EXPECT_FALSE(Has(merge_result.applied, At(399, 400), {"", "a"}));
  EXPECT_TRUE(Has(merge_result.applied, At(3, 1), {"k100", "k101"})) << "the part with the oldest epochs";
  EXPECT_FALSE(Has(merge_result.applied, At(70, 1), {"k169", "k170"}));
}

// The forgotten history of a part is its earlier one, and none that the tablet has added since.
TEST(TabletMerge, AForgottenPartHasWhatCameAfterIt) {
  FrozenTablet left = Frozen(1, kLeft, At(9, 90), {{Epoch{5}, Lsn{50}}, {Epoch{9}, Lsn{80}}});
  left.applied.former = std::make_shared<const FormerRanges>(FormerRanges{{{"c", "f"}, {{Epoch{2}, Lsn{20}}}}});
  const MergeResult merge_result = MergeTwo(left, Frozen(2, kRight, At(3, 40), {{Epoch{3}, Lsn{20}}}));
  for (const KeyRange& gap : {KeyRange{"a", "b"}, KeyRange{"g", "h"}}) {
    EXPECT_FALSE(Has(merge_result.applied, At(5, 85), gap)) << "rolled back in epoch 9";
    EXPECT_TRUE(Has(merge_result.applied, At(1, 10), gap)) << "forgotten";
  }
  EXPECT_FALSE(Has(merge_result.applied, At(5, 85), {"d", "e"}));
  EXPECT_EQ(Clip(merge_result.applied.former, KeyRange{"m", "m"}), nullptr);
}

TEST(TabletMerge, OneWindow) {
  FrozenTablet left = Frozen(1, kLeft, At(3, 40), {}), right = Frozen(2, kRight, At(3, 50), {});
  left.dedup_window = {RowOf(7, 1, At(1, 5)), RowOf(7, 2, At(3, 30)), RowOf(8, 1, At(3, 31))};
  right.dedup_window = {RowOf(7, 1, At(1, 5)), RowOf(7, 2, At(2, 45)), RowOf(9, 1, At(3, 45))};
  left.applied.dedup_floor = {5};
  right.applied.dedup_floor = {9};
  const MergeResult merge_result = MergeTwo(left, right);
  EXPECT_EQ(merge_result.applied.dedup_floor, TabletTime{9});
  ASSERT_EQ(merge_result.dedup_window.size(), 4u);
  EXPECT_EQ(merge_result.dedup_window[0].version, At(1, 5)) << "inherited by both: one";
  EXPECT_EQ(merge_result.dedup_window[1].version, At(3, 30)) << "the later one";
}

#ifdef EBLA_PLANTED_BUGS
TEST(TabletMerge, WithoutTheRulesItForgets) {
  FrozenTablet left = Frozen(1, kLeft, At(3, 40), {{Epoch{3}, Lsn{20}}}),
               right = Frozen(2, kRight, At(3, 50), {{Epoch{3}, Lsn{30}}});
  right.dedup_window = {RowOf(9, 1, At(3, 45))};
  Plant(PlantedBug::merge_forgets_dedup_window);
  EXPECT_TRUE(MergeTwo(left, right).dedup_window.empty());
  Plant(PlantedBug::merge_forgets_epoch_starts);
  EXPECT_TRUE(Has(MergeTwo(left, right).applied, At(3, 25), kRight))
      << "a write that was rolled back passes for one that was not";
  Plant(PlantedBug::none);
}
#endif

}  // namespace
}  // namespace ebla::tabletserver
