// common/rpc/thread_load.h
// How busy a thread of event loops is, and whether there should be more of them or fewer.
//
// A processor that has nothing to do is worth a thread, once the loops keep one busy. Threads beyond the processors cost
// more than they do where turns are short: each wakes up for a request or two, what is one system call for ten of them
// is ten, and all wait for a processor meanwhile.
//
// Threads:    a meter is its thread's; Advise is a pure function.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "common/base/executor.h"

namespace ebla::rpc {

// Of one thread, over a window of time.
struct ThreadLoad {
  double busy = 0;             // part of the time in which it did not sleep; 1 where it has only one loop
  double running = 0;          // part that it had a processor for
  double waiting = 0;          // part that it waited for one
  Duration stretch{};          // for how long it had one at a time
  double idle_processors = 0;  // of the machine
};

enum class ThreadChange { kNone, kSpread, kJoin };

// What a thread with this load should do: give half of its loops to another thread, or all of them.
ThreadChange Advise(const ThreadLoad& load);

class ThreadMeter {
 public:
  explicit ThreadMeter(Duration window);  // on the thread that it measures
  ~ThreadMeter();
  ThreadMeter(const ThreadMeter&) = delete;
  ThreadMeter& operator=(const ThreadMeter&) = delete;

  using Clock = std::chrono::steady_clock;

  void Slept(Duration time) { slept_ += time; }
  // What the thread did in the window that is over; none yet while it is not.
  std::optional<ThreadLoad> Measure(Clock::time_point now);
  // A new window begins.
  void Restart(Clock::time_point now);

 private:
  // What the system has counted up to now; zeros where it does not count.
  struct Counted {
    int64_t running_ns = 0;
    int64_t waiting_ns = 0;
    int64_t stretches = 0;
    double idle_seconds = 0;  // of all processors
  };
  Counted Count() const;

  const Duration window_;  // the system counts idle time in hundredths of a second
  const int schedule_fd_;  // /proc/thread-self/schedstat
  const int uptime_fd_;    // /proc/uptime
  Clock::time_point since_;
  Duration slept_{};
  Counted before_;
};

}  // namespace ebla::rpc
