// tabletserver/storage/testing/memory_shared_log.h
// Production's log under a SimulatedStore, over a disk that tears, reorders and loses sectors that were not synced, fails,
// and returns damaged ones. Segments are small, so that the cleaner has work, and memory keeps next to nothing, so that
// what is read comes from the disk.
// How:     a crash comes between two steps of the disk, or in the middle of one, while the log flushes, is cleaned or
//          starts again: so it is made to do one of these when it is told of the crash.
// Threads: as MemoryLog.
#pragma once

#include <memory>

#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/store_log.h"
#include "tabletserver/storage/testing/memory_log.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"
#include "tabletserver/storage/unresolved_writes.h"

namespace ebla::tabletserver {

class MemorySharedLog final : public MemoryLog, private LogOwner {
 public:
  explicit MemorySharedLog(uint64_t seed) : random_(seed), disk_(random_()) {}

  void Open() override;
  Status status() const override { return dead_; }
  bool FailNext(const Status& error) override;
  void Crash(SimulatedDisk::CrashKind kind, std::mt19937_64& random) override;

  Status Append(std::span<const AppendBatch> batches) override;
  Status PutState(TabletId tablet, const ReplicaState& state) override;
  Result<std::vector<LogEntry>> Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) override;
  Status RemoveSuffix(TabletId tablet, Lsn from) override;
  Status Truncate(TabletId tablet, Lsn below) override;
  Status Forget(TabletId tablet) override;
  Status PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) override;
  Result<std::vector<UnresolvedLogEntry>> ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                         size_t entries_max, size_t bytes_max) override;
  Status DiscardUnresolved(TabletId tablet, Version version) override;
  void CountUnresolved(TabletStore::Health& health) const override;

  LogBounds Bounds(TabletId tablet) const override;
  std::optional<Presence> PresenceOf(TabletId tablet) override;
  Result<std::vector<RecoveredReplica>> RecoverStates() override;
  Status RecoverBounds(RecoveredReplica& replica) override;

  Status SyncStates(std::span<const ApplyBatch> batches) override;
  Status SyncStates() override;

  uint64_t end() const override { return 0; }  // a flush covers all there is
  void BeginFlush(FlushMode mode) override;
  Status Flush(FlushMode mode, uint64_t position) override;
  bool FlushesBeforeCheckpoint() const override { return true; }
  Status EndCheckpoint(uint64_t position) override;

 private:
  struct Life {
    Life(std::unique_ptr<SharedLog> opened, LogOwner& owner)
        : shared(std::move(opened)), log(*shared, owner), unresolved(log) {}
    const std::unique_ptr<SharedLog> shared;
    StoreLog log;
    UnresolvedWrites unresolved;
  };
  Status Begin();  // a life
  void CrashIn(std::move_only_function<void()> work, SimulatedLogDisk::CrashKind kind);

  // LogOwner
  Status Fail(Status reason) override;
  bool writes_refused() const override { return false; }  // the store refuses
  void NoteWritten(int64_t) override {}

  std::mt19937_64 random_;
  SimulatedLogDisk disk_;
  std::unique_ptr<Life> life_;  // null: after a crash
  Status dead_;
  Status injected_;  // the failure that is to come; OK: none
};

}  // namespace ebla::tabletserver
