#include "tabletserver/storage/tablet_log.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

// A call of the log is one frame, and followers of the log receive whole frames.
constexpr size_t kPieceBytes = size_t{4} << 20;

// A leader's writes were admitted while there was room, and pass: a refused put would hold back the deletes behind it.
bool IsRefused(std::span<const AppendBatch> batches, DiskRoom room) {
  if (room == DiskRoom::kAll) return false;
  return std::ranges::any_of(batches, [room](const AppendBatch& batch) {
    return std::ranges::any_of(batch.entries, [&](const LogEntry* entry) {
      if (entry->kind != EntryKind::kWrite) return false;
      return room == DiskRoom::kNone || !(batch.admitted || OnlyDeletes(entry->effects));
    });
  });
}

// Promises depend on these.
bool IsOfState(std::string_view key) {
  return key.starts_with(kReplicaStateKeys) || key.starts_with(kLostKeys) || key == kForgotKey || key == kLogLossKey;
}

}  // namespace

Status TabletLog::Check(Status status) { return status.ok() ? status : owner_.Fail(std::move(status)); }

Status TabletLog::Append(std::span<const AppendBatch> batches) {
  EBLA_TRY(owner_.status());
  if (const DiskRoom room = owner_.room(); IsRefused(batches, room)) return NoDiskRoom(room);
  thread_local ByteWriter encoded;  // a batch may be a megabyte: its memory is used again
  encoded.Clear();
  std::vector<size_t> ends;
  for (const AppendBatch& batch : batches) {
    for (const LogEntry* entry : batch.entries) {
      EncodeLogEntry(*entry, encoded);
      ends.push_back(encoded.view().size());
    }
  }
  EBLA_TRY(AppendInPieces(batches, encoded.view(), ends));
  NoteWritten(std::ssize(encoded.view()));
  return {};
}

Status TabletLog::AppendInPieces(std::span<const AppendBatch> batches, std::string_view encoded,
                                 std::span<const size_t> ends) {
  std::vector<SharedLog::Batch> piece;
  piece.reserve(batches.size());
  size_t piece_begin = 0, begin = 0;
  auto end = ends.begin();
  for (const AppendBatch& batch : batches) {
    bool begins = true;
    for (const LogEntry* const entry : batch.entries) {
      if (*end - piece_begin > kPieceBytes && begin > piece_begin) {
        EBLA_TRY(Check(log_.Append(piece)));
        piece.clear();
        piece_begin = begin;
        begins = true;
      }
      if (std::exchange(begins, false)) piece.push_back({batch.tablet, entry->version.lsn, {}});
      piece.back().entries.push_back(encoded.substr(begin, *end - begin));
      begin = *end++;
    }
  }
  return piece.empty() ? Status() : Check(log_.Append(piece));
}

Result<std::vector<LogEntry>> TabletLog::Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  EBLA_TRY(owner_.status());
  std::vector<LogEntry> entries;
  size_t bytes = 0;
  Status damage;
  const Status read = log_.Read(tablet, from, [&](Lsn lsn, std::string_view encoded) {
    if (lsn > last) return false;
    Result<LogEntry> entry = DecodeLogEntry(encoded);
    if (!entry) {
      damage = entry.error();
      return false;
    }
    entries.push_back(*std::move(entry));
    bytes += encoded.size();
    return bytes < bytes_max;
  });
  if (!read.ok()) {
    EBLA_TRY(Check(log_.status()));
    NoteDamaged(tablet);  // a record is: the log lives
    if (entries.empty()) return Error(Code::kUnavailable, read.message());
  }
  EBLA_TRY(damage);
  return entries;
}

Status TabletLog::RemoveSuffix(TabletId tablet, Lsn from) {
  EBLA_TRY(owner_.status());
  const LogBounds bounds = log_.Bounds(tablet);
  if (!bounds.last || bounds.last < from) return {};
  return Check(log_.CutEnd(tablet, from));
}

Status TabletLog::Truncate(TabletId tablet, Lsn below) {
  EBLA_TRY(owner_.status());
  const LogBounds bounds = log_.Bounds(tablet);
  if (!bounds.last || below <= bounds.first) return {};
  return Check(log_.CutStart(tablet, below));
}

Status TabletLog::Flush(FlushMode mode) {
  EBLA_TRY(owner_.status());
  return Check(log_.Flush(mode == FlushMode::kSync ? SharedLog::Depth::kDisk : SharedLog::Depth::kSystem));
}

std::optional<Status> TabletLog::FlushAtOnce() {
  if (Status status = owner_.status(); !status.ok()) return status;
  std::optional<Status> flushed = log_.FlushAtOnce();
  return flushed ? Check(*std::move(flushed)) : std::optional<Status>();
}

Result<Version> TabletLog::VersionAt(TabletId tablet, Lsn lsn) {
  EBLA_ASSIGN(const std::vector<LogEntry> entries, Read(tablet, lsn, lsn, 1));
  if (entries.empty()) return Error(Code::kInternal, "the log's entry " + std::to_string(lsn.value) + " is missing");
  return entries.front().version;
}

