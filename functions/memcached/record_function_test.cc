#include "functions/memcached/record_function.h"

#include <gtest/gtest.h>

#include <limits>

namespace ebla::memcached {
namespace {

using namespace std::string_literals;
using Change = FunctionResult::Change;
using Verb = ItemOrder::Verb;

constexpr int64_t kNow = 1'700'000'000'000;
constexpr Version kVersion{Epoch{3}, Lsn{7}};

struct Applied {
  FunctionResult result;
  Finding finding;
};
Result<Applied> Apply(const ItemOrder& order, const std::optional<Item>& item = {},
                      std::optional<int64_t> expires_ms = {}) {
  const std::string arguments = EncodeOrder(order), record = item ? EncodeItem(*item) : "";
  FunctionInput input{.arguments = arguments, .now_ms = kNow, .record = std::nullopt};
  if (item) input.record.emplace(FunctionInput::Record{.value = record, .version = kVersion, .expires_ms = expires_ms});
  EBLA_ASSIGN(FunctionResult result, ApplyOrder(input));
  EBLA_ASSIGN(Finding finding, DecodeFinding(result.answer));
  return Applied{std::move(result), std::move(finding)};
}

TEST(MemcachedFunction, TellsAllThatItFound) {
  const Item item{.value = "abc", .flags = 9, .stale = true};
  const auto looked = Apply({.verb = Verb::kLook, .value_wanted = true}, item, kNow + 5'000);
  ASSERT_TRUE(looked) << looked.error();
  const Finding& finding = looked->finding;
  EXPECT_EQ(finding.outcome, Outcome::kDone);
  EXPECT_TRUE(finding.changed);
  EXPECT_TRUE(finding.won);
  EXPECT_TRUE(finding.stale);
  EXPECT_FALSE(finding.created);
  EXPECT_FALSE(finding.sent_before);
  EXPECT_EQ(finding.flags, 9u);
  EXPECT_EQ(finding.value, "abc");
  EXPECT_EQ(finding.expires_ms, kNow + 5'000);
  EXPECT_EQ(finding.version, kVersion);
  EXPECT_EQ(looked->result.value, EncodeItem({.value = "abc", .flags = 9, .stale = true, .won = true}));
  EXPECT_EQ(looked->result.expires_ms, std::nullopt);

  Item told = item;
  told.won = true;
  const auto second = Apply({.verb = Verb::kLook}, told);
  ASSERT_TRUE(second) << second.error();
  EXPECT_TRUE(second->finding.sent_before);
  EXPECT_EQ(second->finding.value, "") << "nobody wants it";
  EXPECT_EQ(second->finding.size, 3u);
  EXPECT_EQ(second->result.change, Change::kNone);
}

TEST(MemcachedFunction, ACountIsOfSixtyFourBits) {
  const auto count = [](const ItemOrder& order, const std::string& value) {
    const auto applied = Apply(order, Item{.value = value});
    return applied->finding.outcome == Outcome::kDone ? applied->result.value : "-"s;
  };
  EXPECT_EQ(count({.verb = Verb::kIncrement}, "41"), "42");
  EXPECT_EQ(count({.verb = Verb::kIncrement, .delta = 2}, "18446744073709551615"), "1                   ");
  EXPECT_EQ(count({.verb = Verb::kDecrement, .delta = 50}, "41"), "0 ");
  EXPECT_EQ(count({.verb = Verb::kIncrement}, "x"), "-");
  EXPECT_EQ(Apply({.verb = Verb::kIncrement, .cas = 1}, Item{.value = "x"})->finding.outcome, Outcome::kExists);
  EXPECT_EQ(Apply({.verb = Verb::kIncrement, .cas = 1}, Item{.value = ""})->finding.outcome, Outcome::kNotANumber);
  EXPECT_EQ(Apply({.verb = Verb::kIncrement, .cas = 1}, Item{.value = "1"})->finding.outcome, Outcome::kExists);
  EXPECT_EQ(Apply({.verb = Verb::kIncrement, .cas = CasOf(kVersion)}, Item{.value = "1"})->result.value, "2");
  EXPECT_EQ(Apply({.verb = Verb::kIncrement})->finding.outcome, Outcome::kNotFound);
  const auto made = Apply({.verb = Verb::kIncrement, .initial = 13, .created_ttl = 60});
  EXPECT_EQ(made->result.value, "13");
  EXPECT_EQ(made->result.expires_ms, kNow + 60'000);
  EXPECT_TRUE(made->finding.created);
}

TEST(MemcachedFunction, WhatIsJoinedKeepsFlagsAndTimeAndHasToFit) {
  const Item item{.value = "bc", .flags = 4};
  const auto joined = Apply({.verb = Verb::kPrepend, .value = "a", .flags = 1, .new_ttl = 5}, item, kNow + 1'000);
  EXPECT_EQ(joined->result.value, EncodeItem({.value = "abc", .flags = 4}));
  EXPECT_EQ(joined->result.expires_ms, std::nullopt);
  EXPECT_EQ(Apply({.verb = Verb::kAppend, .value = "a"})->finding.outcome, Outcome::kNotStored);
  const auto full = Apply({.verb = Verb::kAppend, .value = "x"}, Item{.value = std::string(kCacheValueBytesMax, 'x')});
  EXPECT_EQ(full->finding.outcome, Outcome::kNotStored);
  EXPECT_EQ(full->result.change, Change::kNone);
}

TEST(MemcachedFunction, TimesAreTheServers) {
  const Item item{.value = "v"};
  EXPECT_EQ(Apply({.verb = Verb::kTouch, .new_ttl = 30}, item)->result.expires_ms, kNow + 30'000);
  EXPECT_EQ(Apply({.verb = Verb::kTouch, .new_ttl = 0}, item, kNow + 50)->result.expires_ms, 0);
  EXPECT_EQ(Apply({.verb = Verb::kTouch, .new_ttl = kNow / 1'000 + 7}, item)->result.expires_ms, kNow + 7'000);
  const auto gone = Apply({.verb = Verb::kTouch, .new_ttl = -1}, item);
  EXPECT_EQ(gone->result.change, Change::kDelete);
  EXPECT_TRUE(gone->finding.changed);
  EXPECT_EQ(Apply({.verb = Verb::kInvalidate}, item, kNow + 50)->result.expires_ms, std::nullopt);
}

TEST(MemcachedFunction, RecacheIsJudgedByTheOldLifeOrTheNew) {
  const auto won = [](bool by_new_ttl, int64_t left_ms) {
    return Apply({.verb = Verb::kLook, .new_ttl = 10, .recache_ttl = 30, .recache_by_new_ttl = by_new_ttl},
                 Item{.value = "v"}, kNow + left_ms)
        ->finding.won;
  };
  EXPECT_FALSE(won(false, 100'000));
  EXPECT_TRUE(won(true, 100'000));
  EXPECT_TRUE(won(false, 20'000));
}

TEST(MemcachedFunction, TakesNothingButWholeOrders) {
  const std::string whole =
      EncodeOrder({.verb = Verb::kIncrement, .value = "v", .cas = 5, .new_ttl = 5, .created_ttl = 6, .recache_ttl = 7});
  EXPECT_TRUE(ApplyOrder({.arguments = whole, .record = {}}));
  for (size_t size = 0; size < whole.size(); ++size) {
    const std::string cut = whole.substr(0, size);
    EXPECT_EQ(ApplyOrder({.arguments = cut, .record = {}}).error().code(), Code::kInvalidArgument) << size;
  }
  const ItemOrder bad[] = {{.verb = static_cast<Verb>(8)},
                           {.verb = static_cast<Verb>(255)},
                           {.new_ttl = int64_t{1} << 40},
                           {.created_ttl = std::numeric_limits<int64_t>::min()},
                           {.value = std::string(kCacheValueBytesMax + 1, 'x')}};
  for (const ItemOrder& order : bad) EXPECT_EQ(Apply(order).error().code(), Code::kInvalidArgument);
  const std::string trailing = whole + "x";
  EXPECT_EQ(ApplyOrder({.arguments = trailing, .record = {}}).error().code(), Code::kInvalidArgument);
}

TEST(MemcachedFunction, AnAnswerThatIsCutIsNone) {
  const auto applied = Apply({.verb = Verb::kTouch, .new_ttl = 5, .value_wanted = true}, Item{.value = "v"}, kNow + 50);
  const std::string& answer = applied->result.answer;
  for (size_t size = 0; size < answer.size(); ++size)
    EXPECT_FALSE(DecodeFinding(std::string_view(answer).substr(0, size))) << size;
  EXPECT_FALSE(DecodeFinding(answer + "x"));
}

}  // namespace
}  // namespace ebla::memcached
