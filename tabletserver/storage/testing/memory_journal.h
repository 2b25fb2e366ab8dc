// tabletserver/storage/testing/memory_journal.h
// A log of operations in memory that become durable in their order: a crash leaves some prefix of them.
// Threads: as MemoryLog.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "tabletserver/storage/testing/memory_log.h"

namespace ebla::tabletserver {

class MemoryJournal final : public MemoryLog {
 public:
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

  uint64_t end() const override { return base_ + journal_.size(); }
  Status Flush(FlushMode mode, uint64_t position) override;
  Status EndCheckpoint(uint64_t position) override;

 private:
  struct Image {
    std::map<TabletId, std::map<Lsn, LogEntry>> logs;
    std::map<TabletId, ReplicaState> states;
    std::map<std::pair<TabletId, Version>, UnresolvedLogEntry> unresolved;
  };
  using Operation = std::function<void(Image&)>;

  // Does the operation, and remembers it for the disk.
  Status Log(Operation operation);
  // What lies below `position` is on the disk.
  void MakeDurable(uint64_t position);

  Image logged_;                   // as the store shows it
  Image durable_;                  // as a crash of the machine leaves it at least
  std::deque<Operation> journal_;  // what `logged_` has and `durable_` has not, in order
  uint64_t base_ = 0;              // position of the journal's first
  uint64_t written_ = 0;           // below: handed to the operating system
};

}  // namespace ebla::tabletserver
