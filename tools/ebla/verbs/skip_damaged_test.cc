// Damage ends at the first key that can be read.
#include "tools/ebla/verbs/skip_damaged.h"

#include <gtest/gtest.h>

#include <set>

namespace ebla::shell {
namespace {

// A table, of which the keys of one range cannot be read.
struct Damaged {
  std::set<std::string> keys;
  KeyRange damage;
  int asked = 0;

  // None: there is no key from there on.
  const std::string* From(const std::string& key, const KeyRange& range) const {
    const auto found = keys.lower_bound(key);
    return found == keys.end() || !range.Contains(*found) ? nullptr : &*found;
  }
  std::string EndFrom(const KeyRange& range) {
    return EndOfDamage(range,
                       [&](const std::string& key) -> Result<bool> {
                         ++asked;
                         EXPECT_TRUE(range.Contains(key));
                         const std::string* const first = From(key, range);
                         return first == nullptr || !damage.Contains(*first);
                       })
        .value();
  }
};

TEST(SkipDamagedTest, FindsTheFirstKeyBehindIt) {
  Damaged table;
  for (int i = 1000; i < 3000; ++i) table.keys.insert("user" + std::to_string(i) + "/cart");
  for (const std::string from : {"user1000/cart", "user1499/cart", "user1500/cart", "user1990/cart", "user2998/cart"}) {
    for (const std::string to : {"user1501/cart", "user1999/cart", "user2000/cart", "user2999/cart"}) {
      if (to <= from) continue;
      table.damage = {from, to};
      for (const std::string end : {"", "user3", "v", "user2999/cart"}) {
        table.asked = 0;
        const std::string found = table.EndFrom({from, end});
        const std::string* const first = table.From(found, KeyRange{found, end});
        if (to == end) {
          EXPECT_EQ(first, nullptr) << "from there on nothing is to be read";
        } else {
          ASSERT_NE(first, nullptr) << from << " " << to << " " << found;
          EXPECT_EQ(*first, to);
        }
        EXPECT_LT(table.asked, 200);
      }
    }
  }
}

TEST(SkipDamagedTest, ATableWithoutItsFileHasNone) {
  Damaged table;
  for (int i = 0; i < 100; ++i) table.keys.insert("k" + std::to_string(i));
  table.keys.insert("\xff\xff\xff");
  table.damage = KeyRange::All();
  EXPECT_EQ(table.EndFrom(KeyRange::All()), "");
  EXPECT_GT(table.EndFrom({"k5", "k7"}), "k69");
}

TEST(SkipDamagedTest, AnErrorOfAnotherKindEndsTheSearch) {
  const auto end = EndOfDamage(
      {"a", ""}, [](const std::string&) -> Result<bool> { return Error(Code::kUnavailable, "no primary"); });
  EXPECT_EQ(end.error().code(), Code::kUnavailable);
}

}  // namespace
}  // namespace ebla::shell
