// gateway/store/table_flusher.h
// Flushes of one table that many clients ask for: one runs at a time, and those that are asked for meanwhile are one
// more, as it covers what each of them has to. A flush may also be told to wait.
// Place:      gateway/memcached's flush_all has one; gateway/redis's FLUSHDB one for each table, by TableFlushes.
// Invariants: 1. A flush that is asked for begins afterwards: what was written before it goes.
//             2. At most one waits for its time. One that is asked for later, or the end, makes it be forgotten.
// Errors:     flush_table.h's, to all that asked for that run.
// Threads:    any. Callbacks run on any.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "gateway/store/store.h"

namespace ebla::gateway {

class TableFlusher {
 public:
  // `deadline`: of each call to the store, which outlives it. It outlives what runs: see quiet().
  TableFlusher(Store& store, std::chrono::milliseconds deadline) : store_(store), deadline_(deadline) {}

  void Flush(Callback<Status> done);
  // After `delay`, while `executor` runs; nobody is told how it goes.
  void FlushAfter(Duration delay, Executor& executor);
  // None that waits for its time begins any more.
  void Stop();
  // Whether nothing runs.
  bool quiet() const;

 private:
  struct Waiting;
  void Forget();  // what waits for its time
  void OnTime(const std::shared_ptr<Waiting>& waiting);
  void Join(Callback<Status> done);
  void Begin(std::vector<Callback<Status>> askers);

  Store& store_;
  const std::chrono::milliseconds deadline_;
  mutable Mutex mutex_;
  bool running_ EBLA_GUARDED_BY(mutex_) = false;
  bool again_ EBLA_GUARDED_BY(mutex_) = false;  // once more when this one has ended, for those of next_
  std::vector<Callback<Status>> next_ EBLA_GUARDED_BY(mutex_);
  std::shared_ptr<Waiting> waiting_ EBLA_GUARDED_BY(mutex_);  // for its time
  bool stopping_ EBLA_GUARDED_BY(mutex_) = false;
};

// Flushes of many stores, each with a flusher as long as it is being flushed.
class TableFlushes {
 public:
  explicit TableFlushes(std::chrono::milliseconds deadline) : deadline_(deadline) {}

  // What ends it may outlive this.
  void Flush(std::shared_ptr<Store> store, Callback<Status> done);

 private:
  struct Flushed;

  const std::chrono::milliseconds deadline_;
  Mutex mutex_;
  std::map<const Store*, std::weak_ptr<Flushed>> flushed_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway
