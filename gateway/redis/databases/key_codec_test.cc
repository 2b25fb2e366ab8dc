#include "gateway/redis/databases/key_codec.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <algorithm>

#include "common/base/split_key.h"

namespace ebla::gateway::redis {
namespace {

using namespace std::string_literals;

// A key of few different bytes, so that tags, escaped bytes and common prefixes are frequent.
std::string AnyKey(size_t most = 12) {
  const std::string letters = "ab{}\0\1\2\3\xff"s;
  const auto size = *rc::gen::inRange<size_t>(0, most);
  return *rc::gen::container<std::string>(size, rc::gen::elementOf(letters));
}

TEST(RecordKey, PlainKeysLieAsTheyAre) {
  EXPECT_EQ(RecordKey("cart"), "cart");
  EXPECT_EQ(RecordKey("cart:{}:7"), "cart:{}:7");
  EXPECT_EQ(RecordKey("cart:{7"), "cart:{7");
  EXPECT_EQ(RecordKey("a\0b\1"s), "a\1\1b\1\2"s);
  EXPECT_EQ(RecordKey("cart:{42}:items"), "\1\3"s + "42\0cart:{42}:items"s);
  EXPECT_EQ(RecordKey(""), "\1\4");
}

TEST(RecordKey, TagsAreGroups) {
  EXPECT_EQ(GroupOf("cart:{42}"), GroupOf("{42}:user"));
  EXPECT_NE(GroupOf("cart:{42}"), GroupOf("42"));
  EXPECT_NE(GroupOf("a"), GroupOf("b"));
  EXPECT_EQ(GroupOf("{a}{b}"), GroupOf("x{a}"));
  EXPECT_NE(GroupOf("{}{b}"), GroupOf("x{b}"));
}

TEST(RecordKey, EveryKeyComesBackAndNoTwoAreOne) {
  EXPECT_TRUE(rc::check([] {
    const std::string one = AnyKey(), other = AnyKey();
    RC_ASSERT(KeyOfRecord(RecordKey(one)) == one);
    RC_ASSERT((one == other) == (RecordKey(one) == RecordKey(other)));
  }));
}

TEST(RecordKey, WhatOthersPutWhereNoKeyLiesIsNone) {
  for (const std::string& record : {"cart:{42}"s, "\1\3x\0foo"s, "\1\3x\0{y}foo"s, "\1\3x"s, "\1\5"s, "a\0b"s, ""s})
    EXPECT_EQ(KeyOfRecord(record), std::nullopt) << record;
  EXPECT_TRUE(rc::check([] {
    const std::string record = AnyKey();
    const auto key = KeyOfRecord(record);
    const bool comes_back = !key || RecordKey(*key) == record;
    RC_ASSERT(comes_back);
  }));
}

TEST(RecordKey, NoSplitCutsAGroup) {
  const KeyGroupRule rule{0, std::string(1, '\0')};
  EXPECT_TRUE(rc::check([&] {
    const std::string one = AnyKey(), other = AnyKey();
    RC_ASSERT(rule.Start(RecordKey(one)) == GroupOf(one));
    RC_ASSERT((GroupOf(one) == GroupOf(other)) == (rule.Start(RecordKey(one)) == rule.Start(RecordKey(other))));
  }));
}

TEST(RecordKey, APrefixIsWithinItsRanges) {
  EXPECT_TRUE(rc::check([] {
    const std::string prefix = AnyKey(5);
    const std::string record = RecordKey(prefix + AnyKey());
    const std::vector<KeyRange> ranges = RangesOfPrefix(prefix);
    RC_ASSERT(std::ranges::count_if(ranges, [&](const KeyRange& range) { return range.Contains(record); }) == 1);
    RC_ASSERT(std::ranges::is_sorted(ranges, {}, &KeyRange::start));
  }));
}

}  // namespace
}  // namespace ebla::gateway::redis
