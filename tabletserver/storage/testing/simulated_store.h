// tabletserver/storage/testing/simulated_store.h
// TabletStore in memory, for the simulator and for unit tests: what it loses in a crash is what a disk may lose.
// Place:      a SimulatedDisk outlives the SimulatedStore of each life of a simulated server; tests/sim crashes them.
// Invariants: 1. The log's operations reach the disk in their order: a crash leaves a prefix of them, which holds all
//                that a completed flush covers.
//             2. Records, applied states and dedup windows go back to the last finished checkpoint, all together;
//                once one has finished, every log operation made before it began is durable, too (as with WiredTiger).
// Misuse:     appending out of order, applying backwards, truncating log that the last checkpoint still needs, and
//             overlapping tablets in one table are CHECK failures here: the simulator is to find them.
// Threads:    any, as tablet_store.h says (one mutex); the simulator uses one.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <random>

#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

// One server's disk. Its faults are set by the test at any time and concern the store that is open on it.
class SimulatedDisk {
 public:
  enum class LogKind : uint8_t {
    kJournal,  // operations in memory
    kShared,   // production's log, over sectors in memory
  };
  explicit SimulatedDisk(uint64_t seed = 1, LogKind log = LogKind::kJournal);
  ~SimulatedDisk();

  enum class CrashKind : uint8_t {
    kProcess,  // keeps what was handed to the operating system
    kMachine,  // keeps what was fsynced
  };
  // To be called once the crashed life's SimulatedStore is destroyed: forgets what was not flushed, but for a prefix of
  // random length of it.
  void Crash(CrashKind kind);

  // Flushes and checkpoints wait until it is taken back.
  void SetStalled(bool stalled);
  // The next flush or checkpoint fails, and the store with it.
  void FailNext(Status error);
  // The next so many appends of clients' writes find no room, though health() still says that there is.
  void RefuseAppends(int count);
  // Nothing that is committed can be applied until it is taken back.
  void RefuseToApply(bool refuse);
  // Below the reserve: writes are refused (PROTOCOL 25).
  void SetFull(bool full);
  // How long flushes and checkpoints take on the store's executor: uniform in [min, max]. Zero: at the next task.
  void SetLatency(Duration min, Duration max);

  // How much longer than a flush checkpoints take that begin from now on.
  void SetCheckpointTime(Duration longer);

  int64_t flushes() const;
  int64_t checkpoints() const;

 private:
  friend class SimulatedStore;
  struct State;
  std::unique_ptr<State> state_;
};

class SimulatedStore : public TabletStore {
 public:
  // `executor` runs what takes time. One store at a time on a disk.
  SimulatedStore(SimulatedDisk& disk, Executor& executor);
  ~SimulatedStore() override;  // pending completions never run: a crash, or a clean end after a flush

  Status EnsureTable(TableId table, TableCompression compression) override;
  Status DropTable(TableId table) override;
  std::vector<TableId> Tables() const override;

  Status Append(std::span<const AppendBatch> batches) override;
  Status PutReplicaState(TabletId tablet, const ReplicaState& state) override;
  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) override;
  std::optional<Status> FlushAtOnce() override;  // at random, where it can
  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) override;
  Lsn FirstLogged(TabletId tablet) const override;
  Status RemoveSuffix(TabletId tablet, Lsn from) override;
  Status TruncateLog(TabletId tablet, Lsn from, Lsn below) override;

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

  void Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) override;
  int64_t LogBytesSinceCheckpoint() const override;
  Health health() const override;
  std::optional<uint64_t> PagesReadByThisThread() const override { return pages_read_.load(); }

  // From now on each Get and MultiGet counts as if it had read so many pages from files; by all threads together.
  void LackPages(uint64_t per_read) { pages_lacked_ = per_read; }

 private:
  struct Life;
  void SetPosition(SnapshotPosition* position) const;
  std::atomic<uint64_t> pages_lacked_{0};
  std::atomic<uint64_t> pages_read_{0};
  std::unique_ptr<Life> life_;
};

}  // namespace ebla::tabletserver
