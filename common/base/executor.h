// common/base/executor.h
// The port through which a host sees time, chance and later: an event loop in production, virtual time and one seed in
// the simulator. Everything a host does runs as a task of one of its executors.
// Place:      common/rpc/event_loop.h implements it over libevent; tests/sim implements it over virtual time.
// Invariants: 1. Tasks of one executor never run concurrently, and those posted by one thread run in order.
//             2. A task never runs inside Post() or After().
// Threads:    every member may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

namespace ebla {

using Duration = std::chrono::nanoseconds;
using Task = std::move_only_function<void()>;

// A point of CLOCK_BOOTTIME, which advances while the machine sleeps. Trusted for rate only, meaningless elsewhere.
struct MonotonicTime {
  Duration since_boot{0};

  friend auto operator<=>(const MonotonicTime&, const MonotonicTime&) = default;
  friend MonotonicTime operator+(MonotonicTime t, Duration d) { return {t.since_boot + d}; }
  friend MonotonicTime operator-(MonotonicTime t, Duration d) { return {t.since_boot - d}; }
  friend Duration operator-(MonotonicTime a, MonotonicTime b) { return a.since_boot - b.since_boot; }
  static MonotonicTime Max() { return {Duration::max()}; }
};

struct TimerId {
  uint64_t value = 0;  // 0: no timer
  explicit operator bool() const { return value != 0; }
};

class Executor {
 public:
  virtual ~Executor() = default;

  virtual MonotonicTime Now() const = 0;
  // Milliseconds since 1970 by the machine's clock. It may jump; use it only where PROTOCOL 21 allows.
  virtual int64_t TimeOfDayMs() const = 0;
  virtual uint64_t Random() = 0;

  // Runs the task soon, after what was posted before. A task posted to an executor that has stopped is destroyed unrun.
  virtual void Post(Task task) = 0;
  // Post() of a task that is brief and waits for no disk. While this executor's own thread sleeps, one that runs
  // another executor and posts this may run it in its stead, when it is done with what it has at hand.
  virtual void PostBrief(Task task) { Post(std::move(task)); }
  // Runs the task once, `delay` from now or a little later.
  virtual TimerId After(Duration delay, Task task) = 0;
  // Forgets a timer. When called on the executor, its task will not run; elsewhere it may be running already.
  virtual void Cancel(TimerId timer) = 0;
  // True on the thread that runs this executor's tasks.
  virtual bool InThread() const = 0;
};

}  // namespace ebla
