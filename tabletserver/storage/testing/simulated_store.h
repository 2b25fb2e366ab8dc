// tabletserver/storage/testing/simulated_store.h
// A TabletStore on a SimulatedDisk, for one life of a server: for the simulator and for tests.
// Misuse:  removing applied entries, and truncating log that the last checkpoint still needs, are CHECK failures here: the
//          simulator is to find them.
// Checkpoint: takes time, as WiredTiger's does. The log is flushed, the records that it will hold are those of a moment
//          after, and later still it is durable. Meanwhile entries are applied, and a crash leaves the one before.
// Threads: any; the simulator uses one. Pending completions never run once it is gone: a crash, or a clean end.
#pragma once

#include <deque>
#include <functional>
#include <memory>

#include "tabletserver/storage/store_watch.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/testing/fake_record_store.h"

namespace ebla::tabletserver {

class SimulatedStore {
 public:
  // Checks what a store is asked. A test's own watch derives from it, and calls what it overrides.
  class Watch : public StoreWatch {
   public:
    void Recovered(const std::vector<RecoveredReplica>& replicas) override;
    void BeforePutState(TabletId tablet, const ReplicaState& state) override;
    void BeforeRemoveSuffix(TabletId tablet, Lsn from) override;
    void BeforeTruncateLog(TabletId tablet, Lsn below) override;
    void TakeCheckpoint(RecordStore& records, std::move_only_function<void(Status)> done) final;

   protected:
    TabletStore& store() { return **life_; }

   private:
    friend class SimulatedStore;
    SimulatedDisk* disk_ = nullptr;
    SimulatedStore* life_ = nullptr;
  };
  using MakeRecords = std::function<std::unique_ptr<FakeRecordStore>(SimulatedDisk& disk)>;
  struct Options {
    InMemoryStore* memory = nullptr;
    std::unique_ptr<Watch> watch = nullptr;      // null: no more than the checks
    MakeRecords records = nullptr;               // null: a FakeRecordStore
    std::optional<LogLoss> loss = std::nullopt;  // the log lacks a part, as this start shall believe
  };
  // `executor` runs what takes time. One store at a time on a disk.
  SimulatedStore(SimulatedDisk& disk, Executor& executor) : SimulatedStore(disk, executor, Options()) {}
  SimulatedStore(SimulatedDisk& disk, Executor& executor, Options options);
  ~SimulatedStore();

  TabletStore& operator*() { return store_; }
  TabletStore* operator->() { return &store_; }
  FakeRecordStore& records() { return *records_; }

 private:
  void CleanLater();
  void NoteLater();
  void BeginCheckpoint();
  void EndCheckpoint();
  void FinishCheckpoint(const Status& status);

  SimulatedDisk& disk_;
  SimulatedDisk::Life life_;
  Executor& executor_;
  SimulatedDisk::Queue flusher_, background_;
  const std::unique_ptr<Watch> watch_;
  const std::unique_ptr<FakeRecordStore> records_;
  TabletStore store_;
  std::deque<std::move_only_function<void(Status)>> checkpoints_;  // the first is under way
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
};

// A single range.
inline Result<RecordStore::RangeSize> EstimateSize(TabletStore& store, TableId table, const KeyRange& range) {
  EBLA_ASSIGN(std::vector<RecordStore::RangeSize> sizes, store.EstimateSizes(table, {&range, 1}));
  return std::move(sizes.front());
}

}  // namespace ebla::tabletserver
