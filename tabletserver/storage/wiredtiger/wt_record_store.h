// tabletserver/storage/wiredtiger/wt_record_store.h
// Records in WiredTiger: rows of data_<table id>, and beside them `applied` and `window`. WiredTiger logs none of them,
// so only checkpoints make them durable.
// Place:      wt_store.h makes it on an open connection. Whole ranges are wt_ranges.h's, the b-trees wt_tables.h's.
// Invariants: Apply changes a tablet's records and states in one transaction; a read sees one snapshot of them.
// Threads:    any, but one tablet's records change only from its shard. Each thread gets its own WiredTiger session,
//             closed when the thread ends.
#pragma once

#include <atomic>
#include <memory>

#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/thread_reads.h"
#include "tabletserver/storage/wiredtiger/wt_checkpoints.h"
#include "tabletserver/storage/wiredtiger/wt_dedup_rows.h"
#include "tabletserver/storage/wiredtiger/wt_ranges.h"
#include "tabletserver/storage/wiredtiger/wt_run_merger.h"
#include "tabletserver/storage/wiredtiger/wt_scrub.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"
#include "tabletserver/storage/wiredtiger/wt_sorted_records.h"
#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"
#include "tabletserver/storage/wiredtiger/wt_tables.h"

namespace ebla::tabletserver {

class WtRecordStore final : public RecordStore, private RecordFiles {
 public:
  WtRecordStore(const WtStoreOptions& options, WtConnection& connection, DiskReserve& reserve)
      : options_(options),
        connection_(connection),
        reserve_(reserve),
        sessions_(std::make_shared<WtSessions>(connection, options.sessions_max)),
        tables_(options, *sessions_),
        sorted_tables_(options, connection, *sessions_),
        admission_(options.cache_bytes),
        sorted_(options, *sessions_, sorted_tables_, admission_),
        merger_(options, connection, reserve, *sessions_, sorted_tables_) {}
  ~WtRecordStore() override {
    merger_.Stop();
    sorted_tables_.Stop();
    sessions_->Close();  // a thread that ends just now may keep the pool a little longer
  }
  // Finds the tables and the checkpoint's number, and removes nothing.
  Status Open();
  // Once what Open has found is known to be the newest: files that it does not name are removed, and merges begin.
  Status Begin();
  // The process is about to stop: checkpoints rest no more.
  void Hurry() {
    checkpoints_.Hurry();
    sorted_tables_.Hurry();
    merger_.Hurry();
  }
  // For the checkpoint that WiredTiger takes as it closes.
  Status PrepareLast();
  // The number of the checkpoint that Open found, later of the last one that has begun (wt_checkpoints.h).
  uint64_t checkpoint_number() const { return checkpoints_.number(); }
  void WhenTaken(std::function<Status(uint64_t number)> taken) { checkpoints_.WhenTaken(std::move(taken)); }
  // For files beside the records. Set before the first scrub.
  void ScrubsToo(std::function<Status()> beside) { scrub_.Also(std::move(beside)); }
  // For figures() and the cache's admission.
  void ReadCounters();

  Status EnsureTable(TableId table, TableCompression compression) override;
  Status DropTable(TableId table) override;
  std::vector<TableId> Tables() const override;
  RecordFiles* files() override { return this; }

  Status Apply(std::span<const ApplyBatch> batches) override;
  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position) override;
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string_view> keys,
                                                            size_t bytes_max, SnapshotPosition* position) override;
  Status Read(TableId table, SnapshotPosition* position, const ViewBody& body) override;
  Status ReplaceInterval(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records) override;
  Result<std::vector<RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges) override;

  Result<TabletRows> Recover(TabletId tablet) override;
  Result<std::vector<TabletId>> Tablets() override;
  Status Forget(TabletId tablet) override;
  Status Checkpoint() override;
  Figures figures() const override;  // disk figures are disk_check_period old
  std::optional<uint64_t> PagesReadByThisThread() const override { return ThreadReads(); }

 private:
  Status ApplyInPlace(std::span<const ApplyBatch> batches);

  // ---- RecordFiles ----
  Result<bool> Compact(TableId table, Duration limit) override;
  Result<int64_t> FileBytes(TableId table) const override;
  Status Scrub(const Pace& pace) override { return scrub_.Run(pace); }
  std::vector<TableId> Damaged() const override { return sessions_->damaged().All(); }

  const WtStoreOptions& options_;
  WtConnection& connection_;
  DiskReserve& reserve_;
  const std::shared_ptr<WtSessions> sessions_;
  WtTables tables_;
  WtSortedTables sorted_tables_;
  CacheAdmission admission_;
  WtSortedRecords sorted_;
  WtRunMerger merger_;
  WtDedupRows dedup_rows_;
  WtRanges ranges_{*sessions_};
  WtCheckpoints checkpoints_{*sessions_, dedup_rows_, reserve_};
  WtScrub scrub_{options_, *sessions_, tables_, sorted_tables_};
  std::atomic<int64_t> cache_bytes_{0};
  std::atomic<int64_t> cache_misses_{0};
  std::atomic<int64_t> runs_{0};
  std::atomic<int64_t> filter_bytes_{0};
};

}  // namespace ebla::tabletserver
