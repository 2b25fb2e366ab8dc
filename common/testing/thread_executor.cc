#include "common/testing/thread_executor.h"

#include <time.h>

#include <algorithm>
#include <chrono>

#include "common/base/clocks.h"
#include "common/base/mutex.h"

namespace ebla::testing {

ThreadExecutor::ThreadExecutor() : thread_([this] { Run(); }) {}

ThreadExecutor::~ThreadExecutor() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.NotifyAll();
  thread_.join();
}

MonotonicTime ThreadExecutor::Now() const { return MonotonicNow(); }

int64_t ThreadExecutor::TimeOfDayMs() const { return ebla::TimeOfDayMs(); }

uint64_t ThreadExecutor::Random() {
  MutexLock lock(mutex_);
  return random_();
}

void ThreadExecutor::Post(Task task) {
  // Under the lock: who sees the task done may destroy this.
  MutexLock lock(mutex_);
  tasks_.push_back(std::move(task));
  wake_.NotifyOne();
}

TimerId ThreadExecutor::After(Duration delay, Task task) {
  const MonotonicTime due = Now() + delay;
  uint64_t id = 0;
  {
    MutexLock lock(mutex_);
    id = next_timer_++;
    timers_.emplace(std::pair(due, id), std::move(task));
  }
  wake_.NotifyOne();
  return {id};
}

void ThreadExecutor::Cancel(TimerId timer) {
  MutexLock lock(mutex_);
  std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer.value; });
}

void ThreadExecutor::Run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    if (!timers_.empty() && timers_.begin()->first.first <= Now()) {
      tasks_.push_back(std::move(timers_.extract(timers_.begin()).mapped()));
    }
    if (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      mutex_.Unlock();
      task();
      task = nullptr;
      mutex_.Lock();
    } else if (timers_.empty()) {
      wake_.Wait(mutex_);
    } else {
      const Duration left = timers_.begin()->first.first - Now();
      wake_.WaitFor(mutex_, std::clamp<Duration>(left, Duration(0), std::chrono::hours(1)));
    }
  }
}

}  // namespace ebla::testing
