#include "tabletserver/storage/runs/merge_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace ebla::tabletserver {
namespace {

constexpr int64_t kMiB = int64_t{1} << 20;
constexpr int64_t kGiB = int64_t{1} << 30;

std::vector<PlannedRun> Runs(const std::vector<int64_t>& mib) {
  std::vector<PlannedRun> runs;
  for (const int64_t size : mib) runs.push_back({.bytes = size * kMiB});
  return runs;
}

std::optional<MergePlan> Plan(const std::vector<int64_t>& mib, size_t runs_per_tier = 4) {
  return PlanMerge(Runs(mib), {.runs_per_tier = runs_per_tier});
}

std::optional<MergePlan> Merge(size_t first, size_t count) { return MergePlan{.first = first, .count = count}; }

TEST(MergePlanTest, FewRunsStay) {
  EXPECT_EQ(Plan({}), std::nullopt);
  EXPECT_EQ(Plan({32}), std::nullopt);
  EXPECT_EQ(Plan({32, 32, 32}), std::nullopt);
  EXPECT_EQ(Plan({1, 1, 1, 32, 32, 32}, 8), std::nullopt);
}

TEST(MergePlanTest, ATierThatIsFullIsMerged) {
  EXPECT_EQ(Plan({32, 32, 32, 32}), Merge(0, 4));
  EXPECT_EQ(Plan({32, 32, 32, 32, 128, 128}), Merge(0, 4));
  EXPECT_EQ(Plan({32, 128, 128, 128, 128, 512}), Merge(0, 5)) << "the newer run is smaller: it costs little";
  EXPECT_EQ(Plan({512, 32, 32, 32, 32, 512}), Merge(1, 4));
}

TEST(MergePlanTest, TheSmallestTierIsMergedFirst) {
  EXPECT_EQ(Plan({128, 128, 128, 128, 512, 32, 32, 32, 32}), Merge(5, 4));
}

TEST(MergePlanTest, OfTwoStretchesTheNewerIsMerged) {
  EXPECT_EQ(Plan({32, 32, 32, 32, 900, 32, 32, 32, 32}), Merge(0, 4));
}

TEST(MergePlanTest, ALargeRunIsNotWrittenForAFewSmallOnes) {
  EXPECT_EQ(Plan({32, 32, 32, 128}), std::nullopt) << "the sum is in the tier of the largest";
  EXPECT_EQ(Plan({32, 32, 128, 128}), Merge(0, 4)) << "the sum is in the next tier";
}

TEST(MergePlanTest, TinyRunsAreMergedSoon) {
  EXPECT_EQ(Plan({1, 7, 1, 1}, 8), Merge(0, 4));
  EXPECT_EQ(Plan({1, 1, 1, 8, 1}, 8), std::nullopt) << "8 MiB is not tiny";
  EXPECT_EQ(Plan({100, 0, 0, 0, 0, 0, 100}, 8), Merge(1, 5));
}

TEST(MergePlanTest, TooManyRunsAreMergedWhereThatIsCheap) {
  // No stretch has four runs whose sum is in a higher tier than all of them.
  std::vector<int64_t> mib;
  for (const int64_t size : {16, 64, 256, 1024}) mib.insert(mib.end(), 3, size);
  EXPECT_EQ(Plan(mib), std::nullopt);
  mib.push_back(4096);
  EXPECT_EQ(Plan(mib), Merge(0, 4));
  std::reverse(mib.begin(), mib.end());
  EXPECT_EQ(Plan(mib), Merge(9, 4));
}

TEST(MergePlanTest, AFixedRunStays) {
  const auto plan = [](const std::vector<int64_t>& mib, const std::vector<size_t>& fixed, auto* function) {
    std::vector<PlannedRun> runs = Runs(mib);
    for (const size_t i : fixed) runs[i].fixed = true;
    return function(runs, {.runs_per_tier = 4});
  };
  EXPECT_EQ(plan({32, 32, 32, 32}, {0}, PlanMerge), std::nullopt);
  EXPECT_EQ(plan({32, 32, 32, 32, 400, 32, 32, 32, 32}, {1}, PlanMerge), Merge(5, 4)) << "beside a merge under way";
  EXPECT_EQ(plan({1, 1, 1, 1, 1, 1, 1, 1, 1}, {4}, PlanMerge), Merge(0, 4));
  EXPECT_EQ(plan({1, 1, 1, 30}, {0}, PlanMergeAtRest), std::nullopt);
  EXPECT_EQ(plan({1, 1, 1, 30}, {2}, PlanMergeAtRest), Merge(0, 2));
  std::vector<int64_t> mib;
  for (const int64_t size : {16, 64, 256, 1024}) mib.insert(mib.end(), 3, size);
  mib.push_back(4096);
  EXPECT_EQ(plan(mib, {0}, PlanMerge), std::nullopt) << "12 others are not too many";
  mib.push_back(16384);
  EXPECT_EQ(plan(mib, {0}, PlanMerge), Merge(1, 4));
  EXPECT_EQ(plan(mib, {3}, PlanMerge), Merge(4, 4));
}

TEST(MergePlanTest, ARunOfHolesIsWrittenAgain) {
  std::vector<PlannedRun> runs = Runs({32, 4096, 4096});
  runs[1].bytes_in_holes = 2000 * kMiB;
  EXPECT_EQ(PlanMerge(runs, {}), std::nullopt);
  runs[1].bytes_in_holes = 2048 * kMiB;
  EXPECT_EQ(PlanMerge(runs, {}), Merge(1, 1));
  runs.insert(runs.begin(), 4, PlannedRun{.bytes = kMiB});
  EXPECT_EQ(PlanMerge(runs, {}), Merge(0, 4)) << "small runs first";
  runs.erase(runs.begin(), runs.begin() + 4);
  runs[1].fixed = true;
  EXPECT_EQ(PlanMerge(runs, {}), std::nullopt);
}

TEST(MergePlanTest, LimitsOfAnyKindAreHarmless) {
  std::vector<PlannedRun> runs_of_any_size;
  for (const int64_t size : {int64_t{0}, int64_t{1}, INT64_MAX / 4, int64_t{5}, INT64_MAX / 4, int64_t{0}})
    runs_of_any_size.push_back({.bytes = size});
  for (const size_t runs : {0u, 1u, 2u, 1000u}) {
    for (const int64_t smallest : {int64_t{-1}, int64_t{0}, int64_t{1}, INT64_MAX}) {
      const auto plan = PlanMerge(runs_of_any_size, {.runs_per_tier = runs, .smallest_tier_bytes = smallest});
      EXPECT_TRUE(!plan || plan->first + plan->count <= runs_of_any_size.size());
    }
  }
}

// A table that takes flushes and merges whatever is planned.
class Table {
 public:
  explicit Table(MergeLimits limits) : limits_(limits) {}

