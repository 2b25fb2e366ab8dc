// tabletserver/storage/testing/simulated_disk.h
// For the simulator and for tests: the disk of one server in memory. It outlives the SimulatedStore of each life, and a
// crash takes from it what a crash may take from a disk.
// Log:     production's, over sectors that tear, reorder, fail and come back damaged (simulated_log_disk.h). Segments are
//          small, so that the cleaner has work, and memory keeps next to nothing, so that reads come from the disk.
// Records: as the last checkpoint has them, and as the store shows them (fake_record_store.h); while a checkpoint is
//          under way, as it will have them.
// Crash:   happens between two steps of the log's disk, or in the middle of one, while the log flushes, cleans or starts
//          again. Crash() makes the log do one of these.
// Loss:    a disk that lies may lose the synced end of the log, too. The disk notes beside the log how far that reaches,
//          every kNoteEvery, like a store's inventory (store_inventory.h). A start compares the note with the log. Or
//          the whole disk returns to an earlier moment, note and all, and no start sees that.
// Threads: any; the simulator uses one.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/tablet_log.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {

class SimulatedDisk {
 public:
  explicit SimulatedDisk(uint64_t seed = 1);
  ~SimulatedDisk();

  using CrashKind = SimulatedLogDisk::CrashKind;
  // To be called once the crashed life's store is destroyed: forgets what was not flushed, but for a prefix of random
  // length of it, and what was applied since the last checkpoint.
  void Crash(CrashKind kind);
  // After a crash: the log loses from some frame on what the disk had. The disk has noted that frame, so the next start
  // sees the loss, and opens all the same. False: there is no such frame, and nothing is lost.
  using Loss = SimulatedLogDisk::Loss;
  bool LoseEnd(Loss loss);
  // Notes this moment: LoseEnd(kAll) returns to it, once, and not after a new start.
  void Remember();
  // The loss that the start of the present life found, or that an earlier start found and did not deal with.
  const std::optional<LogLoss>& loss() const { return loss_; }

  // ---- faults, at any time; they concern the store that is open on it ----
  // Flushes and checkpoints wait until it is taken back.
  void SetStalled(bool stalled);
  // The log's next write, sync or read fails, and the store with it. OK: none does.
  void FailNext(Status error);
  // The next so many appends of clients' writes find no room, though health() still reports room.
  void RefuseAppends(int count);
  // Nothing that is committed can be applied until it is taken back, or the next life begins.
  void RefuseToApply(bool refuse);
  // Every call that would change the records, or make them durable, fails with this until it is taken back by OK, or
  // the next life begins.
  void FailRecords(Status error);
  // Below the reserve: writes are refused, but for deletes (PROTOCOL 25).
  void SetFull(bool full);
  // How long flushes and checkpoints take on the store's executor, uniform in [min, max]. Zero: at the next task.
  void SetLatency(Duration min, Duration max);
  // A random one of so many flushes of the log takes longer by a time that is uniform in [min, max]. Zero: none does.
  void SetSlowFlushes(uint64_t one_of, Duration min, Duration max);
  // How much longer than a flush checkpoints take that begin from now on.
  void SetCheckpointTime(Duration longer);
  SimulatedLogDisk& log_disk() { return log_disk_; }

  int64_t checkpoints() const;
  bool checkpointing() const;  // one has begun and is not durable

 private:
  friend class FakeRecordStore;
  friend class SimulatedStore;
  struct RecordsImage {
    std::map<TableId, std::map<std::string, StoredRecord>> tables;
    struct Tablet {
      TableId table;
      AppliedState state;
    };
    std::map<TabletId, Tablet> applied;
    std::map<TabletId, std::map<std::pair<ClientId, Sequence>, DedupRow>> windows;
  };
  // The log's owner in one life.
  class Life final : public LogOwner {
   public:
    explicit Life(SimulatedDisk& disk) : disk_(disk) {}
    Status status() const override;
    Status Fail(Status reason) override;
    DiskRoom room() const override;
    void NoteWritten(int64_t) override {}

