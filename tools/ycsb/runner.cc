#include "tools/ycsb/runner.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <thread>

#include "common/base/count.h"
#include "common/base/mutex.h"

namespace ebla::ycsb {
namespace {

using std::chrono::duration_cast;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// The local time of day as YCSB writes it: 2026-11-20 07:07:39:348.
std::string TimeOfDay() {
  const auto now = std::chrono::system_clock::now();
  const std::time_t seconds = std::chrono::system_clock::to_time_t(now);
  const auto millis = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
  std::tm local{};
  localtime_r(&seconds, &local);
  char date[32], text[48];
  std::strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &local);
  std::snprintf(text, sizeof(text), "%s:%03d", date, static_cast<int>(millis));
  return text;
}

// At most two decimals, none where there are none.
std::string Short(double number) {
  char text[48];
  std::snprintf(text, sizeof(text), "%.2f", number);
  std::string plain(text);
  plain.erase(plain.find_last_not_of('0') + 1);
  if (plain.back() == '.') plain.pop_back();
  return plain;
}

}  // namespace

struct Runner::Thread {
  explicit Thread(MeasuredFrom from) : recorder(from) {}

  Recorder recorder;
  std::unique_ptr<Database> database;
  int index = 0;
  uint64_t operations = 0;  // to do; 0: until stopped
  SteadyTime start;
  std::atomic<uint64_t> succeeded{0};
  std::atomic<uint64_t> failed{0};
  Status last_failure;  // read once the thread has ended
  std::thread thread;
};

