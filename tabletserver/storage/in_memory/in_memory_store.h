// tabletserver/storage/in_memory/in_memory_store.h
// All memory tables of a server: their records (in_memory_table.h) and logs (in_memory_log.h), how much they may take, and what
// they do take.
// Place:      routed_store.h hands it what concerns memory tables; the disk has their replicas' states.
// Invariants: 1. Nothing here outlives the process.
//             2. What a table takes is its records, its tree, its share of pages that are partly empty (in_memory_arenas.h), and
//                its tablets' logs.
// Errors:     NO_SUCH_TABLE; OVERLOADED from Admit.
// Threads:    any; see tablet_store.h. Locks: tables_mutex_, then those of a table; logs_mutex_, then that of a log.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "tabletserver/storage/in_memory/in_memory_arenas.h"
#include "tabletserver/storage/in_memory/in_memory_log.h"
#include "tabletserver/storage/in_memory/in_memory_table.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class InMemoryStore final : public MemoryTables {
 public:
  // limit_bytes: of all tables together; 0: none.
  explicit InMemoryStore(int64_t limit_bytes = 0) : limit_bytes_(limit_bytes) {}

  // ---- MemoryTables ----
  void Ensure(TableId table, int64_t schema_version, const MemoryBounds& bounds) override;
  bool Has(TableId table) const override;
  std::vector<MemoryUse> Uses() const override;
  Status Admit(TableId table) override;
  bool Evicts(TableId table) const override;
  Status RoomForCopy(TableId table, const KeyRange* discarded = nullptr) const override;
  int64_t Excess(TableId table) const override;
  std::vector<MemoryPressure> Pressures() const override;
  void Measure() override;
  std::vector<Victim> ChooseVictims(TableId table, std::span<const KeyRange> ranges, int64_t bytes,
                                    size_t victims_max) override;
  void CountEvicted(TableId table, int64_t records) override;
  std::map<TabletId, Lsn> Applied() const;
  std::map<TabletId, Lsn> AppliedOfLogs() const override;
  LogsUse Logs() const override;

  // ---- as the functions of the port ----
  void DropTable(TableId table);
  std::vector<TableId> Tables() const;
  void Append(TableId table, const AppendBatch& batch);
  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) const;
  Lsn FirstLogged(TabletId tablet) const;
  void RemoveSuffix(TabletId tablet, Lsn from);
  void TruncateLog(TabletId tablet, Lsn below);
  Status Apply(TableId table, std::span<const ApplyBatch> batches);
  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position) const;
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string_view> keys,
                                                            size_t bytes_max, SnapshotPosition* position) const;
  Status Scan(TableId table, const ScanBounds& bounds, const TabletStore::Visitor& visitor,
              SnapshotPosition* position) const;
  Status TruncateRange(TableId table, const KeyRange& range);
  Status ReplaceInterval(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records);
  Result<std::vector<TabletStore::RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges) const;
  void Forget(TabletId tablet, TableId table);

 private:
  struct Table {
    InMemoryTable records;
    std::atomic<int64_t> log_bytes{0};
    std::atomic<int64_t> schema_version{-1};
    std::atomic<int64_t> limit_bytes{0};
    std::atomic<int64_t> evicted{0};
    std::atomic<int64_t> refused{0};

    // With its share of pages that are partly empty.
    int64_t bytes() const { return BytesWith(InMemoryArenas::Overhead()); }
    int64_t BytesWith(double overhead) const {
      return static_cast<int64_t>(static_cast<double>(records.bytes()) * overhead) +
             log_bytes.load(std::memory_order_relaxed);
    }
  };
  using TablePtr = std::shared_ptr<Table>;  // a reader keeps it past a drop
  struct Log {
    mutable Mutex mutex;
    InMemoryLog log EBLA_GUARDED_BY(mutex);
    TablePtr table;  // whose bytes it counts among; null: it is dropped
  };
  using LogPtr = std::shared_ptr<Log>;

  TablePtr Find(TableId table) const;
  Result<TablePtr> FindOr(TableId table) const;
  LogPtr FindLog(TabletId tablet) const;
  template <class Change>
  void ChangeLog(TabletId tablet, Change change);
  int64_t AllBytes(double overhead) const EBLA_REQUIRES_SHARED(tables_mutex_);
  int64_t TakenOfServer(double overhead) const EBLA_REQUIRES_SHARED(tables_mutex_);
  Status RoomForCopyWithout(int64_t discarded, TableId table) const;
  // OK: it admits writes.
  Status RoomIn(const Table& table) const EBLA_REQUIRES_SHARED(tables_mutex_);
  int64_t ExcessOf(const Table& table) const EBLA_REQUIRES_SHARED(tables_mutex_);

  const int64_t limit_bytes_;
  mutable SharedMutex tables_mutex_;
  std::map<TableId, TablePtr> tables_ EBLA_GUARDED_BY(tables_mutex_);
  mutable SharedMutex logs_mutex_;
  std::unordered_map<TabletId, LogPtr> logs_ EBLA_GUARDED_BY(logs_mutex_);
};

}  // namespace ebla::tabletserver
