// gateway/store/table_flusher.h
// Flushes one table for many clients. One flush runs at a time. All requests meanwhile share the next one, because it
// covers what each of them must delete. A flush may also be delayed.
// Place:      gateway/memcached's flush_all has one; gateway/redis's FLUSHDB one for each table, by TableFlushes.
// Invariants: 1. A flush begins after its request, so it deletes everything that was written before.
//             2. At most one delayed flush waits. A later request, or the end, cancels it.
// Errors:     flush_table.h's, to all requests that share the flush.
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
  // `deadline`: of each call to the store, which outlives the flusher. The flusher outlives its flushes: see quiet().
  TableFlusher(Store& store, std::chrono::milliseconds deadline) : store_(store), deadline_(deadline) {}

  void Flush(Callback<Status> done);
  // Flushes after `delay`, while `executor` runs; the outcome is not reported.
  void FlushAfter(Duration delay, Executor& executor);
  // Starts no delayed flush any more.
  void Stop();
  // Whether nothing runs.
  bool quiet() const;

 private:
  struct Waiting;
  void Forget();  // the delayed flush
  void OnTime(const std::shared_ptr<Waiting>& waiting);
  void Join(Callback<Status> done);
  void Begin(std::vector<Callback<Status>> askers);

  Store& store_;
  const std::chrono::milliseconds deadline_;
  mutable Mutex mutex_;
  bool running_ EBLA_GUARDED_BY(mutex_) = false;
  bool again_ EBLA_GUARDED_BY(mutex_) = false;  // another flush follows, for those of next_
  std::vector<Callback<Status>> next_ EBLA_GUARDED_BY(mutex_);
  std::shared_ptr<Waiting> waiting_ EBLA_GUARDED_BY(mutex_);  // the delayed flush
  bool stopping_ EBLA_GUARDED_BY(mutex_) = false;
};

// Flushes of many stores. A store has a flusher while it is being flushed.
class TableFlushes {
 public:
  explicit TableFlushes(std::chrono::milliseconds deadline) : deadline_(deadline) {}

  // `done` may be called after this object is gone.
  void Flush(std::shared_ptr<Store> store, Callback<Status> done);

 private:
  struct Flushed;

  const std::chrono::milliseconds deadline_;
  Mutex mutex_;
  std::map<const Store*, std::weak_ptr<Flushed>> flushed_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway
