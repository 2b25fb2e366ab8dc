// tabletserver/storage/wiredtiger/wt_store.h
// TabletStore on WiredTiger: one connection per server, one b-tree per table, and beside it one log of the
// server's own (log/shared_log.h). A checkpoint holds no more than the log does.
// Place:      made by server_process.cc (or by a test), handed to the tablet host as a TabletStore. It opens and closes
//             the classes that own the state, and passes each call on to one of them: README.md says which.
// On disk:    <directory>/FORMAT     "ebla-store <n>\ncrc <that line's CRC-32>\n"; a greater number is refused
//             <directory>/LOCK       held (flock) while a process has the store open; names its pid
//             <directory>/BALLAST    disk_reserve_bytes of nothing, given back to recovery on a full disk
//             <directory>/removed/   files whose space is being given back (file_recycler.h)
//             <directory>/log/       the log: log/log_format.h gives its bytes
//             the rest               WiredTiger's: applied, window and data_<table id>. row_encoding.h and log_entry.cc
//                                    give the rows' bytes.
// Errors:     what Open cannot use (in use, newer, damaged) is a Status that says what to do. When WiredTiger fails
//             while running, health() holds why and every later call answers the same; the process is left alone.
// Threads:    any; see tablet_store.h. Each thread gets its own WiredTiger session, closed when the thread ends. The
//             destructor waits for work in progress on the three executors; nobody may be inside another call.
#pragma once

#include <memory>

#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"

namespace ebla::tabletserver {

class WtStore final : public TabletStore {
 public:
  // Opens or makes the store, converting one of a former format, and reads the log.
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
  // The process is about to stop: checkpoints rest no more.
  void Hurry();
  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) override;
  std::optional<Status> FlushAtOnce() override;
  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) override;
  Lsn FirstLogged(TabletId tablet) const override;
  Status RemoveSuffix(TabletId tablet, Lsn from) override;
  Status TruncateLog(TabletId tablet, Lsn from, Lsn below) override;

  Result<FeedPage> Follow(const FeedRequest& request) override;

  Status PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) override;
  Result<std::vector<UnresolvedLogEntry>> ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                         size_t entries_max, size_t bytes_max) override;
  Status DiscardUnresolved(TabletId tablet, Version version) override;

  Status Apply(std::span<const ApplyBatch> batches) override;
  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key,
                                          SnapshotPosition* position = nullptr) override;
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string_view> keys,
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

  Status Scrub(const ScrubPace& pace) override;
  Damage damage() const override;

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
