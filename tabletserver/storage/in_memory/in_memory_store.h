// tabletserver/storage/in_memory/in_memory_store.h
// All memory tables of a server: their records (in_memory_table.h) and logs (in_memory_log.h), how much they may take,
// and what they do take.
// Place:      ../tablet_store.h hands it the calls of tables in memory; the disk has their replicas' states.
// Invariants: 1. Nothing here outlives the process.
//             2. A table's bytes are its records, its tree, its share of partly empty pages (in_memory_arenas.h), and
//                its tablets' logs.
// Errors:     NO_SUCH_TABLE; OVERLOADED from Admit.
// Threads:    any; see ../tablet_store.h. Locks: tables_mutex_, then those of a table; logs_mutex_, then that of a log.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>

#include "tabletserver/storage/in_memory/in_memory_arenas.h"
#include "tabletserver/storage/in_memory/in_memory_log.h"
#include "tabletserver/storage/in_memory/in_memory_table.h"
#include "tabletserver/storage/in_memory/memory_bounds.h"
#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

class InMemoryStore final : public RecordStore {
 public:
  // limit_bytes: of all tables together; 0: none.
  explicit InMemoryStore(int64_t limit_bytes = 0) : limit_bytes_(limit_bytes) {}

  // ---- tables and their bounds ----
  // Makes the table, or changes its bounds. The bounds of an older schema are ignored.
  void Ensure(TableId table, int64_t schema_version, const MemoryBounds& bounds);
  bool Has(TableId table) const { return Find(table) != nullptr; }
  std::vector<MemoryUse> Uses() const;

  // OVERLOADED, with the limit's owner, if a write that takes memory finds no room. Eviction keeps a table a little
  // below its limit, so such a table is full only if eviction does not keep up.
  Status Admit(TableId table);
  // Whether it makes room by itself.
  bool Evicts(TableId table) const;
  // OVERLOADED if the table, or all of them together, exceeds its limit so far that no copy may add to it. The source's
  // data fits the source, and may take a little more here. The copy replaces `discarded`, so its bytes do not count;
  // the call walks that range if room is short, a second for ten million records.
  Status RoomForCopy(TableId table, const KeyRange* discarded = nullptr) const;

  // How much of the table has to be evicted to bring it and the server below their limits. 0: nothing.
  int64_t Excess(TableId table) const;
  // Excess and refusal of each table that takes too much, for the primaries of its tablets.
  std::vector<MemoryPressure> Pressures() const;
  // Asks the allocator what records really take, which the calls above go by. To be called every so often: it takes a
  // fraction of a millisecond.
  void Measure();
  // Records to evict first, from ranges whose primaries are here, in their order: about `bytes` together, `victims_max`
  // at most, and none if the table's eviction finds no victim.
  std::vector<EvictionVictim> ChooseVictims(TableId table, std::span<const KeyRange> ranges, int64_t bytes,
                                            size_t victims_max);
  void CountEvicted(TableId table, int64_t records);

  // ---- logs of their tablets, as of TabletStore ----
  void Append(TableId table, const AppendBatch& batch);
  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) const;
  Lsn FirstLogged(TabletId tablet) const;
  void RemoveSuffix(TabletId tablet, Lsn from);
  void TruncateLog(TabletId tablet, Lsn below);
  // The applied position of each tablet.
  std::map<TabletId, Lsn> Applied() const;
  // Through where logs of its tablets may be truncated: what those have applied that have logged anything. No
  // checkpoint is needed for it.
  std::map<TabletId, Lsn> AppliedOfLogs() const;
  struct LogsUse {
    int64_t bytes = 0;    // of all logs
    int64_t tablets = 0;  // that have one
  };
  LogsUse Logs() const;

  // ---- RecordStore ----
  Status EnsureTable(TableId table, TableCompression) override;  // without bounds of its own
  Status DropTable(TableId table) override;
  std::vector<TableId> Tables() const override;
  // One call may be for tablets of several tables; it is atomic for each of them.
  Status Apply(std::span<const ApplyBatch> batches) override;
  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position) override;
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string_view> keys,
                                                            size_t bytes_max, SnapshotPosition* position) override;
  Status Read(TableId table, SnapshotPosition* position, const ViewBody& body) override;
  Status ReplaceInterval(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records) override;
  Result<std::vector<RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges) override;
  // A start finds nothing, and a checkpoint has nothing to do.
  Result<TabletRows> Recover(TabletId) override { return TabletRows(); }
  Result<std::vector<TabletId>> Tablets() override { return std::vector<TabletId>(); }
  Status Forget(TabletId tablet) override;  // its log, too
  Status Checkpoint() override { return {}; }

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