   private:
    SimulatedDisk& disk_;
  };
  // An executor whose tasks wait for the disk: each runs once its latency has passed, and not while the disk stalls.
  class Queue final : public Executor {
   public:
    Queue(SimulatedDisk& disk, Executor& executor, bool of_log) : disk_(disk), executor_(executor), of_log_(of_log) {}
    MonotonicTime Now() const override { return executor_.Now(); }
    int64_t TimeOfDayMs() const override { return executor_.TimeOfDayMs(); }
    uint64_t Random() override { return executor_.Random(); }
    void Post(Task task) override;
    void PostEndOfCheckpoint(Task task);
    TimerId After(Duration delay, Task task) override { return executor_.After(delay, std::move(task)); }
    void Cancel(TimerId timer) override { executor_.Cancel(timer); }
    bool InThread() const override { return executor_.InThread(); }

   private:
    SimulatedDisk& disk_;
    Executor& executor_;
    const bool of_log_;
  };

  static constexpr Duration kNoteEvery = std::chrono::milliseconds(500);

  // A life begins; the one before may have ended well or in a crash.
  SharedLog& Open();
  void Close();
  SharedLogOptions LogOptions();
  Result<std::unique_ptr<SharedLog>> OpenLog();
  bool GoBack() EBLA_REQUIRES(mutex_);
  void NoteExtent();
  void CrashIn(std::move_only_function<void()> work, CrashKind kind) EBLA_REQUIRES(mutex_);
  void RunLater(Executor& executor, Duration latency, Task task);
  void RunOrPark(Executor& executor, Task task);
  Duration Within(Duration min, Duration max) EBLA_REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::mt19937_64 random_ EBLA_GUARDED_BY(mutex_);
  SimulatedLogDisk log_disk_;
  std::unique_ptr<SharedLog> log_;  // of the present life, or of one that has ended and not crashed yet
  std::optional<LogLoss> loss_;
  mutable Mutex noting_;                                     // after mutex_
  std::optional<LogExtent> noted_ EBLA_GUARDED_BY(noting_);  // of the log, durably
  struct Remembered {
    std::unique_ptr<SimulatedLogDisk> log;
    std::optional<LogExtent> noted;
    RecordsImage checkpoint;
    std::set<TableId> tables;
  };
  std::optional<Remembered> remembered_ EBLA_GUARDED_BY(mutex_);
  bool open_ EBLA_GUARDED_BY(mutex_) = false;
  Status dead_ EBLA_GUARDED_BY(mutex_);
  Status injected_ EBLA_GUARDED_BY(mutex_);  // the failure that is to come; OK: none

  RecordsImage records_ EBLA_GUARDED_BY(mutex_);               // as the store shows it
  RecordsImage checkpoint_ EBLA_GUARDED_BY(mutex_);            // as every crash leaves it
  std::optional<RecordsImage> begun_ EBLA_GUARDED_BY(mutex_);  // as the checkpoint that is under way will have it
  std::set<TableId> tables_ EBLA_GUARDED_BY(mutex_);
  std::set<TabletId> present_ EBLA_GUARDED_BY(mutex_);  // replicas that were not dropped
  int64_t checkpoints_ EBLA_GUARDED_BY(mutex_) = 0;

  bool full_ EBLA_GUARDED_BY(mutex_) = false;
  mutable int refuse_ EBLA_GUARDED_BY(mutex_) = 0;  // appends of clients' writes
  bool refuse_to_apply_ EBLA_GUARDED_BY(mutex_) = false;
  Status records_fail_ EBLA_GUARDED_BY(mutex_);
  bool stalled_ EBLA_GUARDED_BY(mutex_) = false;
  std::vector<std::pair<Executor*, Task>> parked_ EBLA_GUARDED_BY(mutex_);  // run when it no longer stalls
  Duration latency_min_ EBLA_GUARDED_BY(mutex_){0};
  Duration latency_max_ EBLA_GUARDED_BY(mutex_){0};
  uint64_t slow_one_of_ EBLA_GUARDED_BY(mutex_) = 0;  // flushes; none: zero
  Duration slow_min_ EBLA_GUARDED_BY(mutex_){0};
  Duration slow_max_ EBLA_GUARDED_BY(mutex_){0};
  Duration checkpoint_longer_ EBLA_GUARDED_BY(mutex_){0};
};

}  // namespace ebla::tabletserver
