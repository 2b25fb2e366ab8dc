// What is made of two tablets (PROTOCOL 17, 18): histories of the parts, one window, the later time.
#include <gtest/gtest.h>

#include "common/base/planted_bug.h"
#include "tabletserver/tablet/session_token.h"
#include "tabletserver/tablet/tablet_core.h"

namespace ebla::tabletserver {
namespace {

Version At(uint64_t epoch, uint64_t lsn) { return {Epoch{epoch}, Lsn{lsn}}; }

WindowRow RowOf(uint64_t client, uint64_t sequence, Version version) {
  WindowRow row;
  row.client = {client};
  row.sequence = {sequence};
  row.version = version;
  return row;
}

HandedTablet Handed(uint64_t id, KeyRange range, Version freeze, std::vector<EpochStart> starts) {
  HandedTablet handed;
  handed.tablet = {id};
  handed.applied.applied = freeze;
  handed.applied.range = std::move(range);
  handed.applied.time = {100 * id};
  handed.applied.epoch_starts = std::move(starts);
  handed.schema = std::make_shared<const TabletSchema>();
  return handed;
}

Merged MergedOf(const HandedTablet& left, const HandedTablet& right) {
  const Version a = left.applied.applied, b = right.applied.applied;
  return {{left.tablet, left.applied.range, a},
          {right.tablet, right.applied.range, b},
          {std::max(a.epoch, b.epoch).Next(), std::max(a.lsn, b.lsn).Next()}};
}

JoinedTablet JoinTwo(const HandedTablet& left, const HandedTablet& right) {
  return Join(left, right, MergedOf(left, right), {});
}

// As the merged tablet is handed over for the next merge, after a Barrier of the epoch it began in.
HandedTablet Again(uint64_t id, const JoinedTablet& joined, Version freeze) {
  HandedTablet handed = Handed(id, joined.applied.range, freeze, joined.applied.epoch_starts);
  handed.applied.former = joined.applied.former;
  return handed;
}

bool Has(const AppliedState& applied, Version version, const KeyRange& range) {
  TabletView view;
  view.epoch_starts = applied.epoch_starts;
  view.former = applied.former;
  return InHistory(version, range, view);
}

const KeyRange kLeft{"", "m"}, kRight{"m", ""};

TEST(TabletMerge, ItBeginsAboveBothWithTheLaterTime) {
  const JoinedTablet joined =
      JoinTwo(Handed(1, kLeft, At(3, 40), {{Epoch{1}, Lsn{1}}}), Handed(2, kRight, At(5, 9), {{Epoch{5}, Lsn{1}}}));
  EXPECT_EQ(joined.applied.applied, At(6, 41));
  EXPECT_EQ(joined.applied.range, KeyRange::All());
  EXPECT_EQ(joined.applied.time, TabletTime{200});
  EXPECT_TRUE(Has(joined.applied, At(6, 41), KeyRange::All())) << "its first position is part of its history";
}

TEST(TabletMerge, WhatIsOlderIsJudgedByThePart) {
  const JoinedTablet joined = JoinTwo(Handed(1, kLeft, At(3, 40), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{20}}}),
                                      Handed(2, kRight, At(3, 50), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{30}}}));
  EXPECT_FALSE(Has(joined.applied, At(1, 25), kLeft));
  EXPECT_TRUE(Has(joined.applied, At(1, 25), kRight));
  EXPECT_TRUE(Has(joined.applied, At(3, 25), kLeft));
  EXPECT_FALSE(Has(joined.applied, At(3, 25), kRight));
}

TEST(TabletMerge, PartsGoOnThroughFurtherMergesAndSplits) {
  const JoinedTablet first = JoinTwo(Handed(1, {"", "f"}, At(3, 40), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{20}}}),
                                     Handed(2, {"f", "m"}, At(3, 50), {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{30}}}));
  const JoinedTablet second = JoinTwo(Again(3, first, At(4, 60)), Handed(4, kRight, At(2, 10), {{Epoch{2}, Lsn{5}}}));
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
  const JoinedTablet joined = JoinTwo(Handed(1, kLeft, At(2, 40), starts), Handed(2, kRight, At(2, 50), starts));
  ASSERT_EQ(joined.applied.former->size(), 1u);
  EXPECT_EQ(joined.applied.former->front().range, KeyRange::All());
}

