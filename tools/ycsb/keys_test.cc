#include "tools/ycsb/keys.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>

namespace ebla::ycsb {
namespace {

// The definition of FNV-1a written out for a number below 256: its one byte, then seven zero bytes, each xored in and
// multiplied by the prime, all modulo 2^64. A zero byte only multiplies, so eight multiplications remain.
uint64_t ByDefinition(uint64_t small) {
  uint64_t hash = 14695981039346656037u ^ small;
  for (int i = 0; i < 8; ++i) hash *= 1099511628211u;
  return hash;
}

TEST(Keys, HashIsFnv1aOverEightBytesWithItsSignTakenAway) {
  for (const uint64_t number : {0, 1, 2, 7, 42, 255}) {
    const uint64_t raw = ByDefinition(number);
    const uint64_t absolute = raw >> 63 == 0 ? raw : 0 - raw;
    EXPECT_EQ(FnvHash(number), absolute) << number;
  }
  // Published test vector: FNV-1a 64 of eight zero bytes is a8c7f832281a39c5, whose absolute value is below.
  EXPECT_EQ(FnvHash(0), 0u - 0xa8c7f832281a39c5u);
  // Every byte counts, the highest too.
  EXPECT_NE(FnvHash(uint64_t{1} << 56), FnvHash(0));
}

TEST(Keys, NamesAreThoseThatYcsbGives) {
  EXPECT_EQ(KeyName({}, 0), "user6284781860667377211");
  EXPECT_EQ(KeyName({}, 1), "user8517097267634966620");
  EXPECT_EQ(KeyName({.zero_padding = 20}, 0), "user06284781860667377211");
  EXPECT_EQ(KeyName({.ordered = true}, 7), "user7");
  EXPECT_EQ(KeyName({.ordered = true, .zero_padding = 8}, 42), "user00000042");
  EXPECT_EQ(KeyName({.ordered = true, .zero_padding = 1}, 123), "user123");
}

std::vector<uint64_t> RecordsPerTablet(const KeyOptions& options, uint64_t records,
                                       const std::vector<std::string>& points) {
  std::vector<uint64_t> counts(points.size() + 1);
  for (uint64_t i = 0; i < records; ++i)
    ++counts[std::upper_bound(points.begin(), points.end(), KeyName(options, i)) - points.begin()];
  return counts;
}

TEST(Keys, SplitPointsShareTheRecordsEvenly) {
  const KeyOptions all[] = {{}, {.zero_padding = 20}, {.ordered = true}, {.ordered = true, .zero_padding = 12}};
  for (const KeyOptions& options : all) {
    const std::vector<std::string> points = SplitPoints(options, 50'000, 16);
    ASSERT_EQ(points.size(), 15u);
    EXPECT_TRUE(std::is_sorted(points.begin(), points.end()));
    for (const uint64_t count : RecordsPerTablet(options, 50'000, points)) {
      EXPECT_GT(count, 50'000u / 16 * 8 / 10);
      EXPECT_LT(count, 50'000u / 16 * 12 / 10);
    }
    for (const std::string& point : points) EXPECT_LE(point.size(), 12u + 4) << "no longer than it must be";
  }
}

TEST(Keys, FewRecordsGiveNoMoreSplitPointsThanTheyCan) {
  EXPECT_TRUE(SplitPoints({}, 1000, 1).empty());
  EXPECT_TRUE(SplitPoints({}, 1, 8).empty());
  EXPECT_EQ(SplitPoints({}, 3, 8).size(), 2u);
  EXPECT_TRUE(SplitPoints({}, 0, 8).empty());
}

TEST(Keys, JavaHashIsThatOfJava) {
  EXPECT_EQ(JavaHash(""), 0);
  EXPECT_EQ(JavaHash("a"), 97);
  EXPECT_EQ(JavaHash("ab"), 97 * 31 + 98);
  EXPECT_EQ(JavaHash("hello world"), 1794106052);
  EXPECT_EQ(JavaHash("polygenelubricants"), INT32_MIN);  // the well-known string that hashes to the least int
}

}  // namespace
}  // namespace ebla::ycsb
