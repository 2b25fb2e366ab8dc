#include "common/testing/thread_executor.h"

#include <time.h>

#include <algorithm>
#include <chrono>

namespace ebla::testing {

ThreadExecutor::ThreadExecutor() : thread_([this] { Run(); }) {}

ThreadExecutor::~ThreadExecutor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
}

MonotonicTime ThreadExecutor::Now() const {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec)};
}

int64_t ThreadExecutor::TimeOfDayMs() const {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

uint64_t ThreadExecutor::Random() {
  std::lock_guard lock(mutex_);
  return random_();
}

void ThreadExecutor::Post(Task task) {
  {
    std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  wake_.notify_one();
}

TimerId ThreadExecutor::After(Duration delay, Task task) {
  const MonotonicTime due = Now() + delay;
  uint64_t id = 0;
  {
    std::lock_guard lock(mutex_);
    id = next_timer_++;
    timers_.emplace(std::pair(due, id), std::move(task));
  }
  wake_.notify_one();
  return {id};
}

void ThreadExecutor::Cancel(TimerId timer) {
  std::lock_guard lock(mutex_);
  std::erase_if(timers_, [timer](const auto& entry) { return entry.first.second == timer.value; });
}

void ThreadExecutor::Run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (!timers_.empty() && timers_.begin()->first.first <= Now()) {
      tasks_.push_back(std::move(timers_.extract(timers_.begin()).mapped()));
    }
    if (!tasks_.empty()) {
      Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      task = nullptr;
      lock.lock();
    } else if (timers_.empty()) {
      wake_.wait(lock);
    } else {
      const Duration left = timers_.begin()->first.first - Now();
      wake_.wait_for(lock, std::clamp<Duration>(left, Duration(0), std::chrono::hours(1)));
    }
  }
}

}  // namespace ebla::testing