  void Flush(int64_t bytes) {
    flushed_ += bytes;
    Insert(0, {.bytes = bytes, .writes = 1});
    while (const std::optional<MergePlan> plan = PlanMerge(sizes_, limits_)) {
      ASSERT_GE(plan->count, 2u);
      ASSERT_LE(plan->first + plan->count, sizes_.size());
      Run merged;
      for (size_t i = plan->first; i < plan->first + plan->count; ++i) {
        merged.bytes += runs_[i].bytes;
        merged.writes = std::max(merged.writes, runs_[i].writes + 1);
      }
      const auto first = static_cast<std::ptrdiff_t>(plan->first), count = static_cast<std::ptrdiff_t>(plan->count);
      runs_.erase(runs_.begin() + first, runs_.begin() + first + count);
      sizes_.erase(sizes_.begin() + first, sizes_.begin() + first + count);
      Insert(first, merged);
    }
    runs_most_ = std::max(runs_most_, runs_.size());
  }

  int64_t flushed() const { return flushed_; }
  size_t runs_most() const { return runs_most_; }
  // How often a byte was written, on average, and the byte that was written most often.
  double writes() const { return static_cast<double>(written_) / static_cast<double>(flushed_); }
  int writes_most() const { return writes_most_; }
  // The tiers up to that of a run that has all bytes.
  int tiers() const {
    int tiers = 1;
    for (int64_t end = limits_.smallest_tier_bytes; end <= flushed_; ++tiers) {
      end *= static_cast<int64_t>(limits_.runs_per_tier);
    }
    return tiers;
  }
  std::string ToString() const {
    return std::to_string(limits_.runs_per_tier) + " runs a tier, " + std::to_string(tiers()) +
           " tiers: " + std::to_string(writes()) + " writes, at most " + std::to_string(writes_most_) + "; at most " +
           std::to_string(runs_most_) + " runs";
  }

