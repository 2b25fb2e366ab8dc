#include "common/testing/waiting_executor.h"

#include <ctime>

#include "common/base/clocks.h"
#include "common/base/mutex.h"

namespace ebla::testing {

MonotonicTime WaitingExecutor::Now() const { return MonotonicNow(); }

int64_t WaitingExecutor::TimeOfDayMs() const { return ebla::TimeOfDayMs(); }

uint64_t WaitingExecutor::Random() {
  MutexLock lock(mutex_);
  return random_();
}

TimerId WaitingExecutor::After(Duration delay, Task task) {
  // Tasks that are due at once keep the order of their posting, for any clock.
  const MonotonicTime when = delay <= Duration(0) ? MonotonicTime{} : Now() + delay;
  MutexLock lock(mutex_);
  const uint64_t order = next_order_++;
  timers_[order] = {when, order};
  queue_.emplace(Key{when, order}, std::move(task));
  posted_.NotifyOne();
  return {order};
}

void WaitingExecutor::Cancel(TimerId timer) {
  Task dropped;  // destroyed without the lock
  MutexLock lock(mutex_);
  const auto found = timers_.find(timer.value);
  if (found == timers_.end()) return;
  dropped = std::move(queue_.extract(found->second).mapped());
  timers_.erase(found);
}

bool WaitingExecutor::RunUntil(const std::function<bool()>& done, Duration limit) {
  const MonotonicTime end = Now() + limit;
  while (!done()) {
    Task due;
    {
      MutexLock lock(mutex_);
      const MonotonicTime now = Now();
      if (now >= end) return false;
      if (queue_.empty() || queue_.begin()->first.when > now) {
        const MonotonicTime next = queue_.empty() ? end : std::min(end, queue_.begin()->first.when);
        posted_.WaitFor(mutex_, next - now);
        continue;
      }
      auto first = queue_.extract(queue_.begin());
      timers_.erase(first.key().order);
      due = std::move(first.mapped());
    }
    due();
  }
  return true;
}

}  // namespace ebla::testing
