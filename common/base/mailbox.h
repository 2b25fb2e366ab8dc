// common/base/mailbox.h
// A bounded queue into an executor, emptied in batches: many threads put, one task drains all there is. The first item
// into an empty mailbox posts that task, so a burst costs one wake-up.
// Place:      loops hand writes to shards, shards hand replies to loops.
// Invariants: 1. Items are drained in the order in which they were put. 2. Items and bytes within are bounded.
// Threads:    Put() from any; `drain` runs on the executor. The mailbox outlives its executor's tasks.
#pragma once

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla {

template <class T>
class Mailbox {
 public:
  struct Bounds {
    size_t items = 0;
    size_t bytes = 0;  // in memory, as Put() is told
  };

  Mailbox(Executor& executor, Bounds bounds, std::function<void(std::vector<T>)> drain)
      : executor_(executor), bounds_(bounds), drain_(std::move(drain)) {}

  // False, and `item` is untouched: full.
  bool Put(T&& item, size_t bytes) {
    bool first = false;
    {
      MutexLock lock(mutex_);
      if (items_.size() >= bounds_.items || (bytes_ + bytes > bounds_.bytes && !items_.empty())) return false;
      first = items_.empty();
      items_.push_back(std::move(item));
      bytes_ += bytes;
    }
    if (first) executor_.Post([this] { Drain(); });
    return true;
  }

 private:
  void Drain() {
    std::vector<T> items;
    {
      MutexLock lock(mutex_);
      items.swap(items_);
      bytes_ = 0;
    }
    drain_(std::move(items));
  }

  Executor& executor_;
  const Bounds bounds_;
  const std::function<void(std::vector<T>)> drain_;
  Mutex mutex_;
  std::vector<T> items_ EBLA_GUARDED_BY(mutex_);
  size_t bytes_ EBLA_GUARDED_BY(mutex_) = 0;
};

using TaskMailbox = Mailbox<Task>;

}  // namespace ebla
