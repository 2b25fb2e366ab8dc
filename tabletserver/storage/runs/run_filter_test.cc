#include "tabletserver/storage/runs/run_filter.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <string>
#include <vector>

namespace ebla::tabletserver {
namespace {

std::string Key(size_t number) { return "cart/" + std::to_string(number); }

std::string FilterOf(size_t keys, size_t expected) {
  RunFilterBuilder builder(expected);
  for (size_t i = 0; i < keys; ++i) builder.Add(Key(i));
  return builder.Finish();
}

std::string FilterOf(size_t keys) { return FilterOf(keys, keys); }

bool MayContain(const RunFilter& filter, const std::string& key) { return filter.MayContain(RunFilter::HashOf(key)); }

TEST(RunFilterTest, EveryKeyPasses) {
  for (const size_t keys : {1u, 2u, 51u, 52u, 1000u, 100'000u}) {
    const RunFilter filter(FilterOf(keys));
    EXPECT_GT(filter.bytes(), 0);
    for (size_t i = 0; i < keys; ++i) ASSERT_TRUE(MayContain(filter, Key(i))) << i << " of " << keys;
  }
}

TEST(RunFilterTest, FewForeignKeysPass) {
  constexpr size_t kKeys = 100'000;
  const RunFilter filter(FilterOf(kKeys));
  EXPECT_LE(filter.bytes(), static_cast<int64_t>(kKeys * 10 / 8 + 64));
  size_t passed = 0;
  for (size_t i = kKeys; i < 2 * kKeys; ++i) passed += MayContain(filter, Key(i)) ? 1 : 0;
  RecordProperty("passed_of_100000", static_cast<int>(passed));
  EXPECT_LE(passed, kKeys * 2 / 100);
}

TEST(RunFilterTest, BinaryKeysPass) {
  std::mt19937 random(1);
  RunFilterBuilder builder(10'000);
  std::vector<std::string> keys;
  for (int i = 0; i < 10'000; ++i) {
    std::string key(random() % 300, '\0');
    for (char& byte : key) byte = static_cast<char>(random());
    builder.Add(key);
    keys.push_back(std::move(key));
  }
  const RunFilter filter(builder.Finish());
  for (const std::string& key : keys) ASSERT_TRUE(MayContain(filter, key));
}

// A merge is told the records of its inputs, and may have any part of them.
TEST(RunFilterTest, AnyNumberOfKeysMayBeExpected) {
  for (const size_t keys : {1u, 52u, 1000u, 100'000u}) {
    for (const size_t expected : {0u, 1u, 500u, 99'999u, 210'000u, 1'000'000u, 3'000'000u}) {
      const RunFilter filter(FilterOf(keys, expected));
      for (size_t i = 0; i < keys; ++i) ASSERT_TRUE(MayContain(filter, Key(i))) << i << " of " << keys;
      if (expected < keys) continue;
      size_t passed = 0;
      for (size_t i = keys; i < keys + 10'000; ++i) passed += MayContain(filter, Key(i)) ? 1 : 0;
      EXPECT_LE(passed, 200u) << keys << " of " << expected;
    }
  }
}

TEST(RunFilterTest, AFilterOfFewerKeysIsFolded) {
  for (const size_t keys : {1u, 50u, 1000u, 15'625u}) {
    const auto twice = static_cast<size_t>(2 * RunFilter(FilterOf(keys)).bytes() * 8 / 10);
    EXPECT_TRUE(FilterOf(keys, twice) == FilterOf(keys)) << keys;
  }
  EXPECT_TRUE(FilterOf(15'625, 1'000'000) == FilterOf(15'625)) << "64 blocks become one";
  EXPECT_EQ(RunFilter(FilterOf(100, 1'000'000)).bytes(), 153 * 64) << "an odd number of blocks is not folded";
  EXPECT_EQ(FilterOf(0, 1'000'000), "");
}

int64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  int64_t all = 0, resident = 0;
  in >> all >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// 8 bytes for each key would be 64 MB.
TEST(RunFilterTest, ABuilderHasNoMoreMemoryThanItsFilter) {
  constexpr size_t kKeys = 8'000'000;
  const int64_t before = ResidentBytes();
  RunFilterBuilder builder(kKeys);
  for (size_t i = 0; i < kKeys; ++i) builder.Add(Key(i));
  EXPECT_LT(ResidentBytes() - before, 40'000'000);
}

TEST(RunFilterTest, AFilterOfNoKeysLetsAllPass) {
  EXPECT_EQ(FilterOf(0), "");
  const RunFilter filter("");
  EXPECT_TRUE(MayContain(filter, "a"));
  EXPECT_EQ(filter.bytes(), 0);
}

TEST(RunFilterTest, DamagedBytesLetAllPass) {
  constexpr size_t kKeys = 200;
  const std::string whole = FilterOf(kKeys);
  const auto all_pass = [](const std::string& bytes) {
    const RunFilter filter(bytes);
    for (size_t i = 0; i < 2 * kKeys; ++i) {
      if (!MayContain(filter, Key(i))) return false;
    }
    return true;
  };
  EXPECT_FALSE(all_pass(whole));
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_TRUE(all_pass(whole.substr(0, size))) << size;
  EXPECT_TRUE(all_pass(whole + '\0'));
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string flipped = whole;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << (i % 8)));
    EXPECT_TRUE(all_pass(flipped)) << i;
  }
  std::mt19937 random(2);
  for (int i = 0; i < 1000; ++i) {
    std::string foreign(random() % 300, '\0');
    for (char& byte : foreign) byte = static_cast<char>(random());
    if (!foreign.empty()) foreign[0] = 1;
    EXPECT_TRUE(all_pass(foreign));
  }
}

// The bytes are on disk: a build that computes others must have another format.
TEST(RunFilterTest, TheBytesStay) {
  const std::string bytes = FilterOf(1000);
  EXPECT_EQ(bytes.size(), 2u + 20 * 64 + 8);
  EXPECT_EQ(RunFilter::HashOf(bytes), 8874774072460311777u);
}

}  // namespace
}  // namespace ebla::tabletserver