Result<bool> TabletLog::EndsBefore(TabletId tablet, const LogBounds& bounds, const Version& applied) {
  if (bounds.last < applied.lsn) return true;
  if (applied.lsn < bounds.first) return false;
  EBLA_ASSIGN(const Version logged, VersionAt(tablet, applied.lsn));
  return logged != applied;
}

// The settled part of a log that ends with `last`, before the applied position. If its last entry is of the epoch that
// the history has there, all entries before it are the history's too. Else a part of it was never committed, and its
// beginning is unknown.
Lsn TabletLog::SettledBelow(TabletId tablet, Lsn last, const AppliedState& applied) {
  const std::vector<EpochStart>& starts = applied.epoch_starts;
  if (last >= applied.applied.lsn || starts.empty() || starts.back().epoch != applied.applied.epoch) return {};
  const auto after = std::ranges::upper_bound(starts, last, {}, &EpochStart::first);
  if (after == starts.begin()) return {};  // from before the beginning of the history
  const Result<Version> logged = VersionAt(tablet, last);
  return logged && logged->epoch == std::prev(after)->epoch ? last.Next() : Lsn{};
}

Status TabletLog::Recover(RecoveredReplica& replica) {
  const LogBounds bounds = log_.Bounds(replica.tablet);
  if (!bounds.last) return {};
  if (replica.applied) {
    EBLA_ASSIGN(const bool behind, EndsBefore(replica.tablet, bounds, replica.applied->applied));
    if (behind) return Forget(replica.tablet, SettledBelow(replica.tablet, bounds.last, *replica.applied));
  }
  EBLA_ASSIGN(replica.first_logged, VersionAt(replica.tablet, bounds.first));
  EBLA_ASSIGN(replica.last_logged, VersionAt(replica.tablet, bounds.last));
  return {};
}

// A crash between the two calls leaves the mark, never a state without the mark that it needs.
Status TabletLog::PutState(TabletId tablet, const ReplicaState& state) {
  const std::string mark = LostKey(tablet);
  const bool marked = Remembers(mark);
  if (state.lost && !marked) EBLA_TRY(Put(mark, EncodeLost()));
  EBLA_TRY(Put(ReplicaStateKey(tablet), EncodeReplicaState(state)));
  if (!state.lost && marked) EBLA_TRY(Erase(mark));
  const uint64_t change = log_.changed();
  latest_state_ = change;
  MutexLock lock(mutex_);
  states_[tablet] = change;
  return {};
}

Status TabletLog::SyncThrough(uint64_t change) {
  if (change <= log_.counts().synced) return {};
  EBLA_TRY(Flush(FlushMode::kSync));
  MutexLock lock(mutex_);
  std::erase_if(states_, [&](const auto& state) { return state.second <= log_.counts().synced; });
  return {};
}

Status TabletLog::SyncStates(std::span<const ApplyBatch> batches) {
  if (latest_state_ <= log_.counts().synced) return {};
  uint64_t change = 0;
  {
    MutexLock lock(mutex_);
    for (const ApplyBatch& batch : batches) {
      const auto state = states_.find(batch.tablet);
      if (state != states_.end()) change = std::max(change, state->second);
    }
  }
  return SyncThrough(change);
}

Status TabletLog::SyncStates() { return SyncThrough(latest_state_); }

bool TabletLog::Remembers(std::string_view key) const {
  MutexLock lock(mutex_);
  return state_values_.contains(key);
}

Status TabletLog::Put(std::string_view key, std::string_view value) {
  EBLA_TRY(owner_.status());
  if (!IsOfState(key)) return Check(log_.Put(key, value));
  Status put;
  {
    MutexLock lock(mutex_);  // what is noted last is what the log has last
    put = log_.Put(key, value);
    if (put.ok()) state_values_.insert_or_assign(std::string(key), std::string(value));
  }
  return Check(std::move(put));
}

Status TabletLog::Erase(std::string_view key) {
  EBLA_TRY(owner_.status());
  if (!IsOfState(key)) return Check(log_.Erase(key));
  Status erased;
  {
    MutexLock lock(mutex_);
    erased = log_.Erase(key);
    if (erased.ok()) {
      if (const auto value = state_values_.find(key); value != state_values_.end()) state_values_.erase(value);
    }
  }
  return Check(std::move(erased));
}

Result<std::optional<std::string>> TabletLog::Get(std::string_view key) {
  constexpr int kTries = 3;
  EBLA_TRY(owner_.status());
  Result<std::optional<std::string>> value = log_.Get(key);
  for (int tries = 1; !value && tries < kTries; ++tries) {
    EBLA_TRY(Mend(key, value.error()));
    value = log_.Get(key);
  }
  if (!value) EBLA_TRY(Check(value.error()));
  if (value && *value && IsOfState(key)) {
    MutexLock lock(mutex_);
    state_values_.try_emplace(std::string(key), **value);  // one that was put meanwhile is newer
  }
  return value;
}

