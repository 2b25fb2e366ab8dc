#include "tabletserver/tablet/group_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

#include "tabletserver/tablet/write_evaluator.h"
#include "tabletserver/testing/test_functions.h"

namespace ebla::tabletserver {
namespace {

// A store in memory, a log that is not applied, and a batch that has begun.
class GroupRowsTest : public ::testing::Test {
 protected:
  static constexpr TabletTime kNow{1'000};

  void Stored(const std::string& key, StoredRecord record) { stored_[key] = std::move(record); }
  void Logged(std::vector<Effect> effects) {
    auto entry = std::make_shared<LogEntry>();
    entry->version = {Epoch{1}, Lsn{++last_}};
    entry->effects = std::move(effects);
    unapplied_.Add(std::move(entry));
  }
  Result<Evaluation> Evaluated(std::vector<Write> writes) {
    return Evaluate(std::move(writes), {.now = kNow,
                                        .schema = schema_,
                                        .unapplied = unapplied_,
                                        .read = readers_,
                                        .range = range_,
                                        .functions = functions_.get(),
                                        .server = server_,
                                        .tombstone_retention_ms = 100,
                                        .change_version = {Epoch{1}, Lsn{last_ + 1}}});
  }
  static Write Call(std::string key, std::string function, std::string arguments = "") {
    return {.kind = WriteKind::kApply,
            .key = std::move(key),
            .value = std::move(arguments),
            .function = std::move(function)};
  }
  static std::string AnswerOf(const Evaluation& evaluation, size_t index = 0) {
    ByteReader reader(evaluation.outcome.message);
    for (; index > 0; --index) (void)reader.Bytes();
    return std::string(reader.Bytes());
  }
  static std::map<std::string, std::string> PutsOf(const Evaluation& evaluation) {
    std::map<std::string, std::string> puts;
    for (const Effect& effect : evaluation.effects)
      EXPECT_TRUE(puts.emplace(effect.key, effect.is_delete ? "-" : effect.value).second) << "two of " << effect.key;
    return puts;
  }

  std::map<std::string, StoredRecord, std::less<>> stored_;
  UnappliedWrites unapplied_;
  uint64_t last_ = 0;
  bool broken_ = false;
  TabletSchema schema_{.key_group = {.delimiter = ":"}};
  KeyRange range_ = KeyRange::All();
  const ServerName server_ = "ts-1";
  std::shared_ptr<const Functions> functions_ = TestFunctions();
  MonotonicTime now_{std::chrono::seconds(1)};
  RecordReaders readers_{
      .get = [this](std::span<const std::string_view> keys) -> Result<std::vector<std::optional<StoredRecord>>> {
        std::vector<std::optional<StoredRecord>> records;
        for (const std::string_view key : keys) {
          const auto found = stored_.find(key);
          records.push_back(found == stored_.end() ? std::nullopt : std::optional(found->second));
        }
        return records;
      },
      .scan = [this](const ScanBounds& bounds, const RecordStore::Visitor& visitor) -> Status {
        if (broken_) return Error(Code::kUnavailable, "a damaged block");
        std::vector<std::string> keys;
        for (const auto& [key, record] : stored_) {
          if (bounds.range.Contains(key)) keys.push_back(key);
        }
        if (bounds.reverse) std::reverse(keys.begin(), keys.end());
        for (const std::string& key : keys) {
          if (!visitor(key, stored_.at(key))) break;
        }
        return Status::Ok();
      }};
};

TEST_F(GroupRowsTest, AFunctionSeesTheLogAndTheEarlierWritesOfItsBatch) {
  Stored("u:", {.value = "1"});
  Stored("u:a", {.value = "x"});
  Stored("v:a", {.value = "x"});
  Logged({{.key = "u:b", .value = "y"}, {.key = "u:", .value = "2"}});
  const auto evaluation =
      Evaluated({Call("u:a", "count_put", "x2"), Call("u:b", "count_put", "y2"), Call("u:c", "count_put", "z"),
                 Call("u:c", "count_put", "z2"), Call("u:a", "list"), Call("u:a", "list", "reverse")});
  ASSERT_TRUE(evaluation) << evaluation.error();
  EXPECT_EQ(PutsOf(*evaluation),
            (std::map<std::string, std::string>{{"u:", "3"}, {"u:a", "x2"}, {"u:b", "y2"}, {"u:c", "z2"}}));
  EXPECT_EQ(AnswerOf(*evaluation, 0), "2");
  EXPECT_EQ(AnswerOf(*evaluation, 2), "3");
  EXPECT_EQ(AnswerOf(*evaluation, 3), "3") << "it is there by now";
  EXPECT_EQ(AnswerOf(*evaluation, 4), "u: u:a u:b u:c");
  EXPECT_EQ(AnswerOf(*evaluation, 5), "u:c u:b u:a u:");
}

TEST_F(GroupRowsTest, WhatIsDeletedOrExpiredIsNotThere) {
  Stored("u:a", {.value = "deleted in the log"});
  Stored("u:b", {.value = "expired", .expires_at = kNow});
  Stored("u:c", {.value = "lives", .expires_at = TabletTime{kNow.value + 1}});
  Stored("u:d", {.tombstone = true});
  Stored("u:e", {.value = "deleted by the batch"});
  Logged({{.key = "u:a", .is_delete = true}, {.key = "u:f", .value = "expired", .expires_at = kNow}});
  const auto evaluation = Evaluated({{.kind = WriteKind::kDelete, .key = "u:e"}, Call("u:x", "list")});
  ASSERT_TRUE(evaluation) << evaluation.error();
  EXPECT_EQ(AnswerOf(*evaluation), "u:c");
}

TEST_F(GroupRowsTest, AGroupEndsWhereItsTabletDoes) {
  Stored("u:a", {.value = "x"});
  Stored("u:m", {.value = "another tablet's"});
  range_ = {"", "u:m"};
  EXPECT_EQ(AnswerOf(*Evaluated({Call("u:a", "list")})), "u:a");
}

TEST_F(GroupRowsTest, NothingOutsideTheGroupIsSeenOrChanged) {
  Stored("v:a", {.value = "x"});
  Functions functions;
  std::string touched;
  functions.Add("look", FunctionScope::kGroup, [&](const FunctionInput& input) -> Result<FunctionResult> {
    EBLA_ASSIGN(const auto row, input.rows->Get(touched));
    return FunctionResult{};
  });
  functions.Add("change", FunctionScope::kGroup, [&](const FunctionInput&) -> Result<FunctionResult> {
    return FunctionResult{.others = {{.key = touched, .value = "y"}}};
  });
  functions_ = std::make_shared<const Functions>(functions);
  for (const char* function : {"look", "change"}) {
    touched = "v:a";
    const auto refused = Evaluated({Call("u:a", function)});
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->outcome.code, Code::kInvalidArgument);
    EXPECT_NE(refused->outcome.message.find("outside its key group"), std::string::npos) << refused->outcome.message;
    EXPECT_TRUE(refused->effects.empty());
    touched = "u:b";
    EXPECT_EQ(Evaluated({Call("u:a", function)})->outcome.code, Code::kOk);
  }
  schema_.key_group = {};
  EXPECT_EQ(Evaluated({Call("u:a", "change")})->outcome.code, Code::kInvalidArgument) << "each key is a group";
}

TEST_F(GroupRowsTest, AFailingReadDecidesNothing) {
  broken_ = true;
  const auto evaluation = Evaluated({Call("u:a", "list")});
  ASSERT_FALSE(evaluation);
  EXPECT_EQ(evaluation.error().code(), Code::kUnavailable);
}

// A client names these keys in the arguments of a function.
TEST_F(GroupRowsTest, KeysThatNoRecordHasAreRefusedBeforeTheStoreIsAsked) {
  schema_.key_group = {.all = true};
  broken_ = true;
  Functions functions;
  std::string key;
  functions.Add("look", FunctionScope::kGroup, [&](const FunctionInput& input) -> Result<FunctionResult> {
    EBLA_ASSIGN(const auto row, input.rows->Get(key));
    return FunctionResult{};
  });
  functions.Add("change", FunctionScope::kGroup, [&](const FunctionInput&) -> Result<FunctionResult> {
    return FunctionResult{.others = {{.key = key, .value = "y"}}};
  });
  functions.Add("complain", FunctionScope::kGroup,
                [&](const FunctionInput&) -> Result<FunctionResult> { return Error(Code::kInvalidArgument, key); });
  functions_ = std::make_shared<const Functions>(functions);
  for (const std::string& bad : {std::string(), std::string(kValueBytesMax, '\1')}) {
    key = bad;
    for (const char* function : {"look", "change", "complain"}) {
      const auto refused = Evaluated({Call("a", function)});
      ASSERT_TRUE(refused) << function;
      EXPECT_EQ(refused->outcome.code, Code::kInvalidArgument) << function;
      EXPECT_LE(refused->outcome.message.size(), 1'000u) << "the log keeps it";
    }
  }
}

TEST_F(GroupRowsTest, ReadsOfABatchEndInTime) {
  Stored("u:a", {.value = "x"});
  const auto evaluation = Evaluated({Call("u:a", "list"), Call("u:a", "list")});
  EXPECT_TRUE(evaluation);
  readers_.now = [this] { return now_ = now_ + std::chrono::milliseconds(15); };
  EXPECT_TRUE(Evaluated({Call("u:a", "list"), Call("u:a", "list")}));
  const auto slow = Evaluated({Call("u:a", "list"), Call("u:a", "count_put", "1"), Call("u:a", "list")});
  ASSERT_FALSE(slow) << "so that nothing is logged";
  EXPECT_EQ(slow.error().code(), Code::kOverloaded);
}

TEST_F(GroupRowsTest, TheLooksOfABatchAreBounded) {
  for (size_t i = 0; i < kFunctionRowsMax; ++i)
    Stored("u:" + std::to_string(i), {.value = "expired", .expires_at = kNow});
  EXPECT_EQ(Evaluated({Call("u:a", "list")})->outcome.code, Code::kOk);
  const auto twice = Evaluated({Call("u:a", "list"), Call("u:a", "list")});
  EXPECT_EQ(twice->outcome.code, Code::kInvalidArgument);
  EXPECT_EQ(twice->outcome.failed_index, 1);
  EXPECT_NE(twice->outcome.message.find("10000 records"), std::string::npos) << twice->outcome.message;
}

TEST_F(GroupRowsTest, TheChangesOfABatchAreBounded) {
  for (size_t i = 0; i < kFunctionEffectsMax - 1; ++i) Stored("u:" + std::to_string(i), {.value = "x"});
  EXPECT_EQ(Evaluated({Call("u:a", "clear")})->effects.size(), kFunctionEffectsMax - 1);
  Stored("u:more", {.value = "x"});
  EXPECT_EQ(Evaluated({Call("u:a", "clear")})->outcome.code, Code::kInvalidArgument);
}

TEST_F(GroupRowsTest, EveryChangeIsLaterThanTheRecordThatItReplaces) {
  schema_.last_write_wins = true;
  Stored("u:", {.value = "7", .write_time_ms = 5'000, .writer = "ts-9"});
  const auto evaluation = Evaluated({Call("u:a", "count_put", "x")});
  ASSERT_TRUE(evaluation);
  ASSERT_EQ(evaluation->effects.size(), 2u);
  for (const Effect& effect : evaluation->effects)
    EXPECT_EQ(effect.write_time_ms, effect.key == "u:" ? 5'001 : 1'000) << effect.key;
}

// A map is the model of the three sources together.
TEST_F(GroupRowsTest, ScansAndLooksAgreeWithAMap) {
  std::mt19937 random(7);
  const auto one_of = [&](int count) { return std::uniform_int_distribution<int>(0, count - 1)(random); };
  const auto key = [&] { return std::string(1, static_cast<char>('a' + one_of(12))); };
  for (int round = 0; round < 2'000; ++round) {
    std::map<std::string, std::string> model;
    stored_.clear();
    unapplied_ = {};
    last_ = 0;
    BatchEffects effects(true, 0);
    for (int i = 0; i < one_of(8); ++i) {
      const std::string at = key(), value = "stored" + std::to_string(i);
      Stored(at, {.value = value});
      model[at] = value;
    }
    for (int i = 0; i < one_of(8); ++i) {
      const std::string at = key(), value = "logged" + std::to_string(i);
      const bool is_delete = one_of(3) == 0;
      Logged({{.key = at, .is_delete = is_delete, .value = value}});
      if (is_delete) {
        model.erase(at);
      } else {
        model[at] = value;
      }
    }
    for (int i = 0; i < one_of(4); ++i) {
      const std::string at = key();
      Effect& effect = effects.On(at);
      effect.is_delete = one_of(3) == 0;
      effect.value = "own" + std::to_string(i);
      if (effect.is_delete) {
        model.erase(at);
      } else {
        model[at] = effect.value;
      }
    }
    LoggedRecords records(effects, unapplied_, readers_, kNow);
    const std::string a = key(), b = key();
    const KeyRange range{std::min(a, b), one_of(4) == 0 ? "" : std::max(a, b)};
    const bool reverse = one_of(2) == 0;
    const size_t limit = static_cast<size_t>(one_of(6)) + 1;
    std::vector<std::pair<std::string, std::string>> expected, seen;
    for (const auto& one : model) {
      if (range.Contains(one.first)) expected.push_back(one);
    }
    if (reverse) std::reverse(expected.begin(), expected.end());
    expected.resize(std::min(expected.size(), limit));
    ASSERT_TRUE(records
                    .Scan({.range = range, .reverse = reverse},
                          [&](std::string_view at, const LoggedRecords::Row* live) {
                            if (live != nullptr) seen.emplace_back(at, live->value);
                            return seen.size() < limit;
                          })
                    .ok());
    ASSERT_EQ(seen, expected) << "round " << round << (reverse ? ", in reverse" : "");
    const std::string asked = key();
    const auto found = records.Get(asked);
    const auto held = model.find(asked);
    ASSERT_EQ(found->live.has_value(), held != model.end()) << "round " << round;
    if (held != model.end()) {
      ASSERT_EQ(found->live->value, held->second) << "round " << round;
    }
  }
}

}  // namespace
}  // namespace ebla::tabletserver
