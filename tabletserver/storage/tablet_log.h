// tabletserver/storage/tablet_log.h
// The log of a server's tablets: their entries, in order, and small values by key; durable by flush. Log and store fail
// together.
// Place:   tablet_store.h uses it, over log/shared_log.h. The port lies below both: log/log_disk.h.
// Keys:    of replicas' states, unresolved writes, and of the position kept for followers of the log (row_encoding.h).
// Errors:  as in tablet_store.h.
// Threads: any, but one tablet's log is changed only from its shard.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <set>
#include <unordered_map>

#include "common/base/mutex.h"
#include "tabletserver/storage/log/flush_mode.h"
#include "tabletserver/storage/log/log_scrub.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

// The log's view of its store.
class LogOwner {
 public:
  virtual ~LogOwner() = default;
  virtual Status status() const = 0;  // not OK: it is dead
  // It is dead from now on. Returns what it died of: the first such reason.
  virtual Status Fail(Status reason) = 0;
  virtual DiskRoom room() const = 0;  // for clients' writes
  virtual void NoteWritten(int64_t bytes) = 0;
};

class TabletLog {
 public:
  using Value = std::pair<std::string, std::string>;

  TabletLog(SharedLog& log, LogOwner& owner) : log_(log), owner_(owner) {}

  // See tablet_store.h. A large append is written in pieces of some MiB. An entry that cannot be read is UNAVAILABLE,
  // and its tablet Damaged(). The entries before it are returned.
  Status Append(std::span<const AppendBatch> batches);
  Result<std::vector<LogEntry>> Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max);
  Status RemoveSuffix(TabletId tablet, Lsn from);
  Status Truncate(TabletId tablet, Lsn below);
  Status Flush(FlushMode mode);
  std::optional<Status> FlushAtOnce();
  // Known without reading them.
  LogBounds Bounds(TabletId tablet) const { return log_.Bounds(tablet); }
  std::vector<TabletId> Tablets() const { return log_.Tablets(); }

  // Removes all of a tablet's log. Its entries below `settled` were committed, also if they were truncated before.
  Status Forget(TabletId tablet, Lsn settled);
  // After a start: fills in the log's bounds. If the log ends before the applied position, the crash of a machine has
  // taken its end, all of which was committed. It is then dropped, and continues after the applied position. A log with
  // another entry at the applied position also ends before it, because the crash has taken the removal of that suffix.
  // Followers count the dropped entries as committed only if they are known to be part of the applied ones.
  Status Recover(RecoveredReplica& replica);

  // A replica's state. A state must be on the disk before the records that it explains, such as a split's child whose
  // parent has shrunk, or an unfinished copy. So each change of records calls SyncStates first. It waits for the disk
  // only if a state of these tablets was put a moment ago.
  Status PutState(TabletId tablet, const ReplicaState& state);
  Status SyncStates(std::span<const ApplyBatch> batches);
  Status SyncStates();  // of all tablets

  Status Put(std::string_view key, std::string_view value);
  Status Erase(std::string_view key);
  // Both pass over a value that the disk has lost, which is told to `lost`. A replica's state is put again from memory.
  Result<std::optional<std::string>> Get(std::string_view key);
  // The first key after this one that begins with `prefix`.
  Result<std::optional<Value>> Next(std::string_view prefix, std::string_view key);
  // Called from any thread, once for each such value, which is no more. Before anything else.
  using ValueLost = std::function<void(std::string_view key, int64_t value_bytes)>;
  void WhenLost(ValueLost lost) { lost_ = std::move(lost); }

  void NoteWritten(int64_t bytes) {
    appended_bytes_ += bytes;
    owner_.NoteWritten(bytes);
  }
  int64_t appended_bytes() const { return appended_bytes_; }  // entries and unresolved writes, since the start

  // Reads the log's files, and moves off what is damaged what can be read. The lost tablets are Damaged() until they
  // are forgotten.
  Status Scrub(const LogScrub::Pace& pace);
  std::vector<TabletId> Damaged() const;

  // Marks the log's end after changes since the last mark, at a stop and from time to time while the log rests.
  Status MarkEnd();
  Status MarkEndAtRest();

  // Frees what of the log is no longer needed; moves off what it finds damaged what can be read.
  Status Clean();
  int64_t written() const { return log_.counts().bytes; }
  int64_t syncs() const { return log_.counts().syncs; }

 private:
  // `ends`: of each entry in `encoded`. A piece fails only where the store dies of it.
  Status AppendInPieces(std::span<const AppendBatch> batches, std::string_view encoded, std::span<const size_t> ends);
  // A flush, if one of these states lacks on the disk.
  Status SyncThrough(uint64_t change);

  // Whether it has this value, on which promises depend.
  bool Remembers(std::string_view key) const;
  // The same; with an error the store is dead.
  Status Check(Status status);
  Result<Version> VersionAt(TabletId tablet, Lsn lsn);
  Result<bool> EndsBefore(TabletId tablet, const LogBounds& bounds, const Version& applied);
  Lsn SettledBelow(TabletId tablet, Lsn last, const AppliedState& applied);
  void NoteDamaged(TabletId tablet);
  Status NoteLost(const LogScrub::Lost& lost);
  Status GiveUp(std::string_view key, const LogPlace& place);
  // After a read that failed: OK where another may do better.
  Status Mend(std::string_view key, const Status& error);
  Status MoveOff(LogScrub& scrub, uint64_t damaged, const LogScrub::Pace& pace);

  SharedLog& log_;
  LogOwner& owner_;
  ValueLost lost_;
  std::atomic<int64_t> appended_bytes_{0};
  std::atomic<uint64_t> marked_{0};        // the latest mark: it vouches for all before it
  uint64_t seen_ = 0;                      // the last change, as MarkEndAtRest saw it; only its thread looks
  std::atomic<uint64_t> latest_state_{0};  // of all tablets: the change that put it
  mutable Mutex mutex_;                    // before the log's own
  // Copies of the log's values, in its order. A state that the disk has lost is put again.
  std::map<std::string, std::string, std::less<>> state_values_ EBLA_GUARDED_BY(mutex_);
  std::set<TabletId> damaged_ EBLA_GUARDED_BY(mutex_);
  std::unordered_map<TabletId, uint64_t> states_ EBLA_GUARDED_BY(mutex_);  // the latest of each that may not be on disk
};

}  // namespace ebla::tabletserver
