#include "tabletserver/tablet/write_evaluator.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <map>

#include "common/base/encoding.h"
#include "common/base/number_limits.h"
#include "tabletserver/testing/pick.h"
#include "tabletserver/testing/test_functions.h"

namespace ebla::tabletserver {
namespace {

using testing::Pick;

const KeyRange kAll = KeyRange::All();

Write Put(std::string key, std::string value) {
  return {.kind = WriteKind::kPut, .key = std::move(key), .value = std::move(value)};
}

TEST(CheckBatch, RefusesWhatCanNeverSucceed) {
  EXPECT_TRUE(CheckBatch(std::vector{Put("a", "1")}).ok());
  EXPECT_EQ(CheckBatch({}).code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckBatch(std::vector{Put("", "1")}).code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckBatch(std::vector{Put("a", "1"), Put("b", "2"), Put("a", "3")}).code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckBatch(std::vector{Put(std::string(4097, 'k'), "1")}).code(), Code::kInvalidArgument);
  EXPECT_EQ(CheckBatch(std::vector{Put("a", std::string((1 << 20) + 1, 'v'))}).code(), Code::kInvalidArgument);
  std::vector<Write> many;
  for (int i = 0; i <= 1000; ++i) many.push_back(Put("k" + std::to_string(i), "v"));
  EXPECT_EQ(CheckBatch(many).code(), Code::kInvalidArgument);
  many.pop_back();
  EXPECT_TRUE(CheckBatch(many).ok());
  std::vector<Write> heavy;
  for (int i = 0; i < 5; ++i) heavy.push_back(Put("k" + std::to_string(i), std::string(1 << 20, 'v')));
  EXPECT_EQ(CheckBatch(heavy).code(), Code::kInvalidArgument);
}

TEST(DigestOf, TellsRequestsApart) {
  const uint64_t base = DigestOf(std::vector{Put("a", "1")});
  EXPECT_EQ(base, DigestOf(std::vector{Put("a", "1")}));
  EXPECT_NE(base, DigestOf(std::vector{Put("a", "2")}));
  EXPECT_NE(base, DigestOf(std::vector{Put("a1", "")}));
  EXPECT_NE(base, DigestOf(std::vector{Put("a", "1"), Put("b", "1")}));
  Write with_ttl = Put("a", "1");
  with_ttl.ttl_ms = 0;
  EXPECT_NE(base, DigestOf(std::vector{with_ttl}));
  Write with_new_ttl = Put("a", "1");
  with_new_ttl.new_ttl_ms = 0;
  EXPECT_EQ(base, DigestOf(std::vector{with_new_ttl})) << "as builds that do not know it find";
  Write conditional = Put("a", "1");
  conditional.condition.kind = Condition::Kind::kAbsent;
  EXPECT_NE(base, DigestOf(std::vector{conditional}));
}

// The digest is kept on disk: it must come out the same in every build.
TEST(DigestOf, IsTheSameForEver) { EXPECT_EQ(DigestOf(std::vector{Put("apple", "red")}), 17883303780190047567u); }

TEST(ParseCounter, TakesDecimalIntegersAlone) {
  EXPECT_EQ(ParseCounter("0"), 0);
  EXPECT_EQ(ParseCounter("-9223372036854775808"), INT64_MIN);
  for (const char* text : {"", "+1", " 1", "1 ", "1.0", "0x1", "-", "9223372036854775808", "one"}) {
    EXPECT_EQ(ParseCounter(text), std::nullopt) << text;
  }
}

TEST(Evaluate, AReaderThatFailsDecidesNothing) {
  UnappliedWrites unapplied;
  const TabletSchema schema;
  const RecordReaders broken{
      .get = [](std::span<const std::string_view>) -> Result<std::vector<std::optional<StoredRecord>>> {
        return Error(Code::kInternal, "disk");
      }};
  Write increment{.kind = WriteKind::kIncrement, .key = "a", .delta = 1};
  const ServerName server = "ts-1";
  const auto result = Evaluate(std::vector{increment}, {.now = TabletTime{1},
                                                        .schema = schema,
                                                        .unapplied = unapplied,
                                                        .read = broken,
                                                        .range = kAll,
                                                        .server = server});
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code(), Code::kInternal);
}

// ---- against the plainest implementation there is: a map that is copied, changed, and kept or thrown away
// -------------

struct ModelRecord {
  std::string value;
  Version version;
  uint64_t expires_at = 0;
};
using Model = std::map<std::string, ModelRecord>;

Write RandomWrite(const std::string& key, const Model& model) {
  Write write;
  write.key = key;
  write.kind = *rc::gen::element(WriteKind::kPut, WriteKind::kDelete, WriteKind::kIncrement, WriteKind::kCheck,
                                 WriteKind::kApply);
  if (write.kind == WriteKind::kPut)
    write.value = *rc::gen::element<std::string>("1", "-4", "text", "9223372036854775807", "");
  if (write.kind == WriteKind::kApply) {
    write.function = *rc::gen::element<std::string>("append", "take", "live_for", "refuse", "none");
    write.value = *rc::gen::element<std::string>("0", "12");
  }
  if (write.kind == WriteKind::kIncrement) write.delta = *rc::gen::element<int64_t>(1, -1, 5, INT64_MIN, INT64_MAX);
  if (*rc::gen::arbitrary<bool>()) {
    write.ttl_ms = *rc::gen::element<int64_t>(0, 1, 20);
  } else if (write.kind == WriteKind::kIncrement && *rc::gen::arbitrary<bool>()) {
    write.new_ttl_ms = *rc::gen::element<int64_t>(0, 1, 20);
  } else if (write.kind == WriteKind::kPut && *rc::gen::arbitrary<bool>()) {
    write.expires_at = TabletTime{*rc::gen::element<uint64_t>(1, 1'000, limits::kExpiryMsMax)};
  }
  using Kind = Condition::Kind;
  write.condition.kind = *rc::gen::weightedElement<Kind>(
      {{4, Kind::kNone}, {1, Kind::kAbsent}, {2, Kind::kExists}, {2, Kind::kVersionIs}});
  if (write.kind == WriteKind::kCheck && write.condition.kind == Kind::kNone) write.condition.kind = Kind::kExists;
  if (write.condition.kind == Kind::kVersionIs && model.contains(key) && Pick(0, 4) != 0) {
    write.condition.version = model.at(key).version;
  }
  return write;
}

// Returns the code; on OK `model` is as after the batch.
Code ModelEvaluate(const std::vector<Write>& writes, Version version, uint64_t now, int64_t default_ttl, Model& model,
                   std::vector<std::string>& answers) {
  Model after = model;
  for (const Write& write : writes) {
    auto found = model.find(write.key);
    if (found != model.end() && found->second.expires_at != 0 && found->second.expires_at <= now) found = model.end();
    const bool exists = found != model.end();
    using Kind = Condition::Kind;
    if (write.condition.kind == Kind::kAbsent && exists) return Code::kConditionFailed;
    if (write.condition.kind == Kind::kExists && !exists) return Code::kConditionFailed;
    if (write.condition.kind == Kind::kVersionIs && (!exists || found->second.version != write.condition.version)) {
      return Code::kConditionFailed;
    }
    const int64_t ttl = write.ttl_ms.value_or(write.new_ttl_ms.value_or(default_ttl));
    const uint64_t lives_until = ttl == 0 ? 0 : now + static_cast<uint64_t>(ttl);
    const uint64_t expires = write.expires_at ? write.expires_at.value : lives_until;
    if (write.kind == WriteKind::kPut) after[write.key] = {write.value, version, expires};
    if (write.kind == WriteKind::kDelete) after.erase(write.key);
    if (write.kind == WriteKind::kApply) {
      if (write.function == "refuse" || write.function == "none") return Code::kInvalidArgument;
      answers.push_back(exists ? found->second.value : "");
      const uint64_t left = exists && found->second.expires_at != 0 ? found->second.expires_at - now : 0;
      if (write.function == "append") {
        after[write.key] = {answers.back() + write.value, version, left == 0 ? 0 : now + left};
      } else if (exists && write.function == "take") {
        after.erase(write.key);
      } else if (exists && write.function == "live_for") {
        after[write.key] = {answers.back(), version, write.value == "0" ? 0 : now + std::stoull(write.value)};
        answers.back() = left == 0 ? "for ever" : std::to_string(left);
      }
    }
    if (write.kind == WriteKind::kIncrement) {
      __int128 sum = write.delta;
      if (exists) {
        const std::optional<int64_t> counter = ParseCounter(found->second.value);
        if (!counter) return Code::kInvalidArgument;
        sum += *counter;
      }
      if (sum > INT64_MAX || sum < INT64_MIN) return Code::kInvalidArgument;
      after[write.key] = {std::to_string(static_cast<int64_t>(sum)), version,
                          exists && !write.ttl_ms.has_value() ? found->second.expires_at : expires};
    }
  }
  model = std::move(after);
  return Code::kOk;
}

// Records in a store and effects not yet applied, as a tablet has them.
struct Tablet {
  std::map<std::string, StoredRecord> store;
  UnappliedWrites unapplied;
  std::deque<EntryPtr> pending;

  void Append(Version version, std::vector<Effect> effects) {
    auto entry = std::make_shared<LogEntry>();
    entry->version = version;
    entry->effects = std::move(effects);
    pending.push_back(entry);
    unapplied.Add(pending.back());
  }
  void ApplyOne() {
    for (const auto& first = pending.front(); const Effect& effect : first->effects) {
      store.erase(effect.key);
      if (effect.is_delete) continue;
      StoredRecord& record = store[effect.key];
      record.value = effect.value;
      record.version = pending.front()->version;
      record.expires_at = effect.expires_at;
    }
    unapplied.RemoveUpTo(pending.front()->version.lsn);
    pending.pop_front();
  }
};

void EvaluateOneBatch(Tablet& tablet, Model& model, uint64_t lsn, uint64_t now, int64_t default_ttl) {
  std::vector<Write> writes;
  for (char key = 'a'; key < 'f'; ++key) {
    if (Pick(0, 3) == 0) writes.push_back(RandomWrite(std::string(1, key), model));
  }
  if (writes.empty()) return;
  TabletSchema schema;
  schema.default_ttl_ms = default_ttl;
  const size_t at_once = Pick<size_t>(1, 3);
  const RecordReaders read{.get = [&](std::span<const std::string_view> keys) {
    std::vector<std::optional<StoredRecord>> records;
    for (const std::string_view key : keys.first(std::min(at_once, keys.size()))) {
      const auto found = tablet.store.find(std::string(key));
      records.push_back(found == tablet.store.end() ? std::nullopt : std::optional(found->second));
    }
    return records;
  }};
  const ServerName server = "ts-1";
  const auto functions = TestFunctions();
  const auto result = Evaluate(writes, {.now = TabletTime{now},
                                        .schema = schema,
                                        .unapplied = tablet.unapplied,
                                        .read = read,
                                        .range = kAll,
                                        .functions = functions.get(),
                                        .server = server});
  const Version version{Epoch{1}, Lsn{lsn}};
  RC_ASSERT(result.has_value());
  std::vector<std::string> answers;
  RC_ASSERT(result->outcome.code == ModelEvaluate(writes, version, now, default_ttl, model, answers));
  if (result->outcome.code == Code::kOk) {
    ByteWriter expected;
    for (const std::string& answer : answers) expected.Bytes(answer);
    RC_ASSERT(result->outcome.message == expected.view());
  }
  if (result->outcome.code != Code::kOk) {
    RC_ASSERT(result->effects.empty());
    RC_ASSERT(result->outcome.failed_index >= 0);
  }
  tablet.Append(version, result->effects);
}

TEST(Evaluate, DoesWhatAMapWould) {
  EXPECT_TRUE(rc::check("evaluation against a map", [] {
    Tablet tablet;
    Model model;
    uint64_t now = 1000;
    const int64_t default_ttl = *rc::gen::element<int64_t>(0, 15);
    for (uint64_t lsn = 1; lsn < 40; ++lsn) {
      now += Pick<uint64_t>(0, 8);
      EvaluateOneBatch(tablet, model, lsn, now, default_ttl);
      while (!tablet.pending.empty() && *rc::gen::arbitrary<bool>()) tablet.ApplyOne();
    }
    while (!tablet.pending.empty()) tablet.ApplyOne();
    RC_ASSERT(tablet.store.size() == model.size());
    for (const auto& [key, record] : model) {
      RC_ASSERT(tablet.store.at(key).value == record.value);
      RC_ASSERT(tablet.store.at(key).version == record.version);
      RC_ASSERT(tablet.store.at(key).expires_at.value == record.expires_at);
    }
  }));
}

TEST(Evaluate, AFunctionThatGoesTooFarIsRefused) {
  UnappliedWrites unapplied;
  const TabletSchema schema;
  const RecordReaders none{
      .get = [](std::span<const std::string_view>) { return std::vector<std::optional<StoredRecord>>(1); }};
  const ServerName server = "ts-1";
  Functions functions;
  const auto evaluated = [&](FunctionResult result) {
    functions.Add("f", [result](const FunctionInput&) -> Result<FunctionResult> { return result; });
    const Write write{.kind = WriteKind::kApply, .key = "a", .function = "f"};
    return Evaluate(std::vector{write}, {.now = TabletTime{1},
                                         .schema = schema,
                                         .unapplied = unapplied,
                                         .read = none,
                                         .range = kAll,
                                         .functions = &functions,
                                         .server = server})
        ->outcome.code;
  };
  using Change = FunctionResult::Change;
  EXPECT_EQ(evaluated({.answer = std::string(kFunctionAnswerBytesMax, 'x')}), Code::kOk);
  EXPECT_EQ(evaluated({.answer = std::string(kFunctionAnswerBytesMax + 1, 'x')}), Code::kInvalidArgument);
  EXPECT_EQ(evaluated({.change = Change::kPut, .value = std::string(kValueBytesMax, 'x')}), Code::kOk);
  EXPECT_EQ(evaluated({.change = Change::kPut, .value = std::string(kValueBytesMax + 1, 'x')}), Code::kInvalidArgument);
  EXPECT_EQ(evaluated({.change = Change::kPut, .expires_ms = limits::kExpiryMsMax + 1}), Code::kInvalidArgument);
  EXPECT_EQ(evaluated({.change = Change::kPut, .expires_ms = -1}), Code::kInvalidArgument);
}

TEST(Evaluate, FunctionsOfABatchTakeSoMuchTogether) {
  UnappliedWrites unapplied;
  const TabletSchema schema;
  std::string stored;
  const RecordReaders read{.get = [&](std::span<const std::string_view> keys) {
    return std::vector<std::optional<StoredRecord>>(keys.size(), StoredRecord{.value = stored});
  }};
  const ServerName server = "ts-1";
  Functions functions;
  const auto evaluated = [&](int writes, FunctionResult result) {
    functions.Add("f", [result](const FunctionInput&) -> Result<FunctionResult> { return result; });
    std::vector<Write> batch;
    for (int i = 0; i < writes; ++i)
      batch.push_back({.kind = WriteKind::kApply, .key = std::to_string(i), .function = "f"});
    return Evaluate(batch, {.now = TabletTime{1},
                            .schema = schema,
                            .unapplied = unapplied,
                            .read = read,
                            .range = kAll,
                            .functions = &functions,
                            .server = server})
        ->outcome;
  };
  using Change = FunctionResult::Change;
  const FunctionResult large{.change = Change::kPut, .value = std::string(kValueBytesMax, 'x')};
  EXPECT_EQ(evaluated(4, large).code, Code::kOk);
  EXPECT_EQ(evaluated(5, large).failed_index, 4) << "what comes of it is the log's to hold";
  const FunctionResult telling{.answer = std::string(kFunctionAnswerBytesMax, 'x')};
  EXPECT_EQ(evaluated(4, telling).code, Code::kOk);
  EXPECT_EQ(evaluated(1'000, telling).failed_index, 4) << "and the dedup window's";
  stored = std::string(kValueBytesMax, 'x');
  EXPECT_EQ(evaluated(1'000, {}).failed_index, 4) << "the shard has others to serve";
  EXPECT_EQ(evaluated(1, large).code, Code::kOk) << "any alone may do what it may";
}

// ---- last_write_wins
// -------------------------------------------------------------------------------------------------

class LastWriteWins : public ::testing::Test {
 protected:
  static constexpr int64_t kTombstoneRetention = 1000;

  LastWriteWins() { schema_.last_write_wins = true; }
  Result<Evaluation> Evaluated(const Write& write, uint64_t now = 100) {
    return Evaluate(std::vector{write}, {.now = TabletTime{now},
                                         .schema = schema_,
                                         .unapplied = unapplied_,
                                         .read = read_,
                                         .range = kAll,
                                         .server = server_,
                                         .tombstone_retention_ms = kTombstoneRetention});
  }
  static Write Delivered(std::string value, int64_t time_ms, ServerName writer) {
    Write write = Put("k", std::move(value));
    write.stamp = WriteStamp{time_ms, std::move(writer)};
    return write;
  }
  void Hold(const Effect& effect) {
    held_ = StoredRecord{effect.value, {}, effect.expires_at, effect.write_time_ms, effect.writer, effect.is_delete};
  }

  TabletSchema schema_;
  UnappliedWrites unapplied_;
  std::optional<StoredRecord> held_;
  const RecordReaders read_{.get = [this](std::span<const std::string_view>) { return std::vector{held_}; }};
  const ServerName server_ = "ts-1";
};

TEST_F(LastWriteWins, TheGreaterStampWinsAndTheSameIsNothingNew) {
  held_ = StoredRecord{"old", {}, {}, 50, "ts-2"};
  for (const auto& [time_ms, writer, wins] :
       {std::tuple(49, "ts-9", false), std::tuple(50, "ts-1", false), std::tuple(50, "ts-2", false),
        std::tuple(50, "ts-3", true), std::tuple(51, "ts-0", true)}) {
    const auto result = Evaluated(Delivered("new", time_ms, writer));
    ASSERT_TRUE(result && result->outcome.code == Code::kOk);
    EXPECT_EQ(result->effects.size(), wins ? 1u : 0u) << time_ms << writer;
    if (!wins) continue;
    EXPECT_EQ(result->effects[0].write_time_ms, time_ms);
    EXPECT_EQ(result->effects[0].writer, writer);
  }
}

TEST_F(LastWriteWins, WhatTheLogHoldsCountsAndTombstonesDoToo) {
  auto entry = std::make_shared<LogEntry>();
  entry->version = {Epoch{1}, Lsn{1}};
  entry->effects.push_back({.key = "k", .is_delete = true, .write_time_ms = 60, .writer = "ts-1"});
  unapplied_.Add(entry);
  EXPECT_TRUE(Evaluated(Delivered("older", 59, "ts-2"))->effects.empty());
  EXPECT_EQ(Evaluated(Delivered("later", 61, "ts-2"))->effects.size(), 1u);
  unapplied_ = {};
  Hold(entry->effects[0]);
  EXPECT_TRUE(Evaluated(Delivered("older", 59, "ts-2"))->effects.empty());
  Write absent = Put("k", "v");
  absent.condition.kind = Condition::Kind::kAbsent;
  EXPECT_EQ(Evaluated(absent)->outcome.code, Code::kOk) << "a tombstone is no record";
  Write increment{.kind = WriteKind::kIncrement, .key = "k", .delta = 3};
  EXPECT_EQ(Evaluated(increment)->outcome.counters, std::vector<int64_t>{3});
}

TEST_F(LastWriteWins, AClientsWriteIsLaterThanWhatItReplaces) {
  held_ = StoredRecord{"from the future", {}, {}, 5000, "ts-9"};
  const auto result = Evaluated(Put("k", "v"));
  ASSERT_EQ(result->effects.size(), 1u);
  EXPECT_EQ(result->effects[0].write_time_ms, 5001);
  const auto deleted = Evaluated({.kind = WriteKind::kDelete, .key = "k"});
  ASSERT_EQ(deleted->effects.size(), 1u);
  EXPECT_TRUE(deleted->effects[0].is_delete && deleted->effects[0].timed());
}

TEST_F(LastWriteWins, WhatIsTooOldIsRefusedUnlessItLosesAnyway) {
  EXPECT_EQ(Evaluated(Delivered("v", 100, "ts-2"), 100 + kTombstoneRetention)->outcome.code, Code::kConditionFailed);
  EXPECT_EQ(Evaluated(Delivered("v", 101, "ts-2"), 100 + kTombstoneRetention)->outcome.code, Code::kOk);
  held_ = StoredRecord{"later", {}, {}, 200, "ts-1"};
  EXPECT_EQ(Evaluated(Delivered("v", 100, "ts-2"), 100 + kTombstoneRetention)->outcome.code, Code::kOk);
}

// Whatever the order in which they come and however often, the same write stays.
TEST_F(LastWriteWins, TheOrderOfDeliveriesDoesNotMatter) {
  ASSERT_TRUE(rc::check([this] {
    std::vector<Write> writes;
    for (int i = 0, count = Pick(2, 8); i < count; ++i) {
      Write write = Delivered(std::to_string(i), Pick<int64_t>(1, 5), "ts-" + std::to_string(i));
      if (Pick(0, 3) == 0) write.kind = WriteKind::kDelete, write.value.clear();
      writes.push_back(write);
    }
    const Write& latest = *std::max_element(writes.begin(), writes.end(),
                                            [](const Write& a, const Write& b) { return *a.stamp < *b.stamp; });
    held_.reset();
    for (int i = 0, count = Pick(20, 40); i < count; ++i) {
      const bool in_turn = i < static_cast<int>(writes.size());  // each once at least
      const auto result = Evaluated(writes[in_turn ? static_cast<size_t>(i) : Pick<size_t>(0, writes.size())], 6);
      RC_ASSERT(result.has_value() && result->outcome.code == Code::kOk);
      if (!result->effects.empty()) Hold(result->effects[0]);
    }
    RC_ASSERT(held_->writer == latest.stamp->server);
    RC_ASSERT(held_->tombstone == (latest.kind == WriteKind::kDelete));
  }));
}

}  // namespace
}  // namespace ebla::tabletserver
