#include "tabletserver/storage/row_encoding.h"

#include <algorithm>

#include "tabletserver/storage/log/outcome_encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr uint8_t kRowFormat = 1;
constexpr uint8_t kLineageFormat = 2;  // of rows that have to do with splits
constexpr uint8_t kMergeFormat = 3;    // and of those that have to do with merges

constexpr uint8_t kIncomplete = 1;
constexpr uint8_t kTombstone = 2;
constexpr uint8_t kMayHaveLostWrites = 4;

constexpr uint8_t kUnresolvedKind = 1;

constexpr uint8_t kSplitFollows = 1;
constexpr uint8_t kFreezeFollows = 2;
constexpr uint8_t kFormerFollows = 4;

constexpr uint8_t kRecordExpires = 1;
constexpr uint8_t kRecordWriteTime = 2;
constexpr uint8_t kTimedDelete = 4;

bool IsTombstone(const StoredRecord& record) { return record.tombstone; }
bool IsTombstone(const Effect& effect) { return effect.is_delete; }

Status CheckFormat(ByteReader& in, std::string_view what) {
  const uint8_t format = in.Byte();
  if (!in.ok() || format == kRowFormat) return {};
  return Error(Code::kInternal, std::string(what) + " has format " + std::to_string(format) +
                                    ", this build reads 1: a newer build wrote it, or it is damaged");
}

// The format: from 2 on, what has to do with splits or merges follows the rest.
Result<uint8_t> CheckLineageFormat(ByteReader& in, std::string_view what) {
  const uint8_t format = in.Byte();
  if (!in.ok() || (format >= kRowFormat && format <= kMergeFormat)) return format;
  return Error(Code::kInternal, std::string(what) + " has format " + std::to_string(format) +
                                    ", this build reads 1 to 3: a newer build wrote it, or it is damaged");
}

void WriteRange(const KeyRange& range, ByteWriter& out) { out.Bytes(range.start).Bytes(range.end); }

KeyRange ReadRange(ByteReader& in) {
  KeyRange range;
  range.start = in.Bytes();
  range.end = in.Bytes();
  return range;
}

void WriteVersion(Version version, ByteWriter& out) { out.Varint(version.epoch.value).Varint(version.lsn.value); }

Version ReadVersion(ByteReader& in) {
  Version version;
  version.epoch.value = in.Varint();
  version.lsn.value = in.Varint();
  return version;
}

void WriteMergedTablet(const MergedTablet& tablet, ByteWriter& out) {
  out.Varint(tablet.tablet.value);
  WriteRange(tablet.range, out);
  WriteVersion(tablet.freeze, out);
}

MergedTablet ReadMergedTablet(ByteReader& in) {
  MergedTablet tablet;
  tablet.tablet.value = in.Varint();
  tablet.range = ReadRange(in);
  tablet.freeze = ReadVersion(in);
  return tablet;
}

void WriteStarts(const std::vector<EpochStart>& starts, ByteWriter& out) {
  out.Varint(starts.size());
  for (const EpochStart& start : starts) out.Varint(start.epoch.value).Varint(start.first.value);
}

std::vector<EpochStart> ReadStarts(ByteReader& in) {
  const uint64_t count = in.Count(2);
  std::vector<EpochStart> starts;
  starts.reserve(std::min<uint64_t>(count, 1000));
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    EpochStart& start = starts.emplace_back();
    start.epoch.value = in.Varint();
    start.first.value = in.Varint();
  }
  return starts;
}

// A record's row up to its value, as a StoredRecord and an Effect have it alike.
template <class Source>
void WriteRecord(const Source& source, Version version, ByteWriter& out) {
  out.Clear();
  const bool timed = source.write_time_ms != 0 || !source.writer.empty();
  out.Byte(kRowFormat)
      .Byte((source.expires_at ? kRecordExpires : 0) | (timed ? kRecordWriteTime : 0) |
            (IsTombstone(source) ? kTimedDelete : 0));
  WriteVersion(version, out);
  if (source.expires_at) out.Varint(source.expires_at.value);
  if (timed) out.SignedVarint(source.write_time_ms).Bytes(source.writer);
  out.Raw(source.value);
}

}  // namespace

std::string TabletKey(TabletId tablet) { return ByteWriter().Fixed64(tablet.value).Take(); }

std::string ReplicaStateKey(TabletId tablet) {
  return ByteWriter().Raw(kReplicaStateKeys).Fixed64(tablet.value).Take();
}

Result<TabletId> ParseReplicaStateKey(std::string_view key) {
  if (!key.starts_with(kReplicaStateKeys)) return Error(Code::kInternal, "a replica state's key is malformed");
  return ParseTabletKey(key.substr(kReplicaStateKeys.size()));
}

