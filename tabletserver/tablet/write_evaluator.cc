#include "tabletserver/tablet/write_evaluator.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "common/base/distinct_keys.h"
#include "common/base/encoding.h"
#include "common/base/key_range.h"
#include "common/base/number_limits.h"
#include "tabletserver/tablet/group_rows.h"
#include "tabletserver/tablet/logged_records.h"

namespace ebla::tabletserver {

namespace {

// The state of an evaluation: records and effects of the batch, and the room of its functions.
struct Batch {
  Batch(std::span<const Write> writes, const EvaluationContext& context)
      : context(context),
        effects(HasFunctions(writes), writes.size()),
        records(effects, context.unapplied, context.read, context.now) {
    outcome.counters.reserve(static_cast<size_t>(std::ranges::count(writes, WriteKind::kIncrement, &Write::kind)));
    for (const Write& write : writes) {
      if (MustLook(write)) records.Expect(write.key);
    }
  }

  static bool HasFunctions(std::span<const Write> writes) {
    return std::ranges::find(writes, WriteKind::kApply, &Write::kind) != writes.end();
  }
  bool MustLook(const Write& write) const { return IsConditional(write) || context.schema.last_write_wins; }

  // Adds one whose value is still to come. `seen`: what the key has had.
  Effect& AddEffect(std::string key, const SeenRecord& seen) {
    Effect& effect = effects.On(std::move(key));
    if (context.schema.last_write_wins) {
      // Later than what it replaces, whatever clock that was written by: this write has seen it.
      effect.write_time_ms = std::max(static_cast<int64_t>(context.now.value), seen.stamp.time_ms + 1);
      effect.writer = context.server;
    }
    return effect;
  }

