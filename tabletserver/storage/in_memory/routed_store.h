// tabletserver/storage/in_memory/routed_store.h
// One store of two: what concerns tables in memory goes to a InMemoryStore, all else to the store on disk. Nobody above the
// port has to know.
// Place:      server_process.h puts it over WtStore; the simulator over its own disk.
// On disk:    of memory tablets, the replicas' states (promises, leases, epochs led: PROTOCOL 1, 4 and 7 hold for them
//             as for any) and unresolved writes. Their logs, records, applied states and windows are in memory alone; a
//             window's rows are the core's (tablet/dedup_window.h) and no copy of them is kept here.
// Invariants: A checkpoint has memory tablets in its result too: of their logs recovery needs nothing.
// Errors:     as the port's. A disk that has failed refuses memory tablets' appends and applies too: their promises could
//             not be kept any more.
// Threads:    any; see tablet_store.h.
#pragma once

#include <unordered_map>

#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class RoutedStore final : public TabletStore {
 public:
  // Both outlive it.
  RoutedStore(TabletStore& disk, InMemoryStore& ram) : disk_(disk), ram_(ram) {}

  MemoryTables* memory_tables() const override { return &ram_; }
  Status EnsureTable(TableId table, TableCompression compression) override;
  Status DropTable(TableId table) override;
  void SetFlushInterval(TableId table, int64_t schema_version, Duration interval) override;
  std::vector<TableId> Tables() const override;
  Result<bool> Compact(TableId table, Duration limit) override;
  Result<int64_t> FileBytes(TableId table) const override;

  Status Append(std::span<const AppendBatch> batches) override;
  Status PutReplicaState(TabletId tablet, const ReplicaState& state) override;
  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) override {
    disk_.Flush(mode, executor, std::move(done));
  }
  std::optional<Status> FlushAtOnce() override { return disk_.FlushAtOnce(); }
  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) override;
  Lsn FirstLogged(TabletId tablet) const override;
  Status RemoveSuffix(TabletId tablet, Lsn from) override;
  Status TruncateLog(TabletId tablet, Lsn from, Lsn below) override;
  Result<FeedPage> Follow(const FeedRequest& request) override { return disk_.Follow(request); }

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

  Damage damage() const override { return disk_.damage(); }
  Status Scrub(const ScrubPace& pace) override { return disk_.Scrub(pace); }
  void Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) override;
  int64_t LogBytesSinceCheckpoint() const override { return disk_.LogBytesSinceCheckpoint(); }
  Health health() const override { return disk_.health(); }
  std::optional<uint64_t> PagesReadByThisThread() const override { return disk_.PagesReadByThisThread(); }

 private:
  // Null: its table is not in memory.
  TableId MemoryTableOf(TabletId tablet) const;

  TabletStore& disk_;
  InMemoryStore& ram_;
  mutable SharedMutex mutex_;
  std::unordered_map<TabletId, TableId> tables_ EBLA_GUARDED_BY(mutex_);  // of the replicas here
};

}  // namespace ebla::tabletserver