Result<RunnerOptions> RunnerOptions::Parse(const Properties& properties, bool load) {
  RunnerOptions options;
  options.load = load;
  EBLA_ASSIGN(const int64_t threads, properties.Integer("threadcount", 1, 1, 10'000));
  options.threads = static_cast<int>(threads);
  EBLA_ASSIGN(options.target_ops_per_s, properties.Number("target", 0, 0, 1e9));
  EBLA_ASSIGN(options.status, properties.Boolean("status", false));
  EBLA_ASSIGN(const double interval, properties.Number("status.interval", 10, 0.1, 86'400));
  options.status_interval = milliseconds(static_cast<int64_t>(interval * 1000));
  options.label = properties.Text("label", "");
  EBLA_ASSIGN(const int64_t seconds, properties.Integer("maxexecutiontime", 0, 0, 1'000'000'000));
  options.execution_time_max = std::chrono::seconds(seconds);
  EBLA_ASSIGN(const int64_t seed, properties.Integer("ebla.seed", 0, 0, INT64_MAX));
  options.seed = static_cast<uint64_t>(seed);
  EBLA_ASSIGN(options.measurements, MeasurementOptions::Parse(properties));
  return options;
}

void StopSignal::Stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  changed_.NotifyAll();
}

bool StopSignal::WaitUntil(SteadyTime time) {
  MutexLock lock(mutex_);
  while (!Stopped()) {
    if (!changed_.WaitUntil(mutex_, time)) return !Stopped();
  }
  return false;
}

Runner::Runner(RunnerOptions options, Workload& workload, Driver& driver, std::ostream& err)
    : options_(std::move(options)), workload_(workload), driver_(driver), err_(err) {}

uint64_t Runner::OperationsOf(int thread) const {
  const uint64_t all = options_.load ? workload_.options().insert_count : workload_.options().operation_count;
  const auto threads = static_cast<uint64_t>(options_.threads);
  return all / threads + (static_cast<uint64_t>(thread) < all % threads ? 1 : 0);
}

Result<RunResult> Runner::Execute() {
  EBLA_TRY(driver_.Prepare(options_.load));
  std::vector<std::unique_ptr<Thread>> threads;
  for (int i = 0; i < options_.threads; ++i) {
    auto thread = std::make_unique<Thread>(options_.measurements.from);
    thread->index = i;
    thread->operations = OperationsOf(i);
    if (thread->operations == 0 && workload_.options().operation_count + (options_.load ? 1 : 0) > 0)
      break;  // fewer operations than threads
    EBLA_ASSIGN(thread->database, driver_.Open());
    threads.push_back(std::move(thread));
  }
  RunResult result;
  const SteadyTime start = std::chrono::steady_clock::now();
  {
    MutexLock lock(mutex_);
    running_ = static_cast<int>(threads.size());
  }
  for (auto& thread : threads) {
    thread->start = start;
    thread->thread = std::thread([this, &thread] { Work(*thread); });
  }
  Watch(threads, start, result);
  for (auto& thread : threads) thread->thread.join();
  result.runtime = duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  Samples rest;
  for (auto& thread : threads) {
    rest.Add(*thread->recorder.Take());
    result.succeeded += thread->succeeded;
    result.failed += thread->failed;
    if (!thread->last_failure.ok()) result.last_failure = thread->last_failure;
  }
  if (options_.status) Report(std::chrono::steady_clock::now(), start, threads, rest);
  result.samples.Add(rest);
  return result;
}

void Runner::Work(Thread& thread) {
  const uint64_t seed = options_.seed * 1'000'003 + static_cast<uint64_t>(thread.index);
  const auto pause = [this](nanoseconds time) { return stop_.WaitUntil(std::chrono::steady_clock::now() + time); };
  Worker worker(workload_, *thread.database, thread.recorder, seed, pause);
  const double spacing = options_.target_ops_per_s <= 0 ? 0 : 1e9 * options_.threads / options_.target_ops_per_s;
  const Pacer pacer(thread.start, nanoseconds(static_cast<int64_t>(spacing)),
                    nanoseconds(static_cast<int64_t>(spacing * thread.index / options_.threads)));
  for (uint64_t done = 0; thread.operations == 0 || done < thread.operations; ++done) {
    const SteadyTime intended = pacer.Intended(done);
    if (pacer.paced() ? !stop_.WaitUntil(intended) : stop_.Stopped()) break;
    const bool ok = options_.load ? worker.Load(intended) : worker.Run(intended);
    (ok ? thread.succeeded : thread.failed).fetch_add(1, std::memory_order_relaxed);
    if (!ok && options_.load) break;  // as YCSB: a load with a hole in it is no load
  }
  thread.last_failure = worker.last_failure();
  const SteadyTime start = std::chrono::steady_clock::now();
  thread.database.reset();
  thread.recorder.Record(Metric::kCleanup, {start, start, std::chrono::steady_clock::now()}, true, {});
  MutexLock lock(mutex_);
  if (--running_ == 0) finished_.NotifyAll();
}

void Runner::Watch(std::vector<std::unique_ptr<Thread>>& threads, SteadyTime start, RunResult& result) {
  const bool limited = options_.execution_time_max.count() > 0;
  const SteadyTime deadline = limited ? start + options_.execution_time_max : SteadyTime::max();
  SteadyTime next_report = options_.status ? start + options_.status_interval : SteadyTime::max();
  reported_at_ = start;
  MutexLock lock(mutex_);
  bool stopped = false;
  while (running_ > 0) {
    const SteadyTime wake = std::min(stopped ? SteadyTime::max() : deadline, next_report);
    // wait_until with the greatest time there is would overflow inside.
    if (wake == SteadyTime::max())
      finished_.Wait(mutex_);
    else
      finished_.WaitUntil(mutex_, wake);
    mutex_.Unlock();
    const SteadyTime now = std::chrono::steady_clock::now();
    if (!stopped && now >= deadline) {
      stopped = true;
      err_ << "maxexecutiontime is over: ending the run\n" << std::flush;
      stop_.Stop();
    }
    if (now >= next_report) {
      Samples interval;
      for (auto& thread : threads) interval.Add(*thread->recorder.Take());
      Report(now, start, threads, interval);
      result.samples.Add(interval);
      next_report += options_.status_interval;
    }
    mutex_.Lock();
  }
}

void Runner::Report(SteadyTime now, SteadyTime start, const std::vector<std::unique_ptr<Thread>>& threads,
                    const Samples& interval) {
  uint64_t operations = 0, to_do = 0;
  for (const auto& thread : threads) {
    operations += thread->succeeded + thread->failed;
    to_do += thread->operations;
  }
  const double seconds = std::max(1e-3, std::chrono::duration<double>(now - start).count());
  const double since = std::max(1e-3, std::chrono::duration<double>(now - reported_at_).count());
  std::string line = TimeOfDay() + " ";
  if (!options_.label.empty()) line += options_.label + " ";
  line += std::to_string(static_cast<uint64_t>(seconds)) + " sec: " + std::to_string(operations) + " operations; ";
  if (operations > 0)
    line += Short(static_cast<double>(operations - reported_operations_) / since) + " current ops/sec; ";
  if (to_do > 0 && operations > 0) {
    const double rate = static_cast<double>(operations) / seconds;
    const double left = static_cast<double>(to_do - std::min(to_do, operations)) / rate;
    line += "est completion in " + RemainingText(static_cast<uint64_t>(std::ceil(left))) + " ";
  }
  err_ << line << IntervalText(interval) << "\n" << std::flush;
  reported_operations_ = operations;
  reported_at_ = now;
}

void PrintResult(const MeasurementOptions& options, const RunResult& result, std::ostream& out) {
  const double seconds = std::max<double>(1, static_cast<double>(result.runtime.count())) / 1000;
  char throughput[64];
  std::snprintf(throughput, sizeof(throughput), "%.1f", static_cast<double>(result.succeeded) / seconds);
  out << "[OVERALL], RunTime(ms), " << result.runtime.count() << "\n"
      << "[OVERALL], Throughput(ops/sec), " << throughput << "\n";
  PrintSummary(options, result.samples, out);
  out << std::flush;
}

std::string RemainingText(uint64_t seconds) {
  const uint64_t days = seconds / 86'400, hours = seconds / 3'600 % 24, minutes = seconds / 60 % 60;
  if (seconds < 60) return std::to_string(seconds) + (seconds < 10 ? " second" : " seconds");  // YCSB's plural
  std::string text;
  const auto append = [&text](uint64_t count, const char* unit) {
    if (count > 0) text += (text.empty() ? "" : " ") + Count(count, unit);
  };
  append(days, "day");
  append(hours, "hour");
  if (days == 0) append(minutes, "minute");
  return text;
}

}  // namespace ebla::ycsb
