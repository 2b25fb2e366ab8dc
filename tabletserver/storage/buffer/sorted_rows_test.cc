#include "tabletserver/storage/buffer/sorted_rows.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>

namespace ebla::tabletserver {
namespace {

using Model = std::map<std::string, std::optional<std::string>>;

Model ReadAll(const SortedRows& rows, KeyRange range, bool reverse, ChangeNumber change) {
  Model all;
  SortedRows::Page page;
  for (rows.Read(range, reverse, change, 7, page); !page.rows.empty(); rows.Read(range, reverse, change, 7, page)) {
    for (size_t i = 0; i < page.rows.size(); ++i) {
      std::optional<std::string> value;
      if (const SortedRows::Bytes row = page.rows[i].bytes) value.emplace(*row);
      EXPECT_TRUE(all.emplace(page.rows[i].key, value).second) << page.rows[i].key;
    }
    const std::string last(page.rows.back().key);
    if (reverse) {
      range.end = last;
    } else {
      range.start = KeyAfter(last);
    }
    if (range.Empty() || (reverse && last.empty())) break;
  }
  return all;
}

TEST(SortedRowsTest, ARowThatFitsStaysWhereItIs) {
  SortedRows rows;
  rows.Put("cart", "three apples", 1, 0);
  const int64_t bytes = rows.bytes();
  for (ChangeNumber change = 2; change < 10'000; ++change) rows.Put("cart", "two apples", change, 0);
  EXPECT_EQ(rows.bytes(), bytes);
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_EQ(**rows.Find("cart"), "two apples");
}

TEST(SortedRowsTest, ADeletedRowIsKnown) {
  SortedRows rows;
  EXPECT_FALSE(rows.Find("cart").has_value());
  rows.Put("cart", std::nullopt, 1, 0);
  ASSERT_TRUE(rows.Find("cart").has_value());
  EXPECT_FALSE(rows.Find("cart")->has_value());
  rows.Put("cart", "", 2, 0);
  EXPECT_EQ(**rows.Find("cart"), "");
}

TEST(SortedRowsTest, AScanSeesTheVersionsOfItsTime) {
  SortedRows rows;
  rows.Put("a", "1", 1, 0);
  rows.Put("b", "1", 1, 0);
  rows.Put("a", std::nullopt, 2, 1);  // a scan up to change 1 is under way
  rows.Put("a", "a longer one", 3, 1);
  rows.Put("c", "3", 3, 1);
  EXPECT_EQ(ReadAll(rows, {}, false, 1), (Model{{"a", "1"}, {"b", "1"}}));
  EXPECT_EQ(ReadAll(rows, {}, false, 3), (Model{{"a", "a longer one"}, {"b", "1"}, {"c", "3"}}));
  EXPECT_EQ(**rows.Find("a", 1), "1");
  EXPECT_EQ(**rows.Find("a", 3), "a longer one");
  EXPECT_FALSE(rows.Find("c", 1).has_value());
}

// Random changes and scans, against a map that is copied at each scan's begin.
TEST(SortedRowsTest, EveryScanSeesOneMoment) {
  std::mt19937 random(1);
  SortedRows rows;
  Model model;
  std::map<ChangeNumber, Model> scans;
  for (ChangeNumber change = 1; change <= 3000; ++change) {
    for (int i = 0; i < 3; ++i) {
      std::string key(random() % 3, 'k');
      key += std::to_string(random() % 200);
      std::optional<std::string> value;
      if (random() % 4 != 0) value.emplace(random() % 300, static_cast<char>('a' + random() % 26));
      rows.Put(key, value, change, scans.empty() ? 0 : scans.rbegin()->first);
      model[key] = value;
    }
    if (random() % 50 == 0) scans[change] = model;
    if (scans.size() > 4) scans.erase(std::next(scans.begin(), static_cast<long>(random() % scans.size())));
    if (change % 100 != 0) continue;
    for (const auto& [at, seen] : scans) {
      EXPECT_EQ(ReadAll(rows, {}, false, at), seen);
      EXPECT_EQ(ReadAll(rows, {}, true, at), seen);
      const KeyRange range{"5", "k7"};
      EXPECT_EQ(ReadAll(rows, range, false, at), Model(seen.lower_bound("5"), seen.lower_bound("k7")));
      EXPECT_EQ(ReadAll(rows, range, true, at), Model(seen.lower_bound("5"), seen.lower_bound("k7")));
    }
  }
}

}  // namespace
}  // namespace ebla::tabletserver
