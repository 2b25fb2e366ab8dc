#include "functions/items/item_function.h"

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
  return ChangeRecord({.arguments = {}, .now_ms = kNow, .record = record}, [&](std::optional<FoundItem> is) {
    if (found != nullptr) *found = std::move(is);
    return step;
  });
}

FunctionInput::Record Living(std::string_view value, std::optional<int64_t> expires_ms = {}) {
  return {.value = value, .version = {Epoch{3}, Lsn{7}}, .expires_ms = expires_ms};
}

TEST(ItemFunction, ShowsTheItemAndItsEnd) {
  std::optional<FoundItem> found;
  ASSERT_TRUE(After(std::nullopt, ItemStep::Nothing(), &found));
  EXPECT_FALSE(found);
  ASSERT_TRUE(After(Living("v", kNow + 50), ItemStep::Nothing(), &found));
  EXPECT_EQ(found->item.value, "v");
  EXPECT_EQ(found->version, (Version{Epoch{3}, Lsn{7}}));
  EXPECT_EQ(found->expires_ms, kNow + 50);
}

TEST(ItemFunction, ALifetimeIsWhenTheRecordExpires) {
  const auto expires_ms = [](Lifetime lifetime) {
    return After(Living("v", kNow + 50), ItemStep::Put({.value = "w"}, lifetime))->expires_ms;
  };
  EXPECT_EQ(expires_ms(Lifetime::Kept()), std::nullopt);
  EXPECT_EQ(expires_ms(Lifetime::Forever()), 0);
  EXPECT_EQ(expires_ms(Lifetime::For(milliseconds(70))), kNow + 70);
  EXPECT_EQ(expires_ms(Lifetime::Until(kNow + 70)), kNow + 70);
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max();
  EXPECT_EQ(expires_ms(Lifetime::For(milliseconds(kMost))), kNow + limits::kTtlMsMax);
  EXPECT_EQ(expires_ms(Lifetime::Until(kMost)), limits::kExpiryMsMax);
  EXPECT_EQ(expires_ms(Lifetime::Until(-kMost)), 1);
}

TEST(ItemFunction, WhatIsGoneIsADelete) {
  EXPECT_EQ(After(Living("v"), ItemStep::Delete())->change, Change::kDelete);
  EXPECT_EQ(After(Living("v"), ItemStep::Put({.value = "w"}, Lifetime::Gone()))->change, Change::kDelete);
  EXPECT_EQ(After({}, ItemStep::Delete())->change, Change::kNone);
}

TEST(ItemFunction, RecordsOfOthersAreRefused) {
  EXPECT_EQ(After(Living("\0\x07"s), ItemStep::Nothing()).error().code(), Code::kInternal);
}

}  // namespace
}  // namespace ebla