 private:
  struct Run {
    int64_t bytes = 0;
    int writes = 0;
  };

  void Insert(std::ptrdiff_t at, Run run) {
    written_ += run.bytes;
    writes_most_ = std::max(writes_most_, run.writes);
    runs_.insert(runs_.begin() + at, run);
    sizes_.insert(sizes_.begin() + at, {.bytes = run.bytes});
  }

  MergeLimits limits_;
  std::vector<Run> runs_;
  std::vector<PlannedRun> sizes_;
  int64_t flushed_ = 0;
  int64_t written_ = 0;
  int writes_most_ = 0;
  size_t runs_most_ = 0;
};

Table Fill(size_t runs_per_tier, int64_t bytes, const std::function<int64_t()>& flush) {
  Table table({.runs_per_tier = runs_per_tier});
  while (table.flushed() < bytes) table.Flush(flush());
  return table;
}

TEST(MergePlanTest, ATableAtRestHasFewRuns) {
  const MergeLimits limits;
  const auto plan = [&](const std::vector<int64_t>& mib) { return PlanMergeAtRest(Runs(mib), limits); };
  EXPECT_EQ(plan({}), std::nullopt);
  EXPECT_EQ(plan({40}), std::nullopt);
  EXPECT_EQ(plan({16, 60, 300}), (MergePlan{0, 3})) << "a small table becomes one run";
  EXPECT_EQ(plan({1, 300}), std::nullopt) << "a trickle has no large run written again";
  EXPECT_EQ(plan({1, 1, 300}), (MergePlan{0, 2}));
  EXPECT_EQ(plan({16, 16, 60, 300, 400, 2000}), (MergePlan{0, 4})) << "a quarter of a large one at most";
  EXPECT_EQ(plan({16, 400, 2000}), std::nullopt) << "two runs stay";
  EXPECT_EQ(plan({348, 400, 2000}), std::nullopt) << "it comes to rest";
}

TEST(MergePlanTest, ATableAtRestGivesTheBytesOfDeletedRowsBack) {
  // Newest first, each of 1 KiB a record and 8 bytes a deleted row.
  struct Rows {
    int64_t records, deletes;
  };
  const auto plan = [](const std::vector<Rows>& rows, auto* function, std::optional<size_t> fixed = {}) {
    std::vector<PlannedRun> runs;
    for (const auto& [records, deletes] : rows)
      runs.push_back({.bytes = (records - deletes) << 10 | deletes << 3, .records = records, .deletes = deletes});
    if (fixed) runs[*fixed].fixed = true;
    return function(runs, {});
  };
  constexpr int64_t kMany = 1'000'000;
  EXPECT_EQ(plan({{kMany, kMany}, {kMany, 0}}, PlanMergeAtRest), Merge(0, 2));
  EXPECT_EQ(plan({{kMany, kMany}, {kMany, 0}}, PlanMerge), std::nullopt) << "the next flush may be soon";
  EXPECT_EQ(plan({{kMany / 2, kMany / 2}, {kMany, 0}}, PlanMergeAtRest), Merge(0, 2));
  EXPECT_EQ(plan({{kMany / 2 - 1, kMany / 2 - 1}, {kMany, 0}}, PlanMergeAtRest), std::nullopt);
  EXPECT_EQ(plan({{100, 0}, {kMany / 2, kMany / 2}, {kMany, 0}}, PlanMergeAtRest), Merge(0, 3));
  EXPECT_EQ(plan({{kMany, kMany}, {kMany, 0}}, PlanMergeAtRest, 1), std::nullopt);
  EXPECT_EQ(plan({{kMany, kMany}, {kMany, 0}, {kMany, 0}}, PlanMergeAtRest, 2), std::nullopt)
      << "a merge without the oldest run keeps deleted rows";
  EXPECT_EQ(plan({{1, 1}, {kMany, 0}, {2, 0}}, PlanMergeAtRest), std::nullopt) << "a large run for one deleted row";
  EXPECT_EQ(plan({{kMany, kMany}}, PlanMergeAtRest), Merge(0, 1)) << "they hide nothing";
  EXPECT_EQ(plan({{kMany, 1}}, PlanMergeAtRest), std::nullopt);
}

TEST(MergePlanTest, BelowTheReserveTheFirstMergeWithRoomIsPlanned) {
  constexpr MergeLimits kLimits{.smallest_tier_bytes = 8 * kMiB};
  // Newest first: rows were deleted after eight runs that no merge has had yet.
  std::vector<PlannedRun> runs = {{.bytes = kMiB / 2, .records = 1000, .deletes = 1000}};
  runs.insert(runs.end(), 8, {.bytes = 4 * kMiB, .records = 40});
  runs.push_back({.bytes = 64 * kMiB, .records = 640});
  const auto plan = [&](int64_t mib) { return PlanMergeBelowReserve(runs, kLimits, mib * kMiB); };
  ASSERT_EQ(PlanMerge(runs, kLimits), Merge(0, 9));
  EXPECT_EQ(plan(16), Merge(0, 10)) << "nothing stays";
  runs[0].records = runs[0].deletes = 480;
  EXPECT_EQ(plan(49), Merge(0, 10)) << "a half of the rows stays";
  EXPECT_EQ(plan(47), Merge(0, 9)) << "32.5 MiB without the oldest run";
  EXPECT_EQ(plan(16), Merge(0, 9)) << "none has room: it is refused, and asked for again";
  runs.insert(runs.begin(), 4, {.bytes = kMiB / 2, .records = 1, .deletes = 1});
  EXPECT_EQ(plan(16), Merge(0, 5)) << "tiny runs do not pile up";
  runs.back().bytes_in_holes = 63 * kMiB;
  EXPECT_EQ(plan(2), Merge(13, 1)) << "only what is in no hole needs room";
  EXPECT_EQ(PlanMergeBelowReserve({}, kLimits, kGiB), std::nullopt);
}

TEST(MergePlanSimulation, FlushesOf32MiBAreWrittenOnceATier) {
  for (const size_t runs_per_tier : {4u, 8u}) {
    const Table table = Fill(runs_per_tier, 64 * kGiB, [] { return 32 * kMiB; });
    EXPECT_LE(table.writes(), 1 + table.tiers()) << table.ToString();
    EXPECT_LE(table.runs_most(), 3 * runs_per_tier) << table.ToString();  // 12 and 21
    // With 8 runs a tier, rule 4 is never needed, and no byte is written more often than there are tiers. With 4, the
    // rule writes some of the newest runs up to twice as often.
    EXPECT_LE(table.writes_most(), (runs_per_tier == 8 ? 1 : 2) * table.tiers()) << table.ToString();
  }
}

TEST(MergePlanSimulation, FlushesOfAnySizeAreWrittenOnceATier) {
  for (const int64_t most : {40, 100, 400}) {
    for (const size_t runs_per_tier : {4u, 8u}) {
      std::mt19937 random(static_cast<unsigned>(most));
      const Table table = Fill(runs_per_tier, 64 * kGiB, [&] {
        return (1 + static_cast<int64_t>(random() % static_cast<unsigned>(most))) * kMiB;
      });
      EXPECT_LE(table.writes(), 1 + table.tiers()) << most << " MiB: " << table.ToString();
      EXPECT_LE(table.runs_most(), 3 * runs_per_tier) << most << " MiB: " << table.ToString();
    }
  }
}

TEST(MergePlanSimulation, TinyFlushesLeaveFewRuns) {
  for (const size_t runs_per_tier : {4u, 8u}) {
    const Table table = Fill(runs_per_tier, kGiB / 4, [] { return kMiB / 16; });
    EXPECT_LE(table.runs_most(), 2 * runs_per_tier + 4) << table.ToString();
    // For three flushes, a tiny run of up to 8 MiB is written again, half of that on average.
    EXPECT_LE(table.writes(), 24 + table.tiers()) << table.ToString();
  }
}

}  // namespace
}  // namespace ebla::tabletserver
