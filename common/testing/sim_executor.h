// common/testing/sim_executor.h
// Virtual time for tests and the simulator: one scheduler owns the clock and the seed; any number of SimExecutors (one
// for each simulated process or shard) queue their tasks in it. Time moves only when nothing is left to do at the
// present moment. The same seed and the same calls give the same run.
// Threads: everything on one thread.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

#include "common/base/executor.h"

namespace ebla::testing {

class SimExecutor;

class SimScheduler {
 public:
  explicit SimScheduler(uint64_t seed) : random_(seed) {}

  MonotonicTime Now() const { return now_; }
  uint64_t Random() { return random_(); }
  // In [0, bound).
  uint64_t Random(uint64_t bound) { return random_() % bound; }

  // Runs the next task; false when there is none. A million tasks at one moment are a loop, and end the test.
  bool Step();
  // Runs tasks until `done` holds or `limit` of virtual time has passed; returns done().
  bool RunUntil(const std::function<bool()>& done, Duration limit);
  // Runs everything due within `duration`, then advances the clock to its end.
  void RunFor(Duration duration);
  // In the middle of a task: runs what these executors have to do within `duration`, and nothing else, then advances
  // the clock to its end. So the other threads of a process go on while one of them is off its processor.
  void RunOnly(const std::vector<const SimExecutor*>& executors, Duration duration);

 private:
  friend class SimExecutor;
  struct Key {
    MonotonicTime when;
    uint64_t order;
    friend auto operator<=>(const Key&, const Key&) = default;
  };
  struct Entry {
    Task task;
    uint64_t owner;
  };

  Key Add(MonotonicTime when, uint64_t owner, Task task);
  void Run(std::map<Key, Entry>::iterator at);

  MonotonicTime now_{std::chrono::seconds(1)};
  uint64_t next_order_ = 1;
  uint64_t steps_at_now_ = 0;
  uint64_t next_owner_ = 1;
  uint64_t running_ = 0;  // whose task is run
  std::mt19937_64 random_;
  std::map<Key, Entry> queue_;
};

class SimExecutor : public Executor {
 public:
  // `time_of_day_ms` is what the machine's clock shows at the scheduler's start. `rate` is how fast this machine's
  // monotonic clock runs against true time.
  explicit SimExecutor(SimScheduler& scheduler, int64_t time_of_day_ms = 1'700'000'000'000, double rate = 1.0);
  ~SimExecutor() override;  // forgets its tasks: a crash

  MonotonicTime Now() const override;
  int64_t TimeOfDayMs() const override;
  // The machine's clock is set that much later.
  void Leap(int64_t ms) { time_of_day_ms_ += ms; }
  uint64_t Random() override { return scheduler_.Random(); }
  void Post(Task task) override;
  TimerId After(Duration delay, Task task) override;
  void Cancel(TimerId timer) override;
  bool InThread() const override { return true; }

  // One of its tasks is being run.
  bool running() const { return scheduler_.running_ == owner_; }

  // A process that is paused (SIGSTOP) runs nothing until it is resumed, and then all tasks that became due meanwhile.
  void Pause();
  void Resume();

  // The process is dead: forgets its tasks and takes no more. For objects that are destroyed after their process, and
  // may still post or cancel meanwhile.
  void Halt();

 private:
  friend class SimScheduler;
  SimScheduler& scheduler_;
  const uint64_t owner_;
  int64_t time_of_day_ms_;
  const double rate_;
  bool paused_ = false;
  bool halted_ = false;
  std::map<uint64_t, SimScheduler::Key> timers_;  // by TimerId (the key's order)
  std::vector<Task> held_;
  std::set<SimScheduler::Key> pending_;
  void Run(SimScheduler::Key key, Task task);
  void Schedule(MonotonicTime when, Task task, uint64_t* id);
};

}  // namespace ebla::testing
