// tools/ycsb/runner.h
// Runs a workload in a number of threads, at full speed or at a target rate, and reports: a status line in every
// interval, the summary at the end.
// Place:   main.cc hands it the parsed command line and the real database; tests hand it one in memory.
// Errors:  INVALID_ARGUMENT for wrong settings, and what the driver refuses, before anything runs. Failed operations
//          are no error here: they are counted.
// Threads: Execute() starts and joins its own; Stop() from any thread, also from a signal-waiting one.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "tools/ycsb/database.h"
#include "tools/ycsb/measurements.h"
#include "tools/ycsb/properties.h"
#include "tools/ycsb/workload.h"

namespace ebla::ycsb {

struct RunnerOptions {
  bool load = false;
  int threads = 1;
  double target_ops_per_s = 0;  // of all threads; 0: no limit
  bool status = false;
  std::chrono::milliseconds status_interval{10'000};
  std::string label;
  std::chrono::seconds execution_time_max{0};  // 0: none
  uint64_t seed = 0;
  MeasurementOptions measurements;

  static Result<RunnerOptions> Parse(const Properties& properties, bool load);
};

// Ends the waits of every thread at once.
// Threads: any.
class StopSignal {
 public:
  void Stop();
  bool Stopped() const { return stopped_.load(std::memory_order_relaxed); }
  // Waits until then; false when stopped first.
  bool WaitUntil(SteadyTime time);

 private:
  Mutex mutex_;  // held while stopped_ is set, so that no wait misses it
  CondVar changed_;
  std::atomic<bool> stopped_{false};
};

// When a thread's operations should begin: evenly spaced from `start`; with no spacing, whenever the one before is
// done.
class Pacer {
 public:
  // `first`: how far into the first spacing this thread begins, so that all threads do not fire at once.
  Pacer(SteadyTime start, std::chrono::nanoseconds spacing, std::chrono::nanoseconds first)
      : start_(start + first), spacing_(spacing) {}
  bool paced() const { return spacing_.count() > 0; }
  SteadyTime Intended(uint64_t operation) const {
    return paced() ? start_ + spacing_ * static_cast<int64_t>(operation) : SteadyTime{};
  }

 private:
  const SteadyTime start_;
  const std::chrono::nanoseconds spacing_;
};

struct RunResult {
  std::chrono::milliseconds runtime{0};
  uint64_t succeeded = 0;  // whole operations: a read-modify-write is one
  uint64_t failed = 0;
  Samples samples;
  Status last_failure;
};

class Runner {
 public:
  // All references outlive it. Status lines go to `err`.
  Runner(RunnerOptions options, Workload& workload, Driver& driver, std::ostream& err);

  Result<RunResult> Execute();
  // Lets every operation under way finish, then Execute() returns with what there is.
  void Stop() { stop_.Stop(); }

 private:
  struct Thread;

  void Work(Thread& thread);
  void Watch(std::vector<std::unique_ptr<Thread>>& threads, SteadyTime start, RunResult& result);
  void Report(SteadyTime now, SteadyTime start, const std::vector<std::unique_ptr<Thread>>& threads,
              const Samples& interval);
  uint64_t OperationsOf(int thread) const;

  const RunnerOptions options_;
  Workload& workload_;
  Driver& driver_;
  std::ostream& err_;
  StopSignal stop_;

  Mutex mutex_;
  CondVar finished_;
  int running_ EBLA_GUARDED_BY(mutex_) = 0;

  // Of the last status line; only Watch's thread.
  uint64_t reported_operations_ = 0;
  SteadyTime reported_at_;
};

// The whole summary, as YCSB's scripts read it.
void PrintResult(const MeasurementOptions& options, const RunResult& result, std::ostream& out);
// "5 second", "1 minute", "2 hours 10 minutes", "3 days 4 hours": YCSB's way of telling what remains.
std::string RemainingText(uint64_t seconds);

}  // namespace ebla::ycsb
