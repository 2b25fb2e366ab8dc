// Format of a log entry, in order (varint: common/base/encoding.h; bytes: varint length, then as many):
//
//   size     what
//   1        format version: 1
//   1        EntryKind
//   varint   epoch
//   varint   lsn
//   varint   tablet time, ms
//   8        client id, big-endian (random numbers would be longer as varints)
//   varint   sequence
//   varint   first incomplete sequence
//   8        request digest, big-endian
//   1        AckLevel
//   outcome  varint code, bytes message, 1 wrote (0 or 1), varint count of counters, each a signed varint,
//            signed varint failed index. The message of an OK: the answers of functions, each bytes
//   varint   number of effects, each:
//              1      flags: 1 delete, 2 expiry follows, 4 write time and writer follow
//              bytes  key
//              bytes  value             (not for a delete)
//              varint expiry            (flag 2)
//              signed varint write time, bytes writer  (flag 4)
//   varint   floor time, ms
//   bytes    detail; of a kWrite that is conditional "c", else none
//
// The detail of a kSplit: 1 format (1), varint child, bytes key, bytes primary, varint count of voters, each bytes. A
// kFreeze's detail is 1 format (1) and a varint, the tablet that it is to be part of.
//
// A new field means a new format version; a new kind or flag may be added to this one only together with a protocol
// version, as older builds refuse it.
#include "tabletserver/storage/log/log_entry.h"

#include <algorithm>

#include "common/base/encoding.h"
#include "tabletserver/storage/log/outcome_encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr uint8_t kEntryFormat = 1;
constexpr char kConditional[] = "c";
constexpr uint8_t kDelete = 1;
constexpr uint8_t kEntryExpires = 2;
constexpr uint8_t kEntryWriteTime = 4;
constexpr uint8_t kFlags = kDelete | kEntryExpires | kEntryWriteTime;

void WriteEffect(const Effect& effect, ByteWriter& out) {
  const bool timed = effect.write_time_ms != 0 || !effect.writer.empty();
  out.Byte((effect.is_delete ? kDelete : 0) | (effect.expires_at ? kEntryExpires : 0) | (timed ? kEntryWriteTime : 0));
  out.Bytes(effect.key);
  if (!effect.is_delete) out.Bytes(effect.value);
  if (effect.expires_at) out.Varint(effect.expires_at.value);
  if (timed) out.SignedVarint(effect.write_time_ms).Bytes(effect.writer);
}

Effect ReadEffect(ByteReader& in) {
  Effect effect;
  const uint8_t flags = in.Byte();
  if ((flags & ~kFlags) != 0) in.Fail();
  effect.is_delete = (flags & kDelete) != 0;
  effect.key = in.Bytes();
  if (!effect.is_delete) effect.value = in.Bytes();
  if ((flags & kEntryExpires) != 0) effect.expires_at.value = in.Varint();
  if ((flags & kEntryWriteTime) != 0) {
    effect.write_time_ms = in.SignedVarint();
    effect.writer = in.Bytes();
  }
  return effect;
}

}  // namespace

void WriteOutcome(const Outcome& outcome, ByteWriter& out) {
  out.Varint(static_cast<uint64_t>(outcome.code)).Bytes(outcome.message).Byte(outcome.wrote ? 1 : 0);
  out.Varint(outcome.counters.size());
  for (int64_t counter : outcome.counters) out.SignedVarint(counter);
  out.SignedVarint(outcome.failed_index);
}

Outcome ReadOutcome(ByteReader& in) {
  Outcome outcome;
  const uint64_t code = in.Varint();
  if (code > static_cast<uint64_t>(Code::kComeAgain)) in.Fail();
  outcome.code = static_cast<Code>(code);
  outcome.message = in.Bytes();
  const uint8_t wrote = in.Byte();
  if (wrote > 1) in.Fail();
  outcome.wrote = wrote == 1;
  const uint64_t counters = in.Count(1);
  outcome.counters.reserve(counters);
  for (uint64_t i = 0; i < counters; ++i) outcome.counters.push_back(in.SignedVarint());
  const int64_t failed = in.SignedVarint();
  if (failed < -1 || failed > INT32_MAX) in.Fail();
  outcome.failed_index = static_cast<int32_t>(failed);
  return outcome;
}

AckLevel ReadAckLevel(ByteReader& in) {
  const uint8_t level = in.Byte();
  if (level > static_cast<uint8_t>(AckLevel::kAny)) in.Fail();
  return static_cast<AckLevel>(level);
}

namespace {

size_t BytesOf(const LogEntry& entry, size_t per_entry, size_t per_counter, size_t per_effect) {
  size_t bytes =
      per_entry + entry.outcome.message.size() + per_counter * entry.outcome.counters.size() + entry.detail.size();
  for (const Effect& effect : entry.effects) {
    bytes += per_effect + effect.key.size() + effect.value.size() + effect.writer.size();
  }
  return bytes;
}

}  // namespace