std::string LostKey(TabletId tablet) { return ByteWriter().Raw(kLostKeys).Fixed64(tablet.value).Take(); }

Result<TabletId> ParseLostKey(std::string_view key) {
  if (!key.starts_with(kLostKeys)) return Error(Code::kInternal, "the key of a lost replica's mark is malformed");
  return ParseTabletKey(key.substr(kLostKeys.size()));
}

std::string LogKey(TabletId tablet, Lsn lsn) { return ByteWriter().Fixed64(tablet.value).Fixed64(lsn.value).Take(); }

std::string DedupKey(TabletId tablet, ClientId client, Sequence sequence) {
  ByteWriter out;
  out.Reserve(24);
  return out.Fixed64(tablet.value).Fixed64(client.value).Fixed64(sequence.value).Take();
}

std::string UnresolvedKey(TabletId tablet, Version version) {
  ByteWriter out;
  out.Reserve(25);
  return out.Byte(kUnresolvedKind).Fixed64(tablet.value).Fixed64(version.epoch.value).Fixed64(version.lsn.value).Take();
}

Result<UnresolvedPosition> ParseUnresolvedKey(std::string_view key) {
  ByteReader in(key);
  if (in.Byte() != kUnresolvedKind) in.Fail();
  UnresolvedPosition place;
  place.tablet.value = in.Fixed64();
  place.version.epoch.value = in.Fixed64();
  place.version.lsn.value = in.Fixed64();
  EBLA_TRY(in.Finish("an unresolved entry's key"));
  return place;
}

Result<TabletId> ParseTabletKey(std::string_view key) {
  ByteReader in(key);
  const TabletId tablet{in.Fixed64()};
  EBLA_TRY(in.Finish("a tablet's row key"));
  return tablet;
}

Result<std::pair<TabletId, Lsn>> ParseLogKey(std::string_view key) {
  ByteReader in(key);
  const TabletId tablet{in.Fixed64()};
  const Lsn lsn{in.Fixed64()};
  EBLA_TRY(in.Finish("a log row's key"));
  return std::pair(tablet, lsn);
}

Result<DedupKeyParts> ParseDedupKey(std::string_view key) {
  ByteReader in(key);
  DedupKeyParts parts;
  parts.tablet.value = in.Fixed64();
  parts.client.value = in.Fixed64();
  parts.sequence.value = in.Fixed64();
  EBLA_TRY(in.Finish("a dedup window row's key"));
  return parts;
}

std::string EncodeReplicaState(const ReplicaState& state) {
  ByteWriter out;
  out.Byte(state.merged ? kMergeFormat : state.lineage_parent ? kLineageFormat : kRowFormat);
  out.Varint(state.table.value).Varint(state.promised.value).Varint(state.led.value);
  out.SignedVarint(state.longest_lease_ms);
  out.Byte((state.incomplete ? kIncomplete : 0) | (state.tombstone ? kTombstone : 0) |
           (state.may_have_lost_writes ? kMayHaveLostWrites : 0));
  WriteRange(state.incomplete_range, out);
  out.Varint(state.lineage_epoch.value).Varint(state.lineage_lsn.value).Bytes(state.schema);
  if (state.lineage_parent || state.merged) out.Varint(state.lineage_parent.value);
  if (state.merged) {
    WriteMergedTablet(state.merged->left, out);
    WriteMergedTablet(state.merged->right, out);
    WriteVersion(state.merged->position, out);
  }
  return out.Take();
}

Result<ReplicaState> DecodeReplicaState(std::string_view bytes) {
  constexpr std::string_view kWhat = "a replica's state";
  ByteReader in(bytes);
  EBLA_ASSIGN(const uint8_t format, CheckLineageFormat(in, kWhat));
  ReplicaState state;
  state.table.value = in.Varint();
  state.promised.value = in.Varint();
  state.led.value = in.Varint();
  state.longest_lease_ms = in.SignedVarint();
  const uint8_t flags = in.Byte();
  if ((flags & ~(kIncomplete | kTombstone | kMayHaveLostWrites)) != 0) in.Fail();
  state.incomplete = (flags & kIncomplete) != 0;
  state.tombstone = (flags & kTombstone) != 0;
  state.may_have_lost_writes = (flags & kMayHaveLostWrites) != 0;
  state.incomplete_range = ReadRange(in);
  state.lineage_epoch.value = in.Varint();
  state.lineage_lsn.value = in.Varint();
  state.schema = in.Bytes();
  if (format >= kLineageFormat) state.lineage_parent.value = in.Varint();
  if (format == kMergeFormat) {
    Merged& merged = state.merged.emplace();
    merged.left = ReadMergedTablet(in);
    merged.right = ReadMergedTablet(in);
    merged.position = ReadVersion(in);
  }
  EBLA_TRY(in.Finish(kWhat));
  return state;
}

