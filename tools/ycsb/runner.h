// tools/ycsb/runner.h
// Runs a workload in a number of threads, at full speed or at a target rate, and reports: a status line in every
// interval, the summary at the end.
// Place:   main.cc hands it the parsed command line and the real database; tests hand it one in memory.
// Errors:  INVALID_ARGUMENT for wrong settings, and what the driver refuses, before anything runs. Failed operations
//          are no error here: they are counted.
// Lanes:   a thread has as many as its pipeline is deep. One lane does one operation after another, and has its share
//          of the operations and of the rate.
// Threads: Execute() starts and joins its own; Stop() from any thread, also from a signal-waiting one.
#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <stop_token>
#include <string>

#include "common/base/status.h"
#include "tools/load/workers.h"
#include "tools/ycsb/database.h"
#include "tools/ycsb/measurements.h"
#include "tools/ycsb/properties.h"
#include "tools/ycsb/workload.h"

namespace ebla::ycsb {

class HdrLog;

struct RunnerOptions {
  bool load = false;
  int threads = 1;
  int pipeline = 1;             // operations that a thread has under way
  double target_ops_per_s = 0;  // of all threads; 0: no limit
  bool status = false;
  std::chrono::milliseconds status_interval{10'000};
  std::string label;
  std::chrono::seconds execution_time_max{0};  // 0: none
  uint64_t seed = 0;
  MeasurementOptions measurements;

  static Result<RunnerOptions> Parse(const Properties& properties, bool load);
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
  void Stop() { stop_.request_stop(); }

 private:
  class Thread;

  using Threads = std::vector<std::unique_ptr<Thread>>;

  uint64_t operations() const;  // to do in all; 0: until stopped
  int lanes() const { return options_.threads * options_.pipeline; }
  // The share of one of them, of all threads.
  uint64_t OperationsOf(int lane) const;
  load::Pacer PacerOf(int lane, SteadyTime start) const;
  void Watch(load::Workers& workers, const Threads& threads, SteadyTime start, HdrLog* log, RunResult& result);
  void Report(SteadyTime now, SteadyTime start, const Threads& threads, const Samples& interval);

  const RunnerOptions options_;
  Workload& workload_;
  Driver& driver_;
  std::ostream& err_;

  // Number of operations at the last status line; only Watch's thread uses it.
  uint64_t reported_operations_ = 0;
  SteadyTime reported_at_;

  std::stop_source stop_;
};

// The whole summary, as YCSB's scripts read it.
void PrintResult(const MeasurementOptions& options, const RunResult& result, std::ostream& out);
// "5 second", "1 minute", "2 hours 10 minutes", "3 days 4 hours": YCSB's way of telling what remains.
std::string RemainingText(uint64_t seconds);

}  // namespace ebla::ycsb
