// tabletserver/storage/wiredtiger/wt_store.h
// TabletStore on WiredTiger: one connection per server, one b-tree per table; the log is logged by WiredTiger, the
// records are not, and a checkpoint is consistent over both.
// Place:      made by server_process.cc (or by a test), handed to the tablet host as a TabletStore.
// On disk:    <directory>/FORMAT     "ebla-store <n>\n"; a greater number than this build's is refused
//             <directory>/LOCK       held (flock) while a process has the store open; names its pid
//             <directory>/BALLAST    disk_reserve_bytes of nothing, given back to recovery on a full disk
//             <directory>/removed/   files whose space is being given back, and log files to be used again
//             (file_recycler.h) the rest               WiredTiger's: oplog, replica_state, pending (logged); applied,
//                                    window and data_<table id> (unlogged). row_encoding.h and log_entry.cc give the
//                                    rows' bytes.
// Errors:     what Open cannot use (in use, newer, damaged) is a Status that says what to do. When WiredTiger fails
//             while running, health() holds why and every later call answers the same; the process is left alone.
// Threads:    any; see tablet_store.h. Each thread gets its own WiredTiger session, closed when the thread ends. The
//             destructor waits for work in progress on the three executors; nobody may be inside another call.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

struct DiskSpace {
  int64_t free_bytes = 0;
  int64_t total_bytes = 0;
};

struct WtStoreOptions {
  std::string directory;  // made when missing; its parent must exist
  int64_t cache_bytes = int64_t{1} << 30;
  int eviction_threads_min = 1;
  int eviction_threads_max = 4;
  int64_t cache_wait_ms_max = 2000;  // a thread waits at most this long for cache space, then WT_ROLLBACK and a retry
  int sessions_max = 512;            // threads that use the store at once
  Duration interval = std::chrono::seconds(1);  // FlushMode::kInterval: fsync at least this often, whatever tables ask
  int64_t log_file_bytes = int64_t{64} << 20;
  // Free space below which writes are refused, and the size of the ballast. It has to cover replay of the log since
  // the last checkpoint (checkpoint_log_bytes of the host) and the checkpoint after it. 0: no reserve, no ballast.
  int64_t disk_reserve_bytes = 0;
  Duration disk_check_period = std::chrono::milliseconds(500);
  // Asks the filesystem of `directory`; tests put their own here.
  std::function<Result<DiskSpace>(const std::string& directory)> disk_space;
  // Runs the fsyncs. A thread of its own: it does nothing else, and completions wait for nobody.
  Executor* flusher = nullptr;
  // Runs checkpoints. May be busy for minutes.
  Executor* background = nullptr;
  // Looks at the disk, makes or gives back the ballast, and gives back what removed files took; another thread, as a
  // disk fills fastest during a checkpoint.
  Executor* watcher = nullptr;
};

class WtStore final : public TabletStore {
 public:
  // Opens or makes the store, replaying WiredTiger's log where it was not closed cleanly.
  static Result<std::unique_ptr<WtStore>> Open(WtStoreOptions options);
  ~WtStore() override;  // takes a last checkpoint, unless the store has failed

  Status EnsureTable(TableId table, TableCompression compression) override;
  Status DropTable(TableId table) override;
  void SetFlushInterval(TableId table, int64_t schema_version, Duration interval) override;
  std::vector<TableId> Tables() const override;
  Result<bool> Compact(TableId table, Duration limit) override;
  Result<int64_t> FileBytes(TableId table) const override;

  Status Append(std::span<const AppendBatch> batches) override;
  Status PutReplicaState(TabletId tablet, const ReplicaState& state) override;
  Status EndLog(TabletId tablet) override;
  // The process is about to stop: checkpoints rest no more.
  void Hurry();
  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) override;
  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) override;
  Status RemoveSuffix(TabletId tablet, Lsn from) override;
  Status TruncateLog(TabletId tablet, Lsn from, Lsn below) override;

  Status PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) override;
  Result<std::vector<UnresolvedLogEntry>> ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                         size_t entries_max, size_t bytes_max) override;
  Status DiscardUnresolved(TabletId tablet, Version version) override;

  Status Apply(std::span<const ApplyBatch> batches) override;
  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key,
                                          SnapshotPosition* position = nullptr) override;
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string> keys,
                                                            size_t bytes_max,
                                                            SnapshotPosition* position = nullptr) override;
  Status Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor,
              SnapshotPosition* position = nullptr) override;
  Status TruncateRange(TableId table, const KeyRange& range) override;
  Status ReplaceInterval(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records) override;
  Result<std::vector<RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges) override;

  Status ForgetReplica(TabletId tablet) override;
  Result<std::vector<RecoveredReplica>> Recover() override;

  void Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) override;
  int64_t LogBytesSinceCheckpoint() const override;
  std::optional<uint64_t> PagesReadByThisThread() const override;
  Health health() const override;  // no disk access: disk figures are disk_check_period old

 private:
  struct Parts;
  explicit WtStore(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace ebla::tabletserver