Result<std::optional<TabletLog::Value>> TabletLog::Next(std::string_view prefix, std::string_view key) {
  EBLA_TRY(owner_.status());
  std::string after(std::max(prefix, key));
  for (;;) {
    std::optional<std::string> found = log_.KeyAfter(after);
    if (!found || !found->starts_with(prefix)) return std::nullopt;
    after = *std::move(found);
    EBLA_ASSIGN(std::optional<std::string> value, Get(after));
    if (!value) continue;  // it was erased just now
    return Value(after, *std::move(value));
  }
}

Status TabletLog::Forget(TabletId tablet, Lsn settled) {
  EBLA_TRY(owner_.status());
  // Cuts an empty log too, because only the cut tells a follower that has not read so far which entries were committed.
  if (log_.Bounds(tablet).last || settled > Lsn{1}) EBLA_TRY(Check(log_.CutEnd(tablet, Lsn{0}, settled)));
  MutexLock lock(mutex_);
  damaged_.erase(tablet);
  return {};
}

// ---- scrub ---------------------------------------------------------------------------------------------------------

void TabletLog::NoteDamaged(TabletId tablet) {
  MutexLock lock(mutex_);
  if (!damaged_.insert(tablet).second) return;
  LOG(ERROR) << "the log of tablet " << tablet
             << " is damaged on this server's disk; its replica here is to be made anew";
}

std::vector<TabletId> TabletLog::Damaged() const {
  MutexLock lock(mutex_);
  return {damaged_.begin(), damaged_.end()};
}

Status TabletLog::NoteLost(const LogScrub::Lost& lost) {
  for (const TabletId tablet : lost.tablets) NoteDamaged(tablet);
  for (const auto& [key, place] : lost.values) EBLA_TRY(GiveUp(key, place));
  return {};
}

// A value that was put since has another place and stays, because an older promise must never replace a newer one.
Status TabletLog::GiveUp(std::string_view key, const LogPlace& place) {
  std::optional<std::string> known;
  if (key == kInventoriedKey) {
    known = EncodeInventoried();  // its only value
  } else {
    MutexLock lock(mutex_);
    if (const auto state = state_values_.find(key); state != state_values_.end()) known = state->second;
  }
  if (!known && IsOfState(key))
    return owner_.Fail(Error(
        Code::kInternal, "the disk has lost a replica's state, or the note of a loss, before this server has read it"));
  const Result<bool> done = log_.ReplaceAt(key, place, known ? std::optional<std::string_view>(*known) : std::nullopt);
  if (!done) return Check(done.error());
  if (!*done || known || key == kHeldLogKey) return {};  // the follower names again what is to be kept
  LOG(ERROR) << "the disk has lost a write that was rolled back or not delivered yet";
  ByteWriter head;
  head.Bytes(key);
  if (lost_) lost_(key, place.bytes - kRecordHeader - std::ssize(head.view()));
  return {};
}

Status TabletLog::Mend(std::string_view key, const Status& error) {
  if (!log_.status().ok()) return Check(error);
  const std::optional<LogPlace> lost = LogScrub(log_).LostAt(key);
  return lost ? GiveUp(key, *lost) : Status();
}

Status TabletLog::MoveOff(LogScrub& scrub, uint64_t damaged, const LogScrub::Pace& pace) {
  const Result<LogScrub::Lost> lost = scrub.MoveOff(damaged, pace);
  if (lost) return NoteLost(*lost);
  EBLA_TRY(Check(log_.status()));
  return Error(lost.error());
}

Status TabletLog::Scrub(const LogScrub::Pace& pace) {
  LogScrub scrub(log_);
  for (const uint64_t segment : scrub.Segments()) {
    EBLA_TRY(owner_.status());
    bool stopped = false;
    const auto piece = [&](int64_t bytes) { return !(stopped = !pace(bytes)); };
    if (!scrub.IsWhole(segment, piece)) EBLA_TRY(MoveOff(scrub, segment, piece));
    if (stopped) return {};
  }
  return {};
}

Status TabletLog::MarkEnd() {
  EBLA_TRY(owner_.status());
  if (log_.changed() == marked_) return {};
  const Result<uint64_t> mark = log_.MarkEnd();
  if (!mark) return Check(mark.error());
  marked_ = *mark;
  return {};
}

Status TabletLog::MarkEndAtRest() {
  const uint64_t changed = log_.changed();
  return std::exchange(seen_, changed) == changed ? MarkEnd() : Status();
}

Status TabletLog::Clean() {
  EBLA_TRY(owner_.status());
  EBLA_TRY(Check(log_.Clean()));
  LogScrub scrub(log_);
  while (const std::optional<uint64_t> damaged = scrub.Unmoved()) {
    EBLA_TRY(MoveOff(scrub, *damaged, [](int64_t) { return true; }));
    EBLA_TRY(Check(log_.Clean()));
  }
  return {};
}

}  // namespace ebla::tabletserver
