#include "tabletserver/storage/store_log.h"

#include <glog/logging.h>

#include <algorithm>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

bool HasClientWrite(std::span<const AppendBatch> batches) {
  return std::ranges::any_of(batches, [](const AppendBatch& batch) {
    return std::ranges::find(batch.entries, EntryKind::kWrite, &LogEntry::kind) != batch.entries.end();
  });
}

}  // namespace

Status StoreLog::Check(Status status) { return status.ok() ? status : owner_.Fail(std::move(status)); }

Status StoreLog::Append(std::span<const AppendBatch> batches) {
  EBLA_TRY(owner_.status());
  if (owner_.writes_refused() && HasClientWrite(batches)) {
    return Error(Code::kOverloaded, "the disk is full but for its reserve: free or add space on this server");
  }
  thread_local ByteWriter encoded;  // a batch may be a megabyte: its memory is used again
  encoded.Clear();
  std::vector<size_t> ends;
  for (const AppendBatch& batch : batches) {
    for (const LogEntry* entry : batch.entries) {
      EncodeLogEntry(*entry, encoded);
      ends.push_back(encoded.view().size());
    }
  }
  std::vector<SharedLog::Batch> added;
  added.reserve(batches.size());
  size_t begin = 0;
  auto end = ends.begin();
  for (const AppendBatch& batch : batches) {
    if (batch.entries.empty()) continue;
    SharedLog::Batch& to = added.emplace_back(SharedLog::Batch{batch.tablet, batch.entries.front()->version.lsn, {}});
    to.entries.reserve(batch.entries.size());
    for (size_t i = 0; i < batch.entries.size(); ++i, begin = *end++)
      to.entries.push_back(encoded.view().substr(begin, *end - begin));
  }
  EBLA_TRY(Check(log_.Append(added)));
  owner_.NoteWritten(std::ssize(encoded.view()));
  return {};
}

Result<std::vector<LogEntry>> StoreLog::Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
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
    return Error(read);
  }
  EBLA_TRY(damage);
  return entries;
}

Status StoreLog::RemoveSuffix(TabletId tablet, Lsn from) {
  EBLA_TRY(owner_.status());
  const LogBounds bounds = log_.Bounds(tablet);
  if (!bounds.last || bounds.last < from) return {};
  return Check(log_.CutEnd(tablet, from));
}

Status StoreLog::Truncate(TabletId tablet, Lsn below) {
  EBLA_TRY(owner_.status());
  const LogBounds bounds = log_.Bounds(tablet);
  if (!bounds.last || below <= bounds.first) return {};
  return Check(log_.CutStart(tablet, below));
}

Status StoreLog::Flush(FlushMode mode) {
  EBLA_TRY(owner_.status());
  return Check(log_.Flush(mode == FlushMode::kSync ? SharedLog::Depth::kDisk : SharedLog::Depth::kSystem));
}

Result<Version> StoreLog::VersionAt(TabletId tablet, Lsn lsn) {
  EBLA_ASSIGN(const std::vector<LogEntry> entries, Read(tablet, lsn, lsn, 1));
  if (entries.empty()) return Error(Code::kInternal, "the log's entry " + std::to_string(lsn.value) + " is missing");
  return entries.front().version;
}

Result<bool> StoreLog::EndsBefore(TabletId tablet, const LogBounds& bounds, const Version& applied) {
  if (bounds.last < applied.lsn) return true;
  if (applied.lsn < bounds.first) return false;
  EBLA_ASSIGN(const Version logged, VersionAt(tablet, applied.lsn));
  return logged != applied;
}

Status StoreLog::Recover(RecoveredReplica& replica) {
  const LogBounds bounds = log_.Bounds(replica.tablet);
  if (!bounds.last) return {};
  if (replica.applied) {
    EBLA_ASSIGN(const bool behind, EndsBefore(replica.tablet, bounds, replica.applied->applied));
    if (behind) return Forget(replica.tablet);
  }
  EBLA_ASSIGN(replica.first_logged, VersionAt(replica.tablet, bounds.first));
  EBLA_ASSIGN(replica.last_logged, VersionAt(replica.tablet, bounds.last));
  return {};
}

Status StoreLog::PutState(TabletId tablet, const ReplicaState& state) {
  EBLA_TRY(Put(ReplicaStateKey(tablet), EncodeReplicaState(state)));
  const uint64_t change = log_.changed();
  latest_state_ = change;
  MutexLock lock(mutex_);
  states_[tablet] = change;
  return {};
}

