#include "tabletserver/storage/runs/run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bitset>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "common/base/encoding.h"

namespace ebla::tabletserver {
namespace {

using ARun = Run;  // a test has a member Run()

// ---- holes ----------------------------------------------------------------------------------------------------------
TEST(RunHolesTest, OverlappingAndAdjacentRangesAreJoined) {
  RunHoles holes;
  EXPECT_TRUE(holes.empty());
  holes.Add({"f", "h"});
  holes.Add({"b", "d"});
  holes.Add({"x", "x"});  // empty
  EXPECT_EQ(holes.ranges(), (std::vector<KeyRange>{{"b", "d"}, {"f", "h"}}));
  holes.Add({"d", "e"});
  EXPECT_EQ(holes.ranges(), (std::vector<KeyRange>{{"b", "e"}, {"f", "h"}}));
  holes.Add({"c", "g"});
  EXPECT_EQ(holes.ranges(), (std::vector<KeyRange>{{"b", "h"}}));
  holes.Add({"m", ""});
  holes.Add({"", "a"});
  EXPECT_EQ(holes.ranges(), (std::vector<KeyRange>{{"", "a"}, {"b", "h"}, {"m", ""}}));
  holes.Add({"n", "p"});
  EXPECT_EQ(holes.ranges().size(), 3u);
  holes.Add(KeyRange::All());
  EXPECT_EQ(holes.ranges(), (std::vector<KeyRange>{KeyRange::All()}));
}

TEST(RunHolesTest, AHoleIsFoundByItsKeys) {
  RunHoles holes;
  holes.Add({"b", "d"});
  holes.Add({"m", ""});
  EXPECT_FALSE(holes.Contains("a"));
  EXPECT_TRUE(holes.Contains("b"));
  EXPECT_FALSE(holes.Contains("d"));
  EXPECT_TRUE(holes.Contains("zzz"));
  EXPECT_EQ(holes.At("a"), nullptr);
  ASSERT_NE(holes.At("c"), nullptr);
  EXPECT_EQ(*holes.At("c"), (KeyRange{"b", "d"}));
  EXPECT_TRUE(holes.Covers("b", "c"));
  EXPECT_FALSE(holes.Covers("b", "d"));
  EXPECT_FALSE(holes.Covers("c", "n"));
  EXPECT_TRUE(holes.Covers("m", "zzz"));
  EXPECT_TRUE(holes.Covers(KeyRange{"m", ""}));
  EXPECT_FALSE(holes.Covers(KeyRange{"b", ""}));
  EXPECT_TRUE(holes.Overlap({"c", "e"}));
  EXPECT_FALSE(holes.Overlap({"d", "m"}));
  EXPECT_TRUE(holes.Overlap({"d", ""}));
}

// Random ranges over the keys 000 to 255, against a set of them. A range may be without end.
TEST(RunHolesTest, HoldsExactlyTheKeysThatWereAdded) {
  constexpr size_t kKeys = 256;
  const auto key = [](size_t number) { return std::to_string(1000 + number).substr(1); };
  for (unsigned seed = 1; seed <= 300; ++seed) {
    std::mt19937 random(seed);
    RunHoles holes;
    std::bitset<kKeys> model;
    for (int step = 0; step < 12; ++step) {
      const size_t start = random() % kKeys;
      const size_t end = random() % 12 == 0 ? kKeys : std::min(kKeys - 1, start + random() % 30);
      holes.Add({random() % 20 == 0 && start == 0 ? "" : key(start), end == kKeys ? "" : key(end)});
      for (size_t i = start; i < end; ++i) model.set(i);
      for (size_t i = 0; i < kKeys; ++i) {
        ASSERT_EQ(holes.Contains(key(i)), model[i]) << "seed " << seed << ", key " << i;
        const KeyRange* const hole = holes.At(key(i));
        ASSERT_TRUE(hole == nullptr || hole->Contains(key(i)));
      }
      for (size_t i = 1; i < holes.ranges().size(); ++i) {
        const KeyRange &before = holes.ranges()[i - 1], &after = holes.ranges()[i];
        ASSERT_FALSE(before.end.empty()) << "seed " << seed;
        ASSERT_LT(before.end, after.start) << "seed " << seed;
      }
      const size_t first = random() % kKeys, last = first + random() % (kKeys - first);
      bool all = true, some = false;
      for (size_t i = first; i <= last; ++i) {
        all = all && model[i];
        some = some || model[i];
      }
      ASSERT_EQ(holes.Covers(key(first), key(last)), all) << "seed " << seed;
      ASSERT_EQ(holes.Overlap({key(first), KeyAfter(key(last))}), some) << "seed " << seed;
    }
  }
}

// ---- bytes ----------------------------------------------------------------------------------------------------------
Run Example() {
  Run run{.number = 7, .order = 300, .bytes = 70'000, .records = 1000, .deletes = 12};
  run.first_key = "apple";
  run.last_key = std::string("pear\0\xff", 6);
  run.fences = {{"banana", 65'600}, {"banana", 4000}, {"pear", 400}};
  run.holes.Add({"", "apricot"});
  run.holes.Add({"cherry", "date"});
  run.holes.Add({"fig", ""});
  return run;
}

TEST(RunTest, BytesGiveTheSameRun) {
  const ARun run = Example();
  const Result<ARun> read = DecodeRun(7, EncodeRun(run));
  ASSERT_TRUE(read.has_value()) << read.error();
  EXPECT_EQ(*read, run);
  EXPECT_EQ(EncodeRun(*read), EncodeRun(run));
  EXPECT_EQ(EncodeRun(run)[0], 1);
  const Result<ARun> none = DecodeRun(0, EncodeRun(ARun()));
  ASSERT_TRUE(none.has_value());
  EXPECT_EQ(*none, ARun());
}

TEST(RunTest, ForeignBytesGiveInternal) {
  const std::string whole = EncodeRun(Example());
  for (size_t size = 0; size < whole.size(); ++size) {
    const Result<ARun> read = DecodeRun(7, whole.substr(0, size));
    ASSERT_FALSE(read.has_value()) << size;
    EXPECT_EQ(read.error().code(), Code::kInternal);
  }
  EXPECT_FALSE(DecodeRun(7, whole + '\0').has_value());
  std::string newer = whole;
  newer[0] = 2;
  EXPECT_EQ(DecodeRun(7, newer).error().message(),
            "run 7 has format 2, this build reads 1: a newer build wrote it, or it is damaged");
  for (unsigned seed = 1; seed <= 200'000; ++seed) {
    std::mt19937 random(seed);
    std::string flipped = whole;
    for (auto flips = 1 + random() % 3; flips > 0; --flips) {
      char& byte = flipped[random() % flipped.size()];
      byte = static_cast<char>(byte ^ (1 << (random() % 8)));
    }
    const Result<ARun> read = DecodeRun(7, flipped);
    if (!read.has_value()) {
      ASSERT_EQ(read.error().code(), Code::kInternal) << "seed " << seed;
      continue;
    }
    // Whatever was read is a run.
    ASSERT_GE(read->bytes, 0) << "seed " << seed;
    ASSERT_TRUE(std::ranges::is_sorted(read->fences, {}, &SampledRow::first)) << "seed " << seed;
    ASSERT_EQ(*DecodeRun(7, EncodeRun(*read)), *read) << "seed " << seed;
    ASSERT_GE(ShareOf(*read, {"b", "d"}).bytes, 0) << "seed " << seed;
  }
}

TEST(RunTest, HolesOutOfOrderGiveInternal) {
  for (const auto& [first, second] : std::vector<std::pair<KeyRange, KeyRange>>{
           {{"d", "e"}, {"b", "c"}}, {{"b", "c"}, {"c", "d"}}, {{"b", ""}, {"c", "d"}}, {{"b", "b"}, {"c", "d"}}}) {
    ByteWriter out;
    out.Byte(1).Varint(1).Varint(1).Varint(1).Varint(0).Bytes("a").Bytes("z").Varint(0).Varint(2);
    for (const KeyRange& hole : {first, second}) out.Bytes(hole.start).Bytes(hole.end);
    EXPECT_FALSE(DecodeRun(1, out.view()).has_value()) << first << second;
  }
}

// ---- fences ---------------------------------------------------------------------------------------------------------
TEST(FenceBuilderTest, FencesHaveAllBytes) {
  for (const size_t rows : {0u, 1u, 500u, 5000u, 300'000u}) {
    FenceBuilder builder;
    int64_t bytes = 0;
    for (size_t i = 0; i < rows; ++i) {
      const auto row = static_cast<int64_t>(100 + i % 2000);
      builder.Add(std::to_string(1'000'000 + i), row);
      bytes += row;
    }
    const std::vector<SampledRow> fences = builder.Take();
    int64_t sum = 0;
    for (const SampledRow& fence : fences) sum += fence.second;
    EXPECT_EQ(sum, bytes);
    EXPECT_LT(fences.size(), 1024u);
    EXPECT_TRUE(std::ranges::is_sorted(fences));
    if (rows == 0) {
      EXPECT_TRUE(fences.empty());
      continue;
    }
    EXPECT_EQ(fences.back().first, std::to_string(1'000'000 + rows - 1));
    const int64_t distance = bytes >> 20 < 64 ? 64 << 10 : 512 << 10;
    EXPECT_NEAR(static_cast<double>(fences.size()), static_cast<double>(bytes) / static_cast<double>(distance),
                1 + 0.05 * static_cast<double>(fences.size()));
    EXPECT_TRUE(builder.Take().empty());
  }
}

TEST(FenceBuilderTest, LongKeysAreCut) {
  FenceBuilder builder;
  builder.Add(std::string(1000, 'a'), 100'000);
  builder.Add(std::string(1000, 'a') + "b", 200'000);
  const std::vector<SampledRow> fences = builder.Take();
  const std::string cut(kSampledKeyBytesMax, 'a');
  EXPECT_EQ(fences, (std::vector<SampledRow>{{cut, 100'000}, {cut, 200'000}}));
  ARun run{
      .bytes = 300'000, .records = 2, .first_key = std::string(1000, 'a'), .last_key = std::string(1000, 'a') + "b"};
  run.fences = fences;
  EXPECT_EQ(ShareOf(run, {"a", "b"}).bytes, 300'000);
  EXPECT_EQ(ShareOf(run, {"b", ""}).bytes, 0);
  EXPECT_EQ(ShareOf(run, {"", "a"}).bytes, 0);
}

// ---- shares ---------------------------------------------------------------------------------------------------------
struct Rows {
  Run run;
  std::vector<SampledRow> rows;
};

Rows RandomRows(unsigned seed, size_t count) {
  std::mt19937 random(seed);
  Rows made;
  FenceBuilder fences;
  for (size_t i = 0; i < count; ++i) {
    made.rows.emplace_back(std::to_string(1'000'000 + i * 3), random() % 50 == 0 ? 20'000 : 100 + random() % 1000);
    fences.Add(made.rows.back().first, made.rows.back().second);
    made.run.bytes += made.rows.back().second;
  }
  made.run.records = static_cast<int64_t>(count);
  made.run.first_key = made.rows.front().first;
  made.run.last_key = made.rows.back().first;
  made.run.fences = fences.Take();
  return made;
}

TEST(ShareOfTest, AWholeRunIsExact) {
  const Rows made = RandomRows(1, 10'000);
  for (const KeyRange& range : {KeyRange::All(), KeyRange{made.run.first_key, KeyAfter(made.run.last_key)}}) {
    const RangeShare share = ShareOf(made.run, range);
    EXPECT_EQ(share.bytes, made.run.bytes);
    EXPECT_EQ(share.records, made.run.records);
    EXPECT_EQ(share.sample, made.run.fences);
  }
  const RangeShare none = ShareOf(made.run, {"9", ""});
  EXPECT_EQ(none.bytes, 0);
  EXPECT_EQ(none.records, 0);
  EXPECT_TRUE(none.sample.empty());
  EXPECT_EQ(ShareOf(ARun(), KeyRange::All()).bytes, 0);
}

TEST(ShareOfTest, ARangeInAHoleHasNothing) {
  Rows made = RandomRows(2, 10'000);
  made.run.holes.Add({"1010000", ""});
  EXPECT_EQ(ShareOf(made.run, {"1010000", ""}).bytes, 0);
  EXPECT_EQ(ShareOf(made.run, {"1010001", "1010003"}).bytes, 0);
  const RangeShare rest = ShareOf(made.run, KeyRange::All());
  EXPECT_GT(rest.bytes, 0);
  EXPECT_LT(rest.sample.back().first, "1010000");
  made.run.holes.Add(KeyRange::All());
  EXPECT_EQ(ShareOf(made.run, KeyRange::All()).bytes, 0);
}

// Each end of the range and of a hole is off by half a fence at most.
TEST(ShareOfTest, AnEstimateIsNearTheRowsThatCount) {
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    Rows made = RandomRows(seed, seed % 5 == 0 ? 100'000 : 3000);
    const size_t keys = made.rows.size() * 3;
    const auto some_range = [&random, keys] {
      const size_t start = random() % keys;
      return KeyRange{std::to_string(1'000'000 + start),
                      random() % 8 == 0 ? "" : std::to_string(1'000'000 + start + random() % (keys - start))};
    };
    for (auto holes = random() % 4; holes > 0; --holes) made.run.holes.Add(some_range());
    int64_t fence_most = 0;
    for (const SampledRow& fence : made.run.fences) fence_most = std::max(fence_most, fence.second);
    for (int i = 0; i < 20; ++i) {
      const KeyRange range = some_range();
      if (range.Empty()) continue;
      int64_t bytes = 0, records = 0;
      for (const auto& [key, row_bytes] : made.rows) {
        if (!range.Contains(key) || made.run.holes.Contains(key)) continue;
        bytes += row_bytes;
        ++records;
      }
      const RangeShare share = ShareOf(made.run, range);
      const auto ends = static_cast<int64_t>(2 + 2 * made.run.holes.ranges().size());
      EXPECT_LE(std::abs(share.bytes - bytes), ends * (fence_most / 2 + 1)) << "seed " << seed << ", " << range;
      constexpr double kRowBytes = 600;  // where there are no large rows, and so the most records
      const double tolerance =
          static_cast<double>(ends * fence_most) / 2 / kRowBytes + 0.1 * static_cast<double>(records);
      EXPECT_NEAR(static_cast<double>(share.records), static_cast<double>(records), tolerance + 2) << "seed " << seed;
      for (const SampledRow& row : share.sample) {
        EXPECT_TRUE(range.Contains(row.first) && !made.run.holes.Contains(row.first)) << row.first;
      }
    }
  }
}

}  // namespace
}  // namespace ebla::tabletserver
