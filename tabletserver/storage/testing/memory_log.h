// tabletserver/storage/testing/memory_log.h
// The log's side of a SimulatedDisk: a journal of operations (memory_journal.h), or the real log over a disk of sectors
// (memory_shared_log.h). The records' side is memory_store.cc's.
// Threads: guarded by SimulatedDisk::State::mutex.
#pragma once

#include <optional>
#include <random>
#include <span>
#include <vector>

#include "tabletserver/storage/log/log_index.h"
#include "tabletserver/storage/testing/simulated_store.h"

namespace ebla::tabletserver {

class MemoryLog {
 public:
  virtual ~MemoryLog() = default;

  // A store's life begins; it may have ended well or in a crash before.
  virtual void Open() {}
  virtual Status status() const { return {}; }  // not OK: it has failed, and stays so until the next Open
  // True: the log itself sees to it that its disk fails next; OK: that it does not.
  virtual bool FailNext(const Status& error) { return false; }
  // Forgets what a crash may take. The life's store is gone.
  virtual void Crash(SimulatedDisk::CrashKind kind, std::mt19937_64& random) = 0;

  // As the functions of the port.
  virtual Status Append(std::span<const AppendBatch> batches) = 0;
  virtual Status PutState(TabletId tablet, const ReplicaState& state) = 0;
  virtual Result<std::vector<LogEntry>> Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) = 0;
  virtual Status RemoveSuffix(TabletId tablet, Lsn from) = 0;
  virtual Status Truncate(TabletId tablet, Lsn below) = 0;
  virtual Status Forget(TabletId tablet) = 0;
  virtual Status PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) = 0;
  virtual Result<std::vector<UnresolvedLogEntry>> ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                 size_t entries_max, size_t bytes_max) = 0;
  virtual Status DiscardUnresolved(TabletId tablet, Version version) = 0;
  virtual void CountUnresolved(TabletStore::Health& health) const = 0;

  virtual LogBounds Bounds(TabletId tablet) const = 0;
  // Whose range is whose: none where nothing is known of the tablet.
  struct Presence {
    TableId table;
    bool tombstone = false;
  };
  virtual std::optional<Presence> PresenceOf(TabletId tablet) = 0;
  // Each tablet with its state alone; then of each, what goes with what it has applied.
  virtual Result<std::vector<RecoveredReplica>> RecoverStates() = 0;
  virtual Status RecoverBounds(RecoveredReplica& replica) = 0;

  // Before records change: states on the disk that explain them.
  virtual Status SyncStates(std::span<const ApplyBatch> batches) { return {}; }
  virtual Status SyncStates() { return {}; }

  // How much was changed so far.
  virtual uint64_t end() const = 0;
  // A flush takes its time: what it finds when it begins, and what it has done when it ends, of what was changed before
  // `position` at least.
  virtual void BeginFlush(FlushMode mode) {}
  virtual Status Flush(FlushMode mode, uint64_t position) = 0;
  // True: a checkpoint holds the records of some moment after such a flush; false: those of its beginning, and its end
  // flushes as much of the log.
  virtual bool FlushesBeforeCheckpoint() const { return false; }
  virtual Status EndCheckpoint(uint64_t position) = 0;
};

}  // namespace ebla::tabletserver
