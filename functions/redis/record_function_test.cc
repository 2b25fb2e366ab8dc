#include "functions/redis/record_function.h"

#include <gtest/gtest.h>

#include <limits>

#include "common/base/encoding.h"

namespace ebla::redis {
namespace {

using namespace std::string_literals;
using Change = FunctionResult::Change;

constexpr int64_t kNow = 1'700'000'000'000;

Result<FunctionResult> Apply(const Words& words, std::optional<FunctionInput::Record> record = {}) {
  const std::string arguments = EncodeCommand(2, words);
  return ApplyCommand({.arguments = arguments, .now_ms = kNow, .record = record});
}

FunctionInput::Record Living(std::string_view value, std::optional<int64_t> expires_ms = {}) {
  return {.value = value, .version = {}, .expires_ms = expires_ms};
}

TEST(RedisFunction, MakesOfNoRecordWhatTheCommandMakesOfNoKey) {
  const auto appended = Apply({"APPEND", "k", "abc"});
  ASSERT_TRUE(appended) << appended.error();
  EXPECT_EQ(appended->change, Change::kPut);
  EXPECT_EQ(appended->value, "abc");
  EXPECT_EQ(appended->answer, ":3\r\n");
  EXPECT_EQ(appended->expires_ms, 0);

  const auto gone = Apply({"getdel", "k"});
  ASSERT_TRUE(gone) << gone.error();
  EXPECT_EQ(gone->change, Change::kNone);
  EXPECT_EQ(gone->answer, "$-1\r\n");
}

TEST(RedisFunction, AValueThatIsChangedKeepsItsTime) {
  const auto appended = Apply({"APPEND", "k", "c"}, Living("ab", kNow + 1'234));
  ASSERT_TRUE(appended) << appended.error();
  EXPECT_EQ(appended->value, "abc");
  EXPECT_EQ(appended->expires_ms, std::nullopt);
}

TEST(RedisFunction, TimesAreTheServers) {
  const auto seconds = Apply({"EXPIRE", "k", "10"}, Living("v"));
  ASSERT_TRUE(seconds) << seconds.error();
  EXPECT_EQ(seconds->expires_ms, kNow + 10'000);
  EXPECT_EQ(seconds->value, "v");
  const auto at = Apply({"PEXPIREAT", "k", std::to_string(kNow + 5)}, Living("v", kNow + 100));
  ASSERT_TRUE(at) << at.error();
  EXPECT_EQ(at->expires_ms, kNow + 5);
  EXPECT_EQ(Apply({"PEXPIREAT", "k", std::to_string(kNow - 5)}, Living("v", kNow + 100))->change, Change::kDelete);
  EXPECT_EQ(Apply({"PEXPIRE", "k", "50", "GT"}, Living("v", kNow + 100))->answer, ":0\r\n");
  EXPECT_EQ(Apply({"PEXPIRE", "k", "150", "GT"}, Living("v", kNow + 100))->expires_ms, kNow + 150);
  EXPECT_EQ(Apply({"PERSIST", "k"}, Living("v", kNow + 100))->expires_ms, 0);
  EXPECT_EQ(Apply({"PERSIST", "k"}, Living("v"))->change, Change::kNone);
}

TEST(RedisFunction, AValueThatBeginsWithAZeroIsFramed) {
  const auto set = Apply({"SETBIT", "k", "15", "1"});
  ASSERT_TRUE(set) << set.error();
  EXPECT_EQ(set->value, EncodeItem({.value = "\x00\x01"s}));
  EXPECT_EQ(Apply({"SETBIT", "k", "15", "0"}, Living(set->value))->answer, ":1\r\n");
}

TEST(RedisFunction, ErrorsOfTheCommandAreAnswersAndChangeNothing) {
  const auto refused = Apply({"INCRBY", "k", "x"}, Living("1"));
  ASSERT_TRUE(refused) << refused.error();
  EXPECT_EQ(refused->change, Change::kNone);
  EXPECT_EQ(refused->answer, "-ERR value is not an integer or out of range\r\n");
}

TEST(RedisFunction, FloatsOfManyDigitsAreLeftToTheClient) {
  EXPECT_EQ(Apply({"INCRBYFLOAT", "k", "0.5"}, Living("1e60"))->change, Change::kPut);
  EXPECT_EQ(Apply({"INCRBYFLOAT", "k", "1e4931"}).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Apply({"INCRBYFLOAT", "k", "-1e4931"}, Living("1")).error().code(), Code::kInvalidArgument);
  EXPECT_EQ(Apply({"INCRBYFLOAT", "k", "0"}, Living("1" + std::string(4'000, '0'))).error().code(),
            Code::kInvalidArgument);
}

TEST(RedisFunction, RecordsOfOthersAreRefused) {
  EXPECT_EQ(Apply({"APPEND", "k", "x"}, Living("\x00\x07"s)).error().code(), Code::kInternal);
}

TEST(RedisFunction, TakesNothingButCommandsWithAllTheirWords) {
  const Words bad[] = {{},
                       {"APPEND"},
                       {"APPEND", "k"},
                       {"GET", "k"},
                       {"APPEND", "k", "v", "w"},
                       {"no such", "k", "v"},
                       {std::string(1'000, 'x'), "k"},
                       Words(2'000, "BITFIELD")};
  for (const Words& words : bad) EXPECT_EQ(Apply(words).error().code(), Code::kInvalidArgument) << words.size();
  for (const std::string& arguments : {""s, "\x02"s, "\x02\x00"s, "\xff\xff\xff"s, std::string(40, '\xff')}) {
    EXPECT_EQ(ApplyCommand({.arguments = arguments, .record = {}}).error().code(), Code::kInvalidArgument);
  }
}

TEST(RedisFunction, NoTimeMakesItOverflow) {
  constexpr int64_t kMost = std::numeric_limits<int64_t>::max(), kLeast = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(Apply({"PEXPIRE", "k", std::to_string(kMost)}, Living("v"))->change, Change::kNone);
  EXPECT_EQ(Apply({"PEXPIRE", "k", std::to_string(kMost - kNow)}, Living("v"))->expires_ms, kNow + limits::kTtlMsMax);
  EXPECT_EQ(Apply({"PEXPIREAT", "k", std::to_string(kMost)}, Living("v"))->expires_ms, limits::kExpiryMsMax);
  EXPECT_EQ(Apply({"PEXPIREAT", "k", std::to_string(kLeast)}, Living("v"))->change, Change::kDelete);
}

}  // namespace
}  // namespace ebla::redis
