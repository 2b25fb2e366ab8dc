// tabletserver/storage/testing/fake_record_store.h
// The records of a SimulatedDisk: copied whole at each checkpoint. While they fail, every call that would change
// something changes nothing.
// Misuse:  applying backwards and overlapping tablets in one table are CHECK failures here: the simulator is to find them.
// Threads: any (the disk's mutex); a visitor must not call it.
#pragma once

#include <atomic>

#include "tabletserver/storage/testing/simulated_disk.h"

namespace ebla::tabletserver {

class FakeRecordStore : public RecordStore {
 public:
  explicit FakeRecordStore(SimulatedDisk& disk) : disk_(disk) {}

  Status EnsureTable(TableId table, TableCompression compression) override;
  Status DropTable(TableId table) override;
  std::vector<TableId> Tables() const override;

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
  Status Checkpoint() override;  // durable at once
  // The same in two steps, with time between. The checkpoint holds what is applied when it begins...
  Status BeginCheckpoint();
  // ...and is durable from here on. A crash in between leaves the one before.
  Status EndCheckpoint();
  Figures figures() const override;
  std::optional<uint64_t> PagesReadByThisThread() const override { return pages_read_.load(); }

  // From now on each Get, also of a view, and MultiGet counts as if it had read so many pages from files; by all threads together.
  void LackPages(uint64_t per_read) { pages_lacked_ = per_read; }

 private:
  using Rows = std::map<std::string, StoredRecord>;
  class MapView;
  Result<Rows*> RowsOf(TableId table) EBLA_REQUIRES(disk_.mutex_);
  Status MayChange() const EBLA_REQUIRES(disk_.mutex_);
  void SetPosition(SnapshotPosition* position) const EBLA_REQUIRES(disk_.mutex_);
  void CheckRanges(TabletId changed) const EBLA_REQUIRES(disk_.mutex_);

  SimulatedDisk& disk_;
  std::atomic<uint64_t> pages_lacked_{0};
  std::atomic<uint64_t> pages_read_{0};
};

}  // namespace ebla::tabletserver
