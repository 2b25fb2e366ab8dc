#include "common/items/item_function.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace ebla {
namespace {

using namespace std::string_literals;
using Change = FunctionResult::Change;
using std::chrono::milliseconds;

constexpr int64_t kNow = 1'700'000'000'000;

Result<FunctionResult> After(std::optional<FunctionInput::Record> record, const ItemStep& step,
                             std::optional<FoundItem>* found = nullptr) {
  return ChangeRecord({.arguments = {}, .record = record}, kNow, [&](std::optional<FoundItem> is) {
    if (found != nullptr) *found = std::move(is);
    return step;
  });
}

FunctionInput::Record Living(std::string_view value, std::optional<int64_t> left_ms = {}) {
  return {.value = value, .version = {Epoch{3}, Lsn{7}}, .left_ms = left_ms};
}

TEST(ItemFunction, ShowsTheItemAndItsEnd) {
  std::optional<FoundItem> found;
  ASSERT_TRUE(After(std::nullopt, ItemStep::Nothing(), &found));
  EXPECT_FALSE(found);
  ASSERT_TRUE(After(Living("v", 50), ItemStep::Nothing(), &found));
  EXPECT_EQ(found->item.value, "v");
  EXPECT_EQ(found->version, (Version{Epoch{3}, Lsn{7}}));
  EXPECT_EQ(found->expires_ms, kNow + 50);
  const std::string remembers = EncodeItem({.value = "v", .expires_ms = kNow + 48});
  ASSERT_TRUE(After(Living(remembers, 50), ItemStep::Nothing(), &found));
  EXPECT_EQ(found->expires_ms, kNow + 48) << "as it was first said";
  ASSERT_TRUE(After(Living(remembers), ItemStep::Nothing(), &found));
  EXPECT_EQ(found->expires_ms, std::nullopt) << "the record's own end is what counts";
}

TEST(ItemFunction, ALifetimeIsTheRecordsTtl) {
  const auto ttl = [](std::optional<FunctionInput::Record> record, Lifetime lifetime) {
    return After(record, ItemStep::Put({.value = "w"}, lifetime))->ttl_ms;
  };
  EXPECT_EQ(ttl(Living("v", 50), Lifetime::Kept()), std::nullopt);
  EXPECT_EQ(ttl(Living("v"), Lifetime::Kept()), 0);
  EXPECT_EQ(ttl({}, Lifetime::Kept()), 0);
  EXPECT_EQ(ttl(Living("v", 50), Lifetime::Forever()), 0);
  EXPECT_EQ(ttl(Living("v", 50), Lifetime::For(milliseconds(70))), 70);
  EXPECT_EQ(ttl({}, Lifetime::For(milliseconds(std::numeric_limits<int64_t>::max()))), kItemLifeMsMax);
}

TEST(ItemFunction, AnItemRemembersItsEndAsLongAsItIsKept) {
  const std::string remembers = EncodeItem({.value = "v", .expires_ms = kNow + 48});
  EXPECT_EQ(After(Living(remembers, 50), ItemStep::Put({.value = "w"}, Lifetime::Kept()))->value,
            EncodeItem({.value = "w", .expires_ms = kNow + 48}));
  for (const Lifetime lifetime : {Lifetime::Forever(), Lifetime::For(milliseconds(5))})
    EXPECT_EQ(After(Living(remembers, 50), ItemStep::Put({.value = "w"}, lifetime))->value, "w");
}

TEST(ItemFunction, WhatIsGoneIsADelete) {
  EXPECT_EQ(After(Living("v"), ItemStep::Delete())->change, Change::kDelete);
  EXPECT_EQ(After(Living("v"), ItemStep::Put({.value = "w"}, Lifetime::Gone()))->change, Change::kDelete);
  EXPECT_EQ(After({}, ItemStep::Delete())->change, Change::kNone);
}

TEST(ItemFunction, RecordsOfOthersAndImpossibleClocksAreRefused) {
  EXPECT_EQ(After(Living("\0\x07"s), ItemStep::Nothing()).error().code(), Code::kInternal);
  for (const int64_t now : {std::numeric_limits<int64_t>::min(), int64_t{-1}, std::numeric_limits<int64_t>::max()}) {
    const auto refused = ChangeRecord({}, now, [](const std::optional<FoundItem>&) { return ItemStep::Nothing(); });
    EXPECT_EQ(refused.error().code(), Code::kInvalidArgument) << now;
  }
}

}  // namespace
}  // namespace ebla
