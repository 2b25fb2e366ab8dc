// The middle of a tablet's data, from samples of its rows.
#include "tabletserver/reads/middle_key.h"

#include <gtest/gtest.h>

#include <random>

#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {
namespace {

std::string MiddleKeyOf(uint64_t number) { return std::to_string(100'000 + number); }

// The error with random rows among 10,000 of the same size.
TabletStore::RangeSize Random(size_t rows, uint64_t seed) {
  std::mt19937_64 chance(seed);
  TabletStore::RangeSize size;
  for (size_t i = 0; i < rows; ++i) size.sample.emplace_back(MiddleKeyOf(chance() % 10'000), 100);
  return size;
}

TEST(MiddleKey, HalvesTheBytes) {
  MiddleKey middle;
  middle.Add(Random(400, 1), KeyRange::All());
  EXPECT_GT(middle.Find(), MiddleKeyOf(4'200));
  EXPECT_LT(middle.Find(), MiddleKeyOf(5'800));

  RowSample walk;  // of all rows; those of the last tenth are as large as all others together
  for (uint64_t i = 0; i < 10'000; ++i) walk.Add(MiddleKeyOf(i), i < 9'000 ? 100 : 900);
  TabletStore::RangeSize whole;
  whole.whole = true;
  whole.sample = walk.Take();
  EXPECT_GE(whole.sample.size(), 64u);
  EXPECT_LE(whole.sample.size(), 128u);
  middle.Add(whole, KeyRange::All());
  EXPECT_GT(middle.Find(), MiddleKeyOf(8'800));
  EXPECT_LT(middle.Find(), MiddleKeyOf(9'200));
}

TEST(MiddleKey, GathersUntilItKnows) {
  MiddleKey middle;
  for (uint64_t turn = 0; turn < 5; ++turn) {
    EXPECT_EQ(middle.Find(), "") << turn;
    middle.Add(Random(3, turn), KeyRange::All());
  }
  for (uint64_t turn = 5; turn < 30; ++turn) middle.Add(Random(3, turn), KeyRange::All());
  EXPECT_GT(middle.Find(), MiddleKeyOf(3'500));
  EXPECT_LT(middle.Find(), MiddleKeyOf(6'500));
  const KeyRange half{"", MiddleKeyOf(5'000)};
  middle.Add({}, half);
  EXPECT_GT(middle.Find(), MiddleKeyOf(1'200)) << "of what lies in the range that is left";
  EXPECT_LT(middle.Find(), MiddleKeyOf(3'800));
}

TEST(MiddleKey, FollowsDataThatChanges) {
  MiddleKey middle;
  middle.Add(Random(400, 1), KeyRange::All());
  for (uint64_t turn = 0; turn < 40; ++turn) {
    TabletStore::RangeSize size = Random(3, turn);
    for (auto& [key, bytes] : size.sample) key = "2" + key;
    middle.Add(size, KeyRange::All());
  }
  EXPECT_GT(middle.Find(), "2" + MiddleKeyOf(3'000));
}

TEST(MiddleKey, IsNeverTooLongAndNeverBetweenEqualKeys) {
  TabletStore::RangeSize size;
  for (int i = 0; i < 20; ++i) size.sample.emplace_back("same", 10);
  MiddleKey same;
  same.Add(size, KeyRange::All());
  EXPECT_EQ(same.Find(), "");
  for (size_t i = 0; i < size.sample.size(); ++i) size.sample[i].first = std::string(256, 'k') + MiddleKeyOf(i);
  MiddleKey none;
  none.Add(size, KeyRange::All());
  EXPECT_EQ(none.Find(), "");
}

}  // namespace
}  // namespace ebla::tabletserver
