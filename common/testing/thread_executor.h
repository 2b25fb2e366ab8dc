// common/testing/thread_executor.h
// An Executor with a thread of its own, for tests and benchmarks of what runs on several threads. Production uses
// common/rpc's event loops.
// Invariants: tasks run one at a time, in the order of Post(); timers fire in the order of their due times.
// Threads:    any. The destructor runs nothing more: tasks left over are destroyed.
#pragma once

#include <deque>
#include <map>
#include <random>
#include <thread>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla::testing {

class ThreadExecutor final : public Executor {
 public:
  ThreadExecutor();
  ~ThreadExecutor() override;

  MonotonicTime Now() const override;
  int64_t TimeOfDayMs() const override;
  uint64_t Random() override;
  void Post(Task task) override;
  TimerId After(Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  bool InThread() const override { return std::this_thread::get_id() == thread_.get_id(); }

 private:
  void Run();

  Mutex mutex_;  // guards everything below but the thread
  CondVar wake_;
  std::deque<Task> tasks_ EBLA_GUARDED_BY(mutex_);
  std::map<std::pair<MonotonicTime, uint64_t>, Task> timers_ EBLA_GUARDED_BY(mutex_);
  uint64_t next_timer_ EBLA_GUARDED_BY(mutex_) = 1;
  std::mt19937_64 random_ EBLA_GUARDED_BY(mutex_){std::random_device{}()};
  bool stopping_ EBLA_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace ebla::testing