size_t LogEntry::ApproximateBytes() const { return BytesOf(*this, sizeof(LogEntry), sizeof(int64_t), sizeof(Effect)); }

std::string EncodeLogEntry(const LogEntry& entry) {
  ByteWriter out;
  out.Reserve(BytesOf(entry, 64, 10, 16));  // about; a guess too low costs a copy
  EncodeLogEntry(entry, out);
  return out.Take();
}

void EncodeLogEntry(const LogEntry& entry, ByteWriter& out) {
  out.Byte(kEntryFormat).Byte(static_cast<uint8_t>(entry.kind));
  out.Varint(entry.version.epoch.value).Varint(entry.version.lsn.value).Varint(entry.time.value);
  out.Fixed64(entry.client.value).Varint(entry.sequence.value).Varint(entry.first_incomplete.value);
  out.Fixed64(entry.request_digest).Byte(static_cast<uint8_t>(entry.level));
  WriteOutcome(entry.outcome, out);
  out.Varint(entry.effects.size());
  for (const Effect& effect : entry.effects) WriteEffect(effect, out);
  out.Varint(entry.floor_time.value).Bytes(entry.conditional ? kConditional : entry.detail);
}

Result<LogEntry> DecodeLogEntry(std::string_view bytes) {
  ByteReader in(bytes);
  LogEntry entry;
  const uint8_t format = in.Byte();
  if (in.ok() && format != kEntryFormat) {
    return Error(Code::kInternal, "a log entry has format " + std::to_string(format) + ", this build reads " +
                                      std::to_string(kEntryFormat) + ": a newer build wrote it, or it is damaged");
  }
  const uint8_t kind = in.Byte();
  if (in.ok() && (kind < static_cast<uint8_t>(EntryKind::kWrite) || kind > static_cast<uint8_t>(EntryKind::kFloor))) {
    return Error(Code::kInternal, "a log entry is of unknown kind " + std::to_string(kind) +
                                      ": a newer build wrote it, or it is damaged");
  }
  entry.kind = static_cast<EntryKind>(kind);
  entry.version.epoch.value = in.Varint();
  entry.version.lsn.value = in.Varint();
  entry.time.value = in.Varint();
  entry.client.value = in.Fixed64();
  entry.sequence.value = in.Varint();
  entry.first_incomplete.value = in.Varint();
  entry.request_digest = in.Fixed64();
  entry.level = ReadAckLevel(in);
  entry.outcome = ReadOutcome(in);
  const uint64_t effects = in.Count(2);
  entry.effects.reserve(std::min<uint64_t>(effects, 1000));  // a hostile count costs nothing until its bytes are read
  for (uint64_t i = 0; i < effects && in.ok(); ++i) entry.effects.push_back(ReadEffect(in));
  entry.floor_time.value = in.Varint();
  entry.detail = in.Bytes();
  EBLA_TRY(in.Finish("a log entry"));
  if (entry.kind == EntryKind::kWrite && entry.detail == kConditional) {
    entry.conditional = true;
    entry.detail.clear();
  }
  return entry;
}

std::string EncodeSplitDetail(const SplitDetail& detail) {
  ByteWriter out;
  out.Byte(kEntryFormat)
      .Varint(detail.child.value)
      .Bytes(detail.key)
      .Bytes(detail.primary)
      .Varint(detail.voters.size());
  for (const ServerName& voter : detail.voters) out.Bytes(voter);
  return out.Take();
}

Result<SplitDetail> DecodeSplitDetail(std::string_view bytes) {
  ByteReader in(bytes);
  SplitDetail detail;
  if (in.Byte() != kEntryFormat) in.Fail();
  detail.child.value = in.Varint();
  detail.key = in.Bytes();
  detail.primary = in.Bytes();
  const uint64_t voters = in.Count(1);
  for (uint64_t i = 0; i < voters && in.ok(); ++i) detail.voters.emplace_back(in.Bytes());
  if (!detail.child || detail.key.empty()) in.Fail();
  EBLA_TRY(in.Finish("a split's detail"));
  return detail;
}

std::string EncodeFreezeDetail(const FreezeDetail& detail) {
  return ByteWriter().Byte(kEntryFormat).Varint(detail.into.value).Take();
}

Result<FreezeDetail> DecodeFreezeDetail(std::string_view bytes) {
  ByteReader in(bytes);
  FreezeDetail detail;
  if (in.Byte() != kEntryFormat) in.Fail();
  detail.into.value = in.Varint();
  if (!detail.into) in.Fail();
  EBLA_TRY(in.Finish("a freeze's detail"));
  return detail;
}

}  // namespace ebla::tabletserver