  const EvaluationContext& context;
  BatchEffects effects;
  LoggedRecords records;
  FunctionRoom room;
  Outcome outcome;
};

bool Holds(const Condition& condition, const std::optional<PresentRecord>& record) {
  switch (condition.kind) {
    case Condition::Kind::kNone: return true;
    case Condition::Kind::kAbsent: return !record.has_value();
    case Condition::Kind::kExists: return record.has_value();
    case Condition::Kind::kVersionIs: return record.has_value() && record->version == condition.version;
  }
  return false;
}

std::string WhyNot(const Condition& condition, const std::optional<PresentRecord>& record) {
  switch (condition.kind) {
    case Condition::Kind::kAbsent: return "the record exists, at version " + record->version.ToString();
    case Condition::Kind::kVersionIs:
      if (record.has_value()) {
        return "the record's version is " + record->version.ToString() + ", not " + condition.version.ToString();
      }
      [[fallthrough]];
    case Condition::Kind::kExists: return "there is no record";
    case Condition::Kind::kNone: break;
  }
  return "";
}

TabletTime ExpiryAfter(TabletTime now, int64_t ttl_ms) {
  return ttl_ms == 0 ? TabletTime{} : TabletTime{now.value + static_cast<uint64_t>(ttl_ms)};
}

// The refusal of the whole batch; none: the evaluation continues.
using Refused = std::optional<Outcome>;

// The log and the dedup window keep the text, which may have a key of the client's.
Outcome RefusalOf(const Status& status, size_t index) {
  constexpr size_t kTextMax = 1'000;
  std::string text = status.message();
  if (text.size() > kTextMax) text.resize(kTextMax);
  while (text.size() == kTextMax && (static_cast<uint8_t>(text.back()) & 0x80) != 0) text.pop_back();
  return Refusal(Code::kInvalidArgument, std::move(text), static_cast<int32_t>(index));
}

// A write that was accepted elsewhere, or here before a failover. In the order of their stamps or not, as often as they
// come: the latest stays.
Refused AddDelivered(Write& write, size_t index, const SeenRecord& seen, Batch& batch) {
  if (*write.stamp <= seen.stamp) return std::nullopt;
  // A delete that was later than it may be forgotten by now.
  if (write.stamp->time_ms + batch.context.tombstone_retention_ms <= static_cast<int64_t>(batch.context.now.value)) {
    return Refusal(Code::kConditionFailed,
                   "the write was accepted too long ago: deletes that followed it may be forgotten",
                   static_cast<int32_t>(index));
  }
  Effect& effect = batch.effects.On(std::move(write.key));
  effect.is_delete = write.kind == WriteKind::kDelete;
  effect.value = std::move(write.value);
  effect.expires_at = write.expires_at;
  effect.write_time_ms = write.stamp->time_ms;
  effect.writer = write.stamp->server;
  return std::nullopt;
}

// Adds the changes of other keys than the one that the write names.
Status AddOthers(std::vector<FunctionResult::RowChange>&& others, Batch& batch) {
  for (FunctionResult::RowChange& other : others) {
    Result<SeenRecord> seen;
    if (batch.context.schema.last_write_wins) {
      EBLA_ASSIGN(*seen, batch.records.Get(other.key));
    }
    Effect& effect = batch.AddEffect(std::move(other.key), *seen);
    effect.is_delete = other.is_delete;
    if (other.is_delete) continue;
    effect.value = std::move(other.value);
    effect.expires_at = TabletTime{static_cast<uint64_t>(other.expires_ms)};
  }
  return Status::Ok();
}

void AddChange(Write& write, FunctionResult& result, const SeenRecord& seen, Batch& batch) {
  if (result.change == FunctionResult::Change::kNone) return;
  Effect& effect = batch.AddEffect(std::move(write.key), seen);
  effect.is_delete = result.change == FunctionResult::Change::kDelete;
  if (effect.is_delete) return;
  effect.value = std::move(result.value);
  if (result.expires_ms) {
    effect.expires_at = TabletTime{static_cast<uint64_t>(*result.expires_ms)};
  } else if (seen.live) {
    effect.expires_at = seen.live->expires_at;
  }
}

// Adds what the function makes of the record or the group, and its answer. An error is the store's.
Result<Refused> AddApplied(Write& write, size_t index, const SeenRecord& seen, Batch& batch) {
  const EvaluationContext& context = batch.context;
  const Function* const function = context.functions == nullptr ? nullptr : context.functions->Find(write.function);
  if (function == nullptr) {
    return RefusalOf(
        Error(Code::kInvalidArgument, "this server has no function \"" + EscapeBytes(write.function) + "\""), index);
  }
  FunctionInput input{.arguments = write.value,
                      .now_ms = static_cast<int64_t>(context.now.value),
                      .record = std::nullopt,
                      .key = write.key,
                      .change_version = context.change_version};
  if (seen.live && function->scope != FunctionScope::kReadGroup) {
    input.record = {.value = seen.live->value, .version = seen.live->version, .expires_ms = std::nullopt};
    if (seen.live->expires_at) input.record->expires_ms = static_cast<int64_t>(seen.live->expires_at.value);
  }
  std::optional<LoggedGroupRows> rows;
  KeyRange group;
  if (function->scope != FunctionScope::kRecord) {
    group = context.schema.key_group.RangeOf(write.key).Intersect(context.range);
    input.rows = &rows.emplace(group, batch.records, batch.room);
  } else {
    group = {write.key, KeyAfter(write.key)};
  }
  Result<FunctionResult> result = function->run(input);
  if (rows && !rows->store_failure().ok()) return Error(rows->store_failure());
  if (!result) return RefusalOf(result.error(), index);
  Status taken = batch.room.TakeAnswer(*result);
  if (taken.ok()) taken = CheckScope(*function, *result);
  if (taken.ok()) taken = batch.room.TakeChanges(input, *result, group);
  if (!taken.ok()) return RefusalOf(taken, index);
  batch.outcome.message += ByteWriter().Bytes(result->answer).view();
  AddChange(write, *result, seen, batch);
  EBLA_TRY(AddOthers(std::move(result->others), batch));
  return Refused();
}

Refused AddIncrement(Write& write, size_t index, const SeenRecord& seen, Batch& batch) {
  int64_t counter = 0;
  if (seen.live) {
    const std::optional<int64_t> parsed = ParseCounter(seen.live->value);
    if (!parsed.has_value()) {
      return Refusal(Code::kInvalidArgument, "the value to increment is not a decimal 64-bit integer",
                     static_cast<int32_t>(index));
    }
    counter = *parsed;
  }
  if (__builtin_add_overflow(counter, write.delta, &counter))
    return Refusal(Code::kInvalidArgument, "the increment overflows a 64-bit integer", static_cast<int32_t>(index));
  Effect& effect = batch.AddEffect(std::move(write.key), seen);
  effect.value = std::to_string(counter);
  const TabletTime now = batch.context.now;
  if (write.ttl_ms.has_value()) {
    effect.expires_at = ExpiryAfter(now, *write.ttl_ms);
  } else if (seen.live.has_value()) {
    effect.expires_at = seen.live->expires_at;
  } else {
    effect.expires_at = ExpiryAfter(now, write.new_ttl_ms.value_or(batch.context.schema.default_ttl_ms));
  }
  batch.outcome.counters.push_back(counter);
  return std::nullopt;
}

// Adds the write's effect, which takes its key and value.
Result<Refused> AddEffect(Write& write, size_t index, const SeenRecord& seen, Batch& batch) {
  if (write.kind == WriteKind::kCheck) return Refused();
  if (write.stamp.has_value()) return AddDelivered(write, index, seen, batch);
  if (write.kind == WriteKind::kApply) return AddApplied(write, index, seen, batch);
  if (write.kind == WriteKind::kIncrement) return AddIncrement(write, index, seen, batch);
  Effect& effect = batch.AddEffect(std::move(write.key), seen);
  effect.is_delete = write.kind == WriteKind::kDelete;
  if (effect.is_delete) return Refused();
  effect.value = std::move(write.value);
  effect.expires_at = ExpiryOf(write, batch.context.now, batch.context.schema);
  return Refused();
}

// Functions may meet at a key: each sees what the earlier ones have done.
Status CheckDistinct(std::span<const Write> writes) {
  if (writes.size() == 1) return {};
  std::vector<std::string_view> keys;
  keys.reserve(writes.size());
  for (const Write& write : writes) keys.push_back(write.key);
  if (HaveDistinctHashes(keys)) return {};
  std::vector<const Write*> in_order;
  for (const Write& write : writes) in_order.push_back(&write);
  std::ranges::sort(in_order, {}, [](const Write* write) -> const std::string& { return write->key; });
  const auto clash = std::ranges::adjacent_find(in_order, [](const Write* one, const Write* next) {
    return one->key == next->key && (one->kind != WriteKind::kApply || next->kind != WriteKind::kApply);
  });
  if (clash == in_order.end()) return {};
  return Error(Code::kInvalidArgument, "the batch names the key \"" + EscapeBytes((*clash)->key) + "\" twice");
}

}  // namespace

TabletTime ExpiryOf(const Write& put, TabletTime now, const TabletSchema& schema) {
  return put.expires_at ? put.expires_at : ExpiryAfter(now, put.ttl_ms.value_or(schema.default_ttl_ms));
}

Outcome Refusal(Code code, std::string message, int32_t failed_index) {
  Outcome outcome;
  outcome.code = code;
  outcome.message = std::move(message);
  outcome.failed_index = failed_index;
  return outcome;
}

Status CheckBatch(std::span<const Write> writes) {
  if (writes.empty()) return Error(Code::kInvalidArgument, "the batch is empty");
  if (writes.size() > kBatchWritesMax) {
    return Error(Code::kInvalidArgument, "a batch of " + std::to_string(writes.size()) +
                                             " writes is too large: at most " + std::to_string(kBatchWritesMax));
  }
  size_t bytes = 0;
  for (const Write& write : writes) {
    EBLA_TRY(CheckKey(write.key));
    EBLA_TRY(CheckValue(write.value));
    bytes += write.key.size() + write.value.size();
    for (const std::optional<int64_t>& ttl_ms : {write.ttl_ms, write.new_ttl_ms}) {
      if (ttl_ms.has_value() && (*ttl_ms < 0 || *ttl_ms > limits::kTtlMsMax))
        return Error(Code::kInvalidArgument, "a TTL is 1 to 2^52 ms, or 0 for none");
    }
    if (write.kind == WriteKind::kCheck && write.condition.kind == Condition::Kind::kNone) {
      return Error(Code::kInvalidArgument, "a check needs a condition");
    }
  }
  EBLA_TRY(CheckDistinct(writes));
  if (bytes > kBatchBytesMax) {
    return Error(Code::kInvalidArgument, "a batch of " + std::to_string(bytes) + " bytes is too large: at most " +
                                             std::to_string(kBatchBytesMax));
  }
  return {};
}

Result<Evaluation> Evaluate(std::vector<Write> writes, const EvaluationContext& context) {
  Batch batch(writes, context);
  for (size_t i = 0; i < writes.size(); ++i) {
    Write& write = writes[i];
    Result<SeenRecord> seen;
    if (batch.MustLook(write)) {
      EBLA_ASSIGN(*seen, batch.records.Next(write.key));
    }
    Refused refused;
    if (!Holds(write.condition, seen->live)) {
      refused = Refusal(Code::kConditionFailed, WhyNot(write.condition, seen->live), static_cast<int32_t>(i));
    } else {
      EBLA_ASSIGN(refused, AddEffect(write, i, *seen, batch));
    }
    if (refused) return Evaluation{*std::move(refused), {}};
  }
  batch.outcome.wrote = batch.effects.size() > 0;
  return Evaluation{std::move(batch.outcome), batch.effects.Take()};
}

uint64_t DigestOf(std::span<const Write> writes) {
  uint64_t digest = writes.size();
  for (const Write& write : writes) {
    const std::array<uint64_t, 7> numbers{static_cast<uint64_t>(write.kind),
                                          static_cast<uint64_t>(write.delta),
                                          write.ttl_ms.has_value() ? static_cast<uint64_t>(*write.ttl_ms) + 1 : 0,
                                          static_cast<uint64_t>(write.condition.kind),
                                          write.condition.version.epoch.value,
                                          write.condition.version.lsn.value,
                                          write.key.size()};
    digest = XXH3_64bits_withSeed(numbers.data(), sizeof numbers, digest);
    digest = XXH3_64bits_withSeed(write.key.data(), write.key.size(), digest);
    digest = XXH3_64bits_withSeed(write.value.data(), write.value.size(), digest);
    if (write.kind == WriteKind::kApply)
      digest = XXH3_64bits_withSeed(write.function.data(), write.function.size(), digest);
    if (write.expires_at) digest = XXH3_64bits_withSeed(&write.expires_at.value, sizeof write.expires_at.value, digest);
    // Not new_ttl_ms: builds that do not know it would find another digest, and take a retry for another request.
  }
  return digest;
}

std::optional<int64_t> ParseCounter(std::string_view text) {
  int64_t counter = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), counter);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return counter;
}

}  // namespace ebla::tabletserver
