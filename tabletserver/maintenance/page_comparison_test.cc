// When two replicas are proven different, and which of several is wrong.
#include "tabletserver/maintenance/page_comparison.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>

namespace ebla::tabletserver {
namespace {

using Side = PageComparison::Side;

RecordPage PageAt(uint64_t applied, uint32_t checksum) {
  return {.range = {"a", "z"}, .applied = Lsn{applied}, .records = 3, .bytes = 30, .checksum = checksum};
}

TEST(PageComparison, TheSameRecordsAreEqualAtAnyPositions) {
  PageComparison comparison;
  EXPECT_EQ(comparison.Look(Side::kOne, PageAt(10, 7)), PageVerdict::kOpen);
  EXPECT_EQ(comparison.Look(Side::kOther, PageAt(12, 7)), PageVerdict::kEqual);
}

TEST(PageComparison, OtherRecordsAtTheSamePositionDiffer) {
  PageComparison comparison;
  comparison.Look(Side::kOne, PageAt(10, 7));
  EXPECT_EQ(comparison.Look(Side::kOther, PageAt(10, 8)), PageVerdict::kDifferent);
}

TEST(PageComparison, OtherRecordsAtOtherPositionsProveNothingUntilNeitherChangesInTurns) {
  PageComparison comparison;
  EXPECT_EQ(comparison.Look(Side::kOne, PageAt(10, 7)), PageVerdict::kOpen);
  EXPECT_EQ(comparison.Look(Side::kOther, PageAt(20, 8)), PageVerdict::kOpen);
  EXPECT_EQ(comparison.Look(Side::kOne, PageAt(30, 7)), PageVerdict::kOpen);
  EXPECT_EQ(comparison.Look(Side::kOther, PageAt(40, 8)), PageVerdict::kDifferent);
}

TEST(PageComparison, OneThatLagsBehindOrIsWrittenProvesNothing) {
  PageComparison lags;
  lags.Look(Side::kOne, PageAt(10, 7));
  lags.Look(Side::kOther, PageAt(9, 8));
  lags.Look(Side::kOne, PageAt(20, 7));
  EXPECT_EQ(lags.Look(Side::kOther, PageAt(19, 8)), PageVerdict::kOpen);
  PageComparison written;
  written.Look(Side::kOne, PageAt(10, 7));
  written.Look(Side::kOther, PageAt(20, 8));
  written.Look(Side::kOne, PageAt(30, 9));
  EXPECT_EQ(written.Look(Side::kOther, PageAt(40, 8)), PageVerdict::kOpen);
  EXPECT_EQ(written.Look(Side::kOne, PageAt(50, 9)), PageVerdict::kDifferent) << "9 since 30, 8 since 20";
}

TEST(PageComparison, PagesOfOtherRangesProveNothing) {
  PageComparison comparison;
  RecordPage split = PageAt(10, 8);
  split.range = {"a", "m"};
  comparison.Look(Side::kOne, PageAt(10, 7));
  EXPECT_EQ(comparison.Look(Side::kOther, split), PageVerdict::kOpen);
}

// Two sound replicas that lag behind each other as chance has it, of a tablet in which records come and go under all
// eyes: whatever is read, they are never said to differ. With one record that is wrong they are, sooner or later.
class TurnsTest : public ::testing::TestWithParam<bool> {};

TEST_P(TurnsTest, ProveADifferenceOnlyWhereThereIsOne) {
  const bool wrong = GetParam();
  constexpr int kKeys = 3, kPositions = 60;
  int proven = 0;
  for (uint32_t seed = 0; seed < 20'000; ++seed) {
    std::mt19937 random(seed);
    // A key's record after each position: the position that wrote it, or 0.
    std::vector<std::map<int, int>> states(1);
    for (int at = 1; at <= kPositions; ++at) {
      std::map<int, int> state = states.back();
      const int key = static_cast<int>(random() % kKeys);
      if (random() % 2 == 0) {
        state.contains(key) ? void(state.erase(key)) : void(state[key] = at);
      }
      states.push_back(state);
    }
    PageComparison comparison;
    int position = 0;
    for (int look = 0; look < 8; ++look) {
      position = std::clamp(position + static_cast<int>(random() % 8) - 1, 0, kPositions);
      std::map<int, int> state = states[static_cast<size_t>(position)];
      if (wrong && look % 2 == 0) state[kKeys] = 1;
      uint32_t sum = 0;
      for (const auto& [key, version] : state) sum = sum * 1'000 + static_cast<uint32_t>(key * 100 + version);
      RecordPage page = PageAt(static_cast<uint64_t>(position), sum);
      page.records = std::ssize(state);
      const PageVerdict verdict = comparison.Look(look % 2 == 0 ? Side::kOne : Side::kOther, page);
      if (verdict == PageVerdict::kDifferent) ++proven;
      if (verdict != PageVerdict::kOpen) break;
    }
    if (!wrong) {
      ASSERT_EQ(proven, 0) << "seed " << seed;
    }
  }
  EXPECT_EQ(proven > 1'000, wrong) << proven;
}
INSTANTIATE_TEST_SUITE_P(Replicas, TurnsTest, ::testing::Values(false, true));

ComparedReplica Compared(const char* server, PageVerdict verdict, uint32_t checksum = 0) {
  return {.server = server, .verdict = verdict, .answered = true, .page = PageAt(10, checksum)};
}

TEST(Judge, MostOfTheVotersSayWhoIsWrong) {
  using enum PageVerdict;
  EXPECT_EQ(Judge(3, {Compared("b", kEqual), Compared("c", kEqual)}).difference, Difference::kNone);
  EXPECT_EQ(Judge(3, {Compared("b", kDifferent, 7), Compared("c", kDifferent, 7)}),
            (Judgement{Difference::kThisIsOdd, {"b", "c"}}));
  EXPECT_EQ(Judge(3, {Compared("b", kDifferent, 7), Compared("c", kEqual)}),
            (Judgement{Difference::kOthersAre, {"b"}}));
  EXPECT_EQ(Judge(5, {Compared("b", kDifferent, 7), Compared("c", kDifferent, 7), Compared("d", kDifferent, 7),
                      Compared("e", kEqual)}),
            (Judgement{Difference::kThisIsOdd, {"b", "c", "d"}}));
}

TEST(Judge, WithoutAMajorityNobodyKnows) {
  using enum PageVerdict;
  EXPECT_EQ(Judge(2, {Compared("b", kDifferent, 7)}), (Judgement{Difference::kUndecided, {"b"}})) << "two that differ";
  EXPECT_EQ(Judge(3, {Compared("b", kDifferent, 7), Compared("c", kDifferent, 8)}),
            (Judgement{Difference::kUndecided, {"b", "c"}}))
      << "all differ";
  EXPECT_EQ(Judge(3, {Compared("b", kDifferent, 7), Compared("c", kOpen)}), (Judgement{Difference::kUndecided, {"b"}}))
      << "the third is away";
  EXPECT_EQ(Judge(4, {Compared("b", kDifferent, 7), Compared("c", kDifferent, 7), Compared("d", kEqual)}),
            (Judgement{Difference::kUndecided, {"b", "c"}}))
      << "two against two";
}

}  // namespace
}  // namespace ebla::tabletserver
