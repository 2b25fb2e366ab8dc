// tabletserver/storage/log_flusher.h
// Group commit: one sync of the log serves all requests since the last sync.
// Place:      TabletStore::Flush; runs on the executor that the store's owner gives for it.
// Invariants: 1. A completion runs after a flush that began after its request.
//             2. Entries that are flushed to the operating system alone are fsynced within the interval.
//             3. When a flush fails, the store fails too. The kernel forgets the pages that it could not write, so no
//                later fsync can tell whether the disk has them.
// Threads:    any. The destructor waits for a flush in progress, and cancels the timer. It drops the requests that have
//             not begun by then, unanswered.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/sync_times.h"
#include "tabletserver/storage/tablet_log.h"
#include "tabletserver/storage/task_gate.h"

namespace ebla::tabletserver {

class LogFlusher {
 public:
  // `has_table` tells from any thread whether a table is here, without waiting.
  using HasTable = std::function<bool(TableId)>;
  LogFlusher(TabletLog& log, Executor& executor, Duration interval, HasTable has_table)
      : log_(log),
        executor_(executor),
        interval_max_(interval),
        has_table_(std::move(has_table)),
        interval_(interval) {}
  ~LogFlusher();
  LogFlusher(const LogFlusher&) = delete;
  LogFlusher& operator=(const LogFlusher&) = delete;

  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done);
  // Flushes to the operating system, on the caller's thread. Does nothing and returns no status when the flush would
  // wait, when other requests wait, or when two recent ones took long (the kernel makes writers wait for a slow disk).
  std::optional<Status> FlushAtOnce();
  // Answers at once, also while the disk hangs.
  SyncTimes::Figures sync_times() const { return sync_times_.Of(executor_.Now()); }
  // How long entries of this table that are flushed to the operating system may wait for their fsync. Tables that are
  // not here, and older schemas, do not count. The shortest interval of all tables counts, also for entries that wait
  // already.
  void SetInterval(TableId table, int64_t schema_version, Duration interval);
  // Ends the interval of a table that is gone. A table that was made again meanwhile keeps its own.
  void ForgetTable(TableId table);

 private:
  struct Waiter {
    Executor* executor;
    std::move_only_function<void(Status)> done;
  };
  struct TableInterval {
    int64_t schema_version = 0;
    Duration interval{0};
  };
  static void Complete(std::vector<Waiter> waiters, const Status& status);
  void PostRun();
  void Run();
  void NoteUnsynced() EBLA_REQUIRES(mutex_);
  void StartTimer() EBLA_REQUIRES(mutex_);
  void ChooseInterval() EBLA_REQUIRES(mutex_);
  void EndInterval();

  TabletLog& log_;
  Executor& executor_;
  const Duration interval_max_;
  const HasTable has_table_;
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();  // of flushes and of the timer; before mutex_
  SyncTimes sync_times_;

  Mutex mutex_;
  std::vector<Waiter> waiters_ EBLA_GUARDED_BY(mutex_);
  bool wants_disk_ EBLA_GUARDED_BY(mutex_) = false;  // a waiter, or the end of an interval, wants an fsync
  bool posted_ EBLA_GUARDED_BY(mutex_) = false;
  bool unsynced_ EBLA_GUARDED_BY(mutex_) = false;          // flushed to the operating system since the last fsync
  TimerId timer_ EBLA_GUARDED_BY(mutex_);                  // of the interval's end
  MonotonicTime suspected_until_ EBLA_GUARDED_BY(mutex_);  // a slow write until then is the second one
  MonotonicTime slow_until_ EBLA_GUARDED_BY(mutex_);       // nothing is flushed at once
  std::map<TableId, TableInterval> tables_ EBLA_GUARDED_BY(mutex_);
  Duration interval_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
