// tools/load/pacer.h
// Decides when operations are due, and stops threads that wait for the next.
// Threads: see each class.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

#include "common/base/mutex.h"

namespace ebla::load {

using SteadyTime = std::chrono::steady_clock::time_point;

// Ends the waits of every thread at once.
// Threads: any.
class StopSignal {
 public:
  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
    changed_.NotifyAll();
  }
  bool Stopped() const { return stopped_.load(std::memory_order_relaxed); }
  // Waits until then; false when stopped first.
  bool WaitUntil(SteadyTime time) {
    MutexLock lock(mutex_);
    while (!Stopped()) {
      if (!changed_.WaitUntil(mutex_, time)) return !Stopped();
    }
    return false;
  }
  bool WaitFor(std::chrono::nanoseconds time) { return WaitUntil(std::chrono::steady_clock::now() + time); }

 private:
  Mutex mutex_;  // held while stopped_ is set, so that no wait misses it
  CondVar changed_;
  std::atomic<bool> stopped_{false};
};

// When a thread's operations should begin: evenly spaced from `start`; with no spacing, whenever the one before is
// done.
// Threads: immutable.
class Pacer {
 public:
  Pacer() = default;
  // `first`: how far into the first spacing this thread begins, so that all threads do not fire at once.
  Pacer(SteadyTime start, std::chrono::nanoseconds spacing, std::chrono::nanoseconds first = {})
      : start_(start + first), spacing_(spacing) {}
  bool paced() const { return spacing_.count() > 0; }
  SteadyTime Intended(uint64_t operation) const {
    return paced() ? start_ + spacing_ * static_cast<int64_t>(operation) : SteadyTime{};
  }

 private:
  SteadyTime start_;
  std::chrono::nanoseconds spacing_{0};
};

}  // namespace ebla::load