Status StoreLog::SyncThrough(uint64_t change) {
  if (change <= log_.synced()) return {};
  EBLA_TRY(Flush(FlushMode::kSync));
  MutexLock lock(mutex_);
  std::erase_if(states_, [&](const auto& state) { return state.second <= log_.synced(); });
  return {};
}

Status StoreLog::SyncStates(std::span<const ApplyBatch> batches) {
  if (latest_state_ <= log_.synced()) return {};
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

Status StoreLog::SyncStates() { return SyncThrough(latest_state_); }

Status StoreLog::Put(std::string_view key, std::string_view value) {
  EBLA_TRY(owner_.status());
  EBLA_TRY(Check(log_.Put(key, value)));
  NoteState(key, value);
  return {};
}

Status StoreLog::Erase(std::string_view key) {
  EBLA_TRY(owner_.status());
  return Check(log_.Erase(key));
}

Result<std::optional<std::string>> StoreLog::Get(std::string_view key) {
  EBLA_TRY(owner_.status());
  Result<std::optional<std::string>> value = log_.Get(key);
  if (!value) EBLA_TRY(Check(value.error()));
  return value;
}

Result<std::optional<StoreLog::Value>> StoreLog::Next(std::string_view prefix, std::string_view key) {
  EBLA_TRY(owner_.status());
  Result<std::optional<Value>> found = log_.Next(std::max(prefix, key));
  if (!found) EBLA_TRY(Check(found.error()));
  std::optional<Value> next = *std::move(found);
  if (next && !next->first.starts_with(prefix)) next.reset();
  if (next) NoteState(next->first, next->second);
  return next;
}

Status StoreLog::Forget(TabletId tablet) {
  EBLA_TRY(RemoveSuffix(tablet, Lsn{0}));
  MutexLock lock(mutex_);
  damaged_.erase(tablet);
  return {};
}

// ---- scrub ---------------------------------------------------------------------------------------------------------

void StoreLog::NoteState(std::string_view key, std::string_view value) {
  if (!key.starts_with(kReplicaStateKeys)) return;
  MutexLock lock(mutex_);
  state_values_.insert_or_assign(std::string(key), std::string(value));
}

void StoreLog::NoteDamaged(TabletId tablet) {
  MutexLock lock(mutex_);
  if (!damaged_.insert(tablet).second) return;
  LOG(ERROR) << "the log of tablet " << tablet
             << " is damaged on this server's disk; its replica here is to be made anew";
}

std::vector<TabletId> StoreLog::Damaged() const {
  MutexLock lock(mutex_);
  return {damaged_.begin(), damaged_.end()};
}

void StoreLog::NoteLost(const LogScrub::Lost& lost) {
  for (const TabletId tablet : lost.tablets) NoteDamaged(tablet);
  for (const std::string& key : lost.keys) {
    std::optional<std::string> value;
    {
      MutexLock lock(mutex_);
      if (const auto known = state_values_.find(key); known != state_values_.end()) value = known->second;
    }
    if (value) {
      LOG_IF(ERROR, !Put(key, *value).ok()) << "a replica's state that the disk has lost cannot be put again";
    } else {
      LOG(ERROR) << "the disk has lost a write that was rolled back or not delivered yet";
    }
  }
}

Status StoreLog::Scrub(const TabletStore::ScrubPace& pace) {
  LogScrub scrub(log_);
  for (const uint64_t segment : scrub.Segments()) {
    EBLA_TRY(owner_.status());
    bool stopped = false;
    const auto piece = [&](int64_t bytes) { return !(stopped = !pace(bytes)); };
    EBLA_ASSIGN(const bool whole, scrub.IsWhole(segment, piece));
    if (stopped) return {};
    if (whole) continue;
    EBLA_ASSIGN(const LogScrub::Lost lost, scrub.MoveOff(segment));
    NoteLost(lost);
  }
  return {};
}

Status StoreLog::MarkEnd() {
  EBLA_TRY(owner_.status());
  if (log_.changed() == marked_) return {};
  EBLA_TRY(Check(log_.MarkEnd()));
  marked_ = log_.changed();
  return {};
}

Status StoreLog::MarkEndAtRest() {
  const uint64_t changed = log_.changed();
  return std::exchange(seen_, changed) == changed ? MarkEnd() : Status();
}

Status StoreLog::Clean() {
  EBLA_TRY(owner_.status());
  return Check(log_.Clean());
}

}  // namespace ebla::tabletserver
