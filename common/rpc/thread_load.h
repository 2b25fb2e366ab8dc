// common/rpc/thread_load.h
// How busy a thread of event loops is, and whether there should be more of them or fewer.
//
// A processor that has nothing to do is worth a thread, once the loops keep one busy or wait for a disk. Threads beyond
// the processors cost more than they do where turns are short: each wakes up for a request or two, what is one system
// call for ten of them is ten, and all wait for a processor meanwhile.
//
// Threads:    a meter is its thread's; Advise is a pure function.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/executor.h"

namespace ebla::rpc {

// The load of one thread, over a window of time.
struct ThreadLoad {
  double busy = 0;     // part of the time in which it did not sleep
  double running = 0;  // part that it had a processor for
  double waiting = 0;  // part that it waited for one
  double blocked = 0;  // part, at least, that it waited for something else: a disk, a lock
  Duration stretch{};  // for how long it had a processor at a time
  int64_t disk_reads = 0;
  double idle_processors = 0;  // of those that it may run on; counted where it is busy or blocks for two windows
};

enum class ThreadChange { kNone, kSpread, kJoin };

// The advice for a thread with this load: give half of its loops to another thread, or all of them.
ThreadChange Advise(const ThreadLoad& load);
// It waits for a disk or a lock now and then, and loops that share it wait, too.
bool Blocks(const ThreadLoad& load);

class ThreadMeter {
 public:
  // Whether the system tells enough to go by.
  static bool Works();

  explicit ThreadMeter(Duration window);  // on the thread that it measures
  ~ThreadMeter();
  ThreadMeter(const ThreadMeter&) = delete;
  ThreadMeter& operator=(const ThreadMeter&) = delete;

  using Clock = std::chrono::steady_clock;

  void Slept(Duration time) { slept_ += time; }
  // The thread's load in the finished window; none before its end. To count idle processors costs something.
  std::optional<ThreadLoad> Measure(Clock::time_point now, bool counts_idle = true);
  // A new window begins.
  void Restart(Clock::time_point now);

 private:
  // The system's counts for the thread up to now; zeros if it does not count.
  struct Counted {
    int64_t running_ns = 0;
    int64_t waiting_ns = 0;
    int64_t stretches = 0;
    int64_t disk_reads = 0;
  };
  Counted Count() const;

  const Duration window_;  // the system counts idle time in hundredths of a second
  const int schedule_fd_;  // /proc/thread-self/schedstat
  Clock::time_point since_;
  Duration slept_{};
  Counted before_;
  std::optional<double> idle_before_;  // seconds, of the processors together; none: the window was not worth counting
};

}  // namespace ebla::rpc