std::string EncodeUnresolved(TableId table, const LogEntry& entry) {
  return ByteWriter().Byte(kRowFormat).Varint(table.value).Raw(EncodeLogEntry(entry)).Take();
}

Result<UnresolvedLogEntry> DecodeUnresolved(TabletId tablet, std::string_view bytes) {
  constexpr std::string_view kWhat = "an unresolved entry";
  ByteReader in(bytes);
  EBLA_TRY(CheckFormat(in, kWhat));
  UnresolvedLogEntry unresolved;
  unresolved.tablet = tablet;
  unresolved.table.value = in.Varint();
  const std::string_view entry = in.Rest();
  EBLA_TRY(in.Finish(kWhat));
  EBLA_ASSIGN(unresolved.entry, DecodeLogEntry(entry));
  return unresolved;
}

namespace {

void WriteSplit(const AppliedSplit& split, ByteWriter& out) {
  out.Varint(split.child.value).Bytes(split.key).Bytes(split.end);
  WriteVersion(split.version, out);
  out.Bytes(split.primary).Varint(split.voters.size());
  for (const ServerName& voter : split.voters) out.Bytes(voter);
}

AppliedSplit ReadSplit(ByteReader& in) {
  AppliedSplit split;
  split.child.value = in.Varint();
  split.key = in.Bytes();
  split.end = in.Bytes();
  split.version = ReadVersion(in);
  split.primary = in.Bytes();
  const uint64_t voters = in.Count(1);
  for (uint64_t i = 0; i < voters && in.ok(); ++i) split.voters.emplace_back(in.Bytes());
  return split;
}

FormerRanges ReadFormer(ByteReader& in) {
  FormerRanges former;
  const uint64_t count = in.Count(3);
  for (uint64_t i = 0; i < count && in.ok(); ++i) {
    FormerRange& one = former.emplace_back();
    one.range = ReadRange(in);
    one.epoch_starts = ReadStarts(in);
  }
  return former;
}

}  // namespace

std::string EncodeHeldLog(const HeldLog& held) {
  ByteWriter out;
  out.Byte(kRowFormat).Varint(held.log).Varint(held.segment);
  return std::string(out.view());
}

Result<HeldLog> DecodeHeldLog(std::string_view bytes) {
  ByteReader in(bytes);
  EBLA_TRY(CheckFormat(in, "what is kept of a held log"));
  const HeldLog held{.log = in.Varint(), .segment = in.Varint()};
  EBLA_TRY(in.Finish("what is kept of a held log"));
  return held;
}

std::string EncodeLost() { return ByteWriter().Byte(kRowFormat).Take(); }

std::string EncodeForgotBelow(TabletId below) { return ByteWriter().Byte(kRowFormat).Varint(below.value).Take(); }

Result<TabletId> DecodeForgotBelow(std::string_view bytes) {
  constexpr std::string_view kWhat = "the bound of the ids that may have been here";
  ByteReader in(bytes);
  EBLA_TRY(CheckFormat(in, kWhat));
  const TabletId below{in.Varint()};
  EBLA_TRY(in.Finish(kWhat));
  return below;
}

std::string EncodeInventoried() { return ByteWriter().Byte(kRowFormat).Take(); }

std::string EncodeLogLoss(const LogLoss& loss) {
  ByteWriter out;
  out.Byte(kRowFormat).Bytes(loss.file).Varint(static_cast<uint64_t>(loss.offset)).Varint(loss.from);
  return out.Varint(loss.through).Varint(static_cast<uint64_t>(loss.marked_ms)).Take();
}

Result<LogLoss> DecodeLogLoss(std::string_view bytes) {
  constexpr std::string_view kWhat = "what is noted of a loss of the log";
  ByteReader in(bytes);
  EBLA_TRY(CheckFormat(in, kWhat));
  LogLoss loss{.file = std::string(in.Bytes())};
  loss.offset = static_cast<int64_t>(in.Varint());
  loss.from = in.Varint();
  loss.through = in.Varint();
  loss.marked_ms = static_cast<int64_t>(in.Varint());
  EBLA_TRY(in.Finish(kWhat));
  return loss;
}

std::string EncodeCheckpointNumber(uint64_t number) { return ByteWriter().Byte(kRowFormat).Varint(number).Take(); }

Result<uint64_t> DecodeCheckpointNumber(std::string_view bytes) {
  constexpr std::string_view kWhat = "a checkpoint's number";
  ByteReader in(bytes);
  EBLA_TRY(CheckFormat(in, kWhat));
  const uint64_t number = in.Varint();
  EBLA_TRY(in.Finish(kWhat));
  return number;
}

