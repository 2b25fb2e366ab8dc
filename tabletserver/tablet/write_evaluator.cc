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
#include "tabletserver/tablet/rules.h"

namespace ebla::tabletserver {

namespace {

// A record as a condition sees it: what the log will have made of it, not expired.
struct Present {
  std::string value;
  Version version;
  TabletTime expires_at;
};

struct Seen {
  std::optional<Present> live;
  WriteStamp stamp;  // of the newest write, expired or a delete or not
};

// The writes of a batch that depend on what there is, and the records that they see. The store is asked for several at
// a time.
class Records {
 public:
  Records(std::span<const Write> writes, const EvaluationContext& context);

  // Called for one write after another.
  Result<Seen> Look(const Write& write);

 private:
  bool MustLook(const Write& write) const { return IsConditional(write) || context_.schema.last_write_wins; }
  std::optional<UnappliedWrites::Item> Unapplied(const Write& write) const {
    if (context_.unapplied.empty() || !rules::ConditionsSeeUnapplied()) return std::nullopt;
    return context_.unapplied.Find(write.key);
  }
  // The next one's, to be taken.
  Result<std::optional<StoredRecord>*> NextStored();

  const EvaluationContext& context_;
  std::vector<std::string_view> keys_;  // of the store's records that are still to be looked at
  size_t next_ = 0;                     // of these
  std::vector<std::optional<StoredRecord>> read_;
  size_t taken_ = 0;  // of those read
};

Records::Records(std::span<const Write> writes, const EvaluationContext& context) : context_(context) {
  for (const Write& write : writes) {
    if (MustLook(write) && !Unapplied(write).has_value()) keys_.push_back(write.key);
  }
}

Result<std::optional<StoredRecord>*> Records::NextStored() {
  if (taken_ == read_.size()) {
    EBLA_ASSIGN(read_, context_.read(std::span(keys_).subspan(next_)));
    taken_ = 0;
    next_ += read_.size();
  }
  return &read_[taken_++];
}

Result<Seen> Records::Look(const Write& write) {
  Result<Seen> looked;
  Seen& seen = *looked;
  if (!MustLook(write)) return looked;
  std::optional<Present>& newest = seen.live;
  if (const auto item = Unapplied(write)) {
    seen.stamp = {item->effect->write_time_ms, item->effect->writer};
    if (!item->effect->is_delete) newest = Present{item->effect->value, item->version, item->effect->expires_at};
  } else {
    EBLA_ASSIGN(std::optional<StoredRecord>* const stored, NextStored());
    if (stored->has_value()) {
      StoredRecord& record = **stored;
      seen.stamp = {record.write_time_ms, std::move(record.writer)};
      if (!record.tombstone) newest = Present{std::move(record.value), record.version, record.expires_at};
    }
  }
  if (newest.has_value() && newest->expires_at && newest->expires_at <= context_.now) newest.reset();
  return looked;
}

bool Holds(const Condition& condition, const std::optional<Present>& record) {
  switch (condition.kind) {
    case Condition::Kind::kNone: return true;
    case Condition::Kind::kAbsent: return !record.has_value();
    case Condition::Kind::kExists: return record.has_value();
    case Condition::Kind::kVersionIs: return record.has_value() && record->version == condition.version;
  }
  return false;
}

std::string WhyNot(const Condition& condition, const std::optional<Present>& record) {
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

// Adds one whose value is still to come. It takes the write's key.
Effect& AddEffectOn(Write& write, const Seen& seen, const EvaluationContext& context, Evaluation& evaluation) {
  Effect& effect = evaluation.effects.emplace_back();
  effect.key = std::move(write.key);
  if (context.schema.last_write_wins) {
    // Later than what it replaces, whatever clock that was written by: this write has seen it.
    effect.write_time_ms = std::max(static_cast<int64_t>(context.now.value), seen.stamp.time_ms + 1);
    effect.writer = context.server;
  }
  return effect;
}

// The refusal of the whole batch; none: the evaluation continues.
using Refused = std::optional<Outcome>;

// A write that was accepted elsewhere, or here before a failover. In the order of their stamps or not, as often as they
// come: the latest stays.
Refused AddDelivered(Write& write, size_t index, const Seen& seen, const EvaluationContext& context,
                     Evaluation& evaluation) {
  if (*write.stamp <= seen.stamp) return std::nullopt;
  // A delete that was later than it may be forgotten by now.
  if (write.stamp->time_ms + context.tombstone_retention_ms <= static_cast<int64_t>(context.now.value)) {
    return Refusal(Code::kConditionFailed,
                   "the write was accepted too long ago: deletes that followed it may be forgotten",
                   static_cast<int32_t>(index));
  }
  Effect& effect = evaluation.effects.emplace_back();
  effect.key = std::move(write.key);
  effect.is_delete = write.kind == WriteKind::kDelete;
  effect.value = std::move(write.value);
  effect.expires_at = write.expires_at;
  effect.write_time_ms = write.stamp->time_ms;
  effect.writer = write.stamp->server;
  return std::nullopt;
}

// The room of a batch's functions together, because an entry has to fit in a peer's message and on a page of its log,
// and a shard does nothing else meanwhile.
struct FunctionRoom {
  size_t bytes = kBatchBytesMax;  // of records that are given to them, and that come of it
  size_t answer_bytes = kFunctionAnswersBytesMax;

  // Whatever one function alone takes fits.
  Status Take(const FunctionInput& input, const FunctionResult& result) {
    const size_t taken = (input.record ? input.record->value.size() : 0) + result.value.size();
    if (result.answer.size() > kFunctionAnswerBytesMax)
      return Error(Code::kInvalidArgument,
                   "the function's answer is larger than " + std::to_string(kFunctionAnswerBytesMax) + " bytes");
    if (taken > bytes || result.answer.size() > answer_bytes)
      return Error(Code::kInvalidArgument, "the functions of one batch take too much together: apply fewer at a time");
    bytes -= taken;
    answer_bytes -= result.answer.size();
    const std::optional<int64_t>& expires_ms = result.expires_ms;
    if (expires_ms && (*expires_ms < 0 || *expires_ms > limits::kExpiryMsMax))
      return Error(Code::kInvalidArgument, "the function has the record expire at a time that no clock shows");
    return CheckValue(result.value);
  }
};

Result<FunctionResult> Apply(const Write& write, const std::optional<Present>& live, const EvaluationContext& context,
                             FunctionRoom& room) {
  const RecordFunction* const function =
      context.functions == nullptr ? nullptr : context.functions->Find(write.function);
  if (function == nullptr)
    return Error(Code::kInvalidArgument, "this server has no function \"" + EscapeBytes(write.function) + "\"");
  FunctionInput input{
      .arguments = write.value, .now_ms = static_cast<int64_t>(context.now.value), .record = std::nullopt};
  if (live) {
    input.record.emplace(
        FunctionInput::Record{.value = live->value, .version = live->version, .expires_ms = std::nullopt});
    if (live->expires_at) input.record->expires_ms = static_cast<int64_t>(live->expires_at.value);
  }
  EBLA_ASSIGN(FunctionResult result, (*function)(input));
  EBLA_TRY(room.Take(input, result));
  return result;
}

// Adds what the function makes of the record, and its answer.
Refused AddApplied(Write& write, size_t index, const Seen& seen, const EvaluationContext& context, FunctionRoom& room,
                   Evaluation& evaluation) {
  Result<FunctionResult> result = Apply(write, seen.live, context, room);
  if (!result) return Refusal(Code::kInvalidArgument, result.error().message(), static_cast<int32_t>(index));
  evaluation.outcome.message += ByteWriter().Bytes(result->answer).view();
  if (result->change == FunctionResult::Change::kNone) return std::nullopt;
  Effect& effect = AddEffectOn(write, seen, context, evaluation);
  if (result->change == FunctionResult::Change::kDelete) {
    effect.is_delete = true;
  } else {
    effect.value = std::move(result->value);
    if (result->expires_ms) {
      effect.expires_at = TabletTime{static_cast<uint64_t>(*result->expires_ms)};
    } else if (seen.live.has_value()) {
      effect.expires_at = seen.live->expires_at;
    }
  }
  return std::nullopt;
}

Refused AddIncrement(Write& write, size_t index, const Seen& seen, const EvaluationContext& context,
                     Evaluation& evaluation) {
  int64_t counter = 0;
  if (seen.live.has_value()) {
    const std::optional<int64_t> parsed = ParseCounter(seen.live->value);
    if (!parsed.has_value()) {
      return Refusal(Code::kInvalidArgument, "the value to increment is not a decimal 64-bit integer",
                     static_cast<int32_t>(index));
    }
    counter = *parsed;
  }
  if (__builtin_add_overflow(counter, write.delta, &counter))
    return Refusal(Code::kInvalidArgument, "the increment overflows a 64-bit integer", static_cast<int32_t>(index));
  Effect& effect = AddEffectOn(write, seen, context, evaluation);
  effect.value = std::to_string(counter);
  if (write.ttl_ms.has_value()) {
    effect.expires_at = ExpiryAfter(context.now, *write.ttl_ms);
  } else if (seen.live.has_value()) {
    effect.expires_at = seen.live->expires_at;
  } else {
    effect.expires_at = ExpiryAfter(context.now, write.new_ttl_ms.value_or(context.schema.default_ttl_ms));
  }
  evaluation.outcome.counters.push_back(counter);
  return std::nullopt;
}

// Adds the write's effect, which takes its key and value.
Refused AddEffect(Write& write, size_t index, const Seen& seen, const EvaluationContext& context, FunctionRoom& room,
                  Evaluation& evaluation) {
  if (write.kind == WriteKind::kCheck) return std::nullopt;
  if (write.stamp.has_value()) return AddDelivered(write, index, seen, context, evaluation);
  if (write.kind == WriteKind::kApply) return AddApplied(write, index, seen, context, room, evaluation);
  if (write.kind == WriteKind::kIncrement) return AddIncrement(write, index, seen, context, evaluation);
  Effect& effect = AddEffectOn(write, seen, context, evaluation);
  effect.is_delete = write.kind == WriteKind::kDelete;
  if (effect.is_delete) return std::nullopt;
  effect.value = std::move(write.value);
  effect.expires_at = ExpiryOf(write, context.now, context.schema);
  return std::nullopt;
}

Status CheckDistinct(std::span<const Write> writes) {
  if (writes.size() == 1) return {};
  std::vector<std::string_view> keys;
  keys.reserve(writes.size());
  for (const Write& write : writes) keys.push_back(write.key);
  if (HaveDistinctHashes(keys)) return {};
  std::ranges::sort(keys);
  const auto twice = std::ranges::adjacent_find(keys);
  if (twice == keys.end()) return {};
  return Error(Code::kInvalidArgument, "the batch names the key \"" + EscapeBytes(*twice) + "\" twice");
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
  Evaluation evaluation;
  evaluation.effects.reserve(writes.size());
  evaluation.outcome.counters.reserve(
      static_cast<size_t>(std::ranges::count(writes, WriteKind::kIncrement, &Write::kind)));
  Records records(writes, context);
  FunctionRoom room;
  for (size_t i = 0; i < writes.size(); ++i) {
    Write& write = writes[i];
    const Result<Seen> looked = records.Look(write);
    if (!looked) return Error(looked.error());
    const Seen& seen = *looked;
    Refused refused;
    if (!Holds(write.condition, seen.live)) {
      refused = Refusal(Code::kConditionFailed, WhyNot(write.condition, seen.live), static_cast<int32_t>(i));
    } else {
      refused = AddEffect(write, i, seen, context, room, evaluation);
    }
    if (refused) return Evaluation{*std::move(refused), {}};
  }
  evaluation.outcome.wrote = !evaluation.effects.empty();
  return evaluation;
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
