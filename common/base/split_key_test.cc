#include "common/base/split_key.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

namespace ebla {
namespace {

TEST(KeyGroupRule, AGroupBeginsWhereNoSplitCutsIt) {
  const KeyGroupRule none;
  EXPECT_EQ(none.Start("user42:cart"), "user42:cart");
  const KeyGroupRule prefix{4, ""};
  EXPECT_EQ(prefix.Start("user42"), "user");
  EXPECT_EQ(prefix.Start("us"), "us");
  const KeyGroupRule delimited{0, ":"};
  EXPECT_EQ(delimited.Start("user42:cart:1"), "user42:");
  EXPECT_EQ(delimited.Start("user42"), "user42");
  const KeyGroupRule with_bare{0, std::string(1, '\0')};
  EXPECT_EQ(with_bare.Start(std::string("user42\0cart", 11)), "user42");
  EXPECT_EQ(with_bare.Start(std::string("user42\0", 7)), "user42");
  EXPECT_EQ(with_bare.Start("user42"), "user42");
}

TEST(KeyGroupRule, AGroupIsTheRangeOfItsKeys) {
  EXPECT_EQ(KeyGroupRule().RangeOf("user42"), (KeyRange{"user42", KeyAfter("user42")}));
  EXPECT_EQ((KeyGroupRule{.prefix_bytes = 4}.RangeOf("user42")), (KeyRange{"user", "uses"}));
  EXPECT_EQ((KeyGroupRule{.prefix_bytes = 4}.RangeOf("us")), (KeyRange{"us", KeyAfter("us")}));
  EXPECT_EQ((KeyGroupRule{.delimiter = ":"}.RangeOf("user42:cart:1")), (KeyRange{"user42:", "user42;"}));
  EXPECT_EQ((KeyGroupRule{.all = true}.RangeOf("user42")), KeyRange::All());
  const KeyGroupRule with_bare{.delimiter = std::string(1, '\0')};
  const KeyRange group{"user42", std::string("user42\1", 7)};
  for (const std::string& key : {std::string("user42"), std::string("user42\0", 7), std::string("user42\0cart", 11)})
    EXPECT_EQ(with_bare.RangeOf(key), group);
}

// Groups of two keys are the same, or share no key.
TEST(KeyGroupRule, GroupsAreDisjoint) {
  EXPECT_TRUE(rc::check([](const std::string& one, const std::string& other, uint8_t bytes, uint8_t kind) {
    RC_PRE(!one.empty() && !other.empty());
    KeyGroupRule rule;
    if (kind % 3 == 0) rule.prefix_bytes = bytes % 4u;
    if (kind % 3 == 1) rule.delimiter = std::string(1, static_cast<char>(bytes % 3));
    const KeyRange first = rule.RangeOf(one), second = rule.RangeOf(other);
    RC_ASSERT(first.Contains(one));
    RC_ASSERT(first == second || !first.Overlaps(second));
    RC_ASSERT(first.Contains(other) == (first == second));
  }));
}

TEST(ShortestSeparator, IsABeginningOfTheGreaterOne) {
  EXPECT_EQ(ShortestSeparator("user1299", "user1300"), "user13");
  EXPECT_EQ(ShortestSeparator("user0499", "user0500"), "user05");
  EXPECT_EQ(ShortestSeparator("a", "ab"), "ab");
  EXPECT_EQ(ShortestSeparator("user", "user1300"), "user1");
  EXPECT_EQ(ShortestSeparator("", "user1300"), "u");
}

TEST(ShortestSeparator, DividesAnyTwoKeys) {
  EXPECT_TRUE(rc::check([](const std::string& one, const std::string& other) {
    RC_PRE(one != other);
    const auto [below, above] = std::minmax(one, other);
    const std::string key = ShortestSeparator(below, above);
    RC_ASSERT(below < key);
    RC_ASSERT(key <= above);
    RC_ASSERT(key.substr(0, key.size() - 1) <= below);
  }));
}

}  // namespace
}  // namespace ebla