std::string EncodeAppliedState(const AppliedState& state) {
  ByteWriter out;
  const bool former = state.former != nullptr && !state.former->empty();
  const bool merge = former || state.freeze;
  out.Byte(merge ? kMergeFormat : state.last_split ? kLineageFormat : kRowFormat);
  WriteVersion(state.applied, out);
  WriteRange(state.range, out);
  out.Varint(state.time.value).Varint(state.dedup_floor.value);
  WriteStarts(state.epoch_starts, out);
  if (merge) {
    out.Byte((state.last_split ? kSplitFollows : 0) | (state.freeze ? kFreezeFollows : 0) |
             (former ? kFormerFollows : 0));
  }
  if (state.last_split) WriteSplit(*state.last_split, out);
  if (state.freeze) {
    out.Varint(state.freeze->into.value);
    WriteVersion(state.freeze->version, out);
  }
  if (former) {
    out.Varint(state.former->size());
    for (const FormerRange& one : *state.former) {
      WriteRange(one.range, out);
      WriteStarts(one.epoch_starts, out);
    }
  }
  return out.Take();
}

Result<AppliedState> DecodeAppliedState(std::string_view bytes) {
  constexpr std::string_view kWhat = "a tablet's applied state";
  ByteReader in(bytes);
  EBLA_ASSIGN(const uint8_t format, CheckLineageFormat(in, kWhat));
  AppliedState state;
  state.applied = ReadVersion(in);
  state.range = ReadRange(in);
  state.time.value = in.Varint();
  state.dedup_floor.value = in.Varint();
  state.epoch_starts = ReadStarts(in);
  const uint8_t follows = format == kMergeFormat ? in.Byte() : format == kLineageFormat ? kSplitFollows : 0;
  if ((follows & ~(kSplitFollows | kFreezeFollows | kFormerFollows)) != 0) in.Fail();
  if ((follows & kSplitFollows) != 0) state.last_split = ReadSplit(in);
  if ((follows & kFreezeFollows) != 0) {
    state.freeze.emplace().into.value = in.Varint();
    state.freeze->version = ReadVersion(in);
  }
  if ((follows & kFormerFollows) != 0) state.former = std::make_shared<const FormerRanges>(ReadFormer(in));
  EBLA_TRY(in.Finish(kWhat));
  return state;
}

std::string EncodeDedupRow(const DedupRow& row) {
  ByteWriter out;
  out.Byte(kRowFormat).Varint(row.first_incomplete.value).Varint(row.time.value).Fixed64(row.request_digest);
  WriteVersion(row.version, out);
  out.Byte(static_cast<uint8_t>(row.level));
  WriteOutcome(row.outcome, out);
  return out.Take();
}

Result<DedupRow> DecodeDedupRow(const DedupKeyParts& key, std::string_view bytes) {
  constexpr std::string_view kWhat = "a dedup window row";
  ByteReader in(bytes);
  EBLA_TRY(CheckFormat(in, kWhat));
  DedupRow row;
  row.client = key.client;
  row.sequence = key.sequence;
  row.first_incomplete.value = in.Varint();
  row.time.value = in.Varint();
  row.request_digest = in.Fixed64();
  row.version = ReadVersion(in);
  row.level = ReadAckLevel(in);
  row.outcome = ReadOutcome(in);
  EBLA_TRY(in.Finish(kWhat));
  return row;
}

void EncodeRecord(const Effect& effect, Version version, ByteWriter& out) { WriteRecord(effect, version, out); }

void EncodeRecord(const StoredRecord& record, ByteWriter& out) { WriteRecord(record, record.version, out); }

bool IsTombstoneRow(std::string_view bytes) {
  return bytes.size() >= 2 && (static_cast<uint8_t>(bytes[1]) & kTimedDelete) != 0;
}

Status DecodeRecord(std::string_view bytes, StoredRecord& record) {
  constexpr std::string_view kWhat = "a record";
  ByteReader in(bytes);
  EBLA_TRY(CheckFormat(in, kWhat));
  const uint8_t flags = in.Byte();
  if ((flags & ~(kRecordExpires | kRecordWriteTime | kTimedDelete)) != 0) in.Fail();
  record.tombstone = (flags & kTimedDelete) != 0;
  record.version = ReadVersion(in);
  record.expires_at.value = (flags & kRecordExpires) != 0 ? in.Varint() : 0;
  if ((flags & kRecordWriteTime) != 0) {
    record.write_time_ms = in.SignedVarint();
    record.writer.assign(in.Bytes());
  } else {
    record.write_time_ms = 0;
    record.writer.clear();
  }
  const std::string_view value = in.Rest();
  EBLA_TRY(in.Finish(kWhat));
  record.value.assign(value);
  return {};
}

}  // namespace ebla::tabletserver
