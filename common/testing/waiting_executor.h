// common/testing/waiting_executor.h
// Real time without a thread of its own: tasks run on the test's thread, while that waits for something. So a test that
// talks to a real server needs no locks.
// Threads: Post, After and Cancel from any thread; RunUntil on the one that constructed it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla::testing {

class WaitingExecutor final : public Executor {
 public:
  MonotonicTime Now() const override;
  int64_t TimeOfDayMs() const override;
  uint64_t Random() override;
  void Post(Task task) override { (void)After(Duration(0), std::move(task)); }
  TimerId After(Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  bool InThread() const override { return std::this_thread::get_id() == thread_; }

  // Runs tasks until `done` holds, looked at after each; false when that takes longer than `limit`.
  bool RunUntil(const std::function<bool()>& done, Duration limit);

 private:
  struct Key {
    MonotonicTime when;
    uint64_t order;
    friend auto operator<=>(const Key&, const Key&) = default;
  };

  const std::thread::id thread_ = std::this_thread::get_id();
  Mutex mutex_;
  CondVar posted_;
  std::map<Key, Task> queue_ EBLA_GUARDED_BY(mutex_);
  std::map<uint64_t, Key> timers_ EBLA_GUARDED_BY(mutex_);
  uint64_t next_order_ EBLA_GUARDED_BY(mutex_) = 1;
  std::mt19937_64 random_ EBLA_GUARDED_BY(mutex_){std::random_device{}()};
};

}  // namespace ebla::testing
