// tabletserver/storage/store_watch.h
// Told of what a TabletStore is asked, so that a simulation judges states which no client sees, and lets a checkpoint
// take time. Production has none.
// Threads: those of the store's callers.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

class StoreWatch {
 public:
  virtual ~StoreWatch() = default;

  // After the call has succeeded.
  virtual void Appended(std::span<const AppendBatch> batches) {}
  virtual void UnresolvedPut(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {}
  virtual void Applied(std::span<const ApplyBatch> batches) {}
  virtual void Recovered(const std::vector<RecoveredReplica>& replicas) {}
  virtual void Forgotten(TabletId tablet) {}
  // Before the call does anything.
  virtual void BeforePutState(TabletId tablet, const ReplicaState& state) {}
  virtual void BeforeRemoveSuffix(TabletId tablet, Lsn from) {}
  virtual void BeforeTruncateLog(TabletId tablet, Lsn below) {}
  virtual void BeforeRead(TableId table, std::string_view key) {}
  virtual void BeforeTruncateRange(TableId table, const KeyRange& range) {}
  virtual void BeforeForget(TabletId tablet) {}
  // Takes the checkpoint of the records in the store's stead. `done` gets its outcome, now or later, unless the store
  // ends first; it must not run once the store is gone.
  virtual void TakeCheckpoint(RecordStore& records, std::move_only_function<void(Status)> done) {
    done(records.Checkpoint());
  }
};

}  // namespace ebla::tabletserver