// Nothing grows without bound: what is forgotten counts as part of the history.
TEST(TabletMerge, TheOldestIsForgotten) {
  HandedTablet left = Handed(1, {"", "b"}, At(400, 400), {});
  for (uint64_t i = 1; i <= 400; ++i) left.applied.epoch_starts.push_back({Epoch{i}, Lsn{i}});
  FormerRanges many;
  for (uint64_t i = 0; i < 70; ++i) {
    const auto key = [](uint64_t at) { return "k" + std::to_string(100 + at); };
    many.push_back({{key(i), key(i + 1)}, {{Epoch{i + 1}, Lsn{i + 1}}}});
  }
  HandedTablet right = Handed(2, {"b", ""}, At(80, 80), {});
  right.applied.former = std::make_shared<const FormerRanges>(many);
  const JoinedTablet joined = JoinTwo(left, right);
  EXPECT_EQ(joined.applied.former->size(), 64u);
  EXPECT_EQ(joined.applied.former->front().epoch_starts.size(), 256u);
  EXPECT_TRUE(Has(joined.applied, At(1, 300), {"", "a"})) << "older than what is known";
  EXPECT_FALSE(Has(joined.applied, At(399, 400), {"", "a"}));
  EXPECT_TRUE(Has(joined.applied, At(3, 1), {"k100", "k101"})) << "the part with the oldest epochs";
  EXPECT_FALSE(Has(joined.applied, At(70, 1), {"k169", "k170"}));
}

// What is forgotten of a part is what it was before, and none of what the tablet has added since.
TEST(TabletMerge, AForgottenPartHasWhatCameAfterIt) {
  HandedTablet left = Handed(1, kLeft, At(9, 90), {{Epoch{5}, Lsn{50}}, {Epoch{9}, Lsn{80}}});
  left.applied.former = std::make_shared<const FormerRanges>(FormerRanges{{{"c", "f"}, {{Epoch{2}, Lsn{20}}}}});
  const JoinedTablet joined = JoinTwo(left, Handed(2, kRight, At(3, 40), {{Epoch{3}, Lsn{20}}}));
  for (const KeyRange& gap : {KeyRange{"a", "b"}, KeyRange{"g", "h"}}) {
    EXPECT_FALSE(Has(joined.applied, At(5, 85), gap)) << "undone in epoch 9";
    EXPECT_TRUE(Has(joined.applied, At(1, 10), gap)) << "forgotten";
  }
  EXPECT_FALSE(Has(joined.applied, At(5, 85), {"d", "e"}));
  EXPECT_EQ(Clip(joined.applied.former, KeyRange{"m", "m"}), nullptr);
}

TEST(TabletMerge, OneWindow) {
  HandedTablet left = Handed(1, kLeft, At(3, 40), {}), right = Handed(2, kRight, At(3, 50), {});
  left.window = {RowOf(7, 1, At(1, 5)), RowOf(7, 2, At(3, 30)), RowOf(8, 1, At(3, 31))};
  right.window = {RowOf(7, 1, At(1, 5)), RowOf(7, 2, At(2, 45)), RowOf(9, 1, At(3, 45))};
  left.applied.window_floor = {5};
  right.applied.window_floor = {9};
  const JoinedTablet joined = JoinTwo(left, right);
  EXPECT_EQ(joined.applied.window_floor, TabletTime{9});
  ASSERT_EQ(joined.window.size(), 4u);
  EXPECT_EQ(joined.window[0].version, At(1, 5)) << "inherited by both: one";
  EXPECT_EQ(joined.window[1].version, At(3, 30)) << "the later one";
}

#ifdef EBLA_PLANTED_BUGS
TEST(TabletMerge, WithoutTheRulesItForgets) {
  HandedTablet left = Handed(1, kLeft, At(3, 40), {{Epoch{3}, Lsn{20}}}),
               right = Handed(2, kRight, At(3, 50), {{Epoch{3}, Lsn{30}}});
  right.window = {RowOf(9, 1, At(3, 45))};
  Plant(PlantedBug::merge_forgets_window);
  EXPECT_TRUE(JoinTwo(left, right).window.empty());
  Plant(PlantedBug::merge_forgets_epoch_starts);
  EXPECT_TRUE(Has(JoinTwo(left, right).applied, At(3, 25), kRight))
      << "a write that was undone passes for one that was not";
  Plant(PlantedBug::none);
}
#endif

}  // namespace
}  // namespace ebla::tabletserver
