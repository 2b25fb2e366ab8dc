#include "tools/ycsb/runner.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <utility>

#include "common/base/count.h"

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

// One thread, with a database and measurements of its own.
class Runner::Thread : public load::Worker {
 public:
  Thread(Runner& runner, int index, std::unique_ptr<Database> database)
      : load_(runner.options_.load),
        recorder_(runner.options_.measurements.from),
        database_(std::move(database)),
        worker_(runner.workload_, *database_, recorder_,
                runner.options_.seed * 1'000'003 + static_cast<uint64_t>(index),
                [&stop = runner.workers_.stop()](nanoseconds time) { return stop.WaitFor(time); }) {}

  bool Work(SteadyTime due) override {
    const bool ok = load_ ? worker_.Load(due) : worker_.Run(due);
    (ok ? succeeded_ : failed_).fetch_add(1, std::memory_order_relaxed);
    return ok || !load_;  // as YCSB: a load with a hole in it is no load
  }
  void End() override {
    const SteadyTime start = std::chrono::steady_clock::now();
    database_.reset();
    recorder_.Record(Metric::kCleanup, {start, start, std::chrono::steady_clock::now()}, true, {});
  }

  uint64_t succeeded() const { return succeeded_; }
  uint64_t failed() const { return failed_; }
  std::unique_ptr<Samples> Take() { return recorder_.Take(); }
  const Status& last_failure() const { return worker_.last_failure(); }  // once it has ended

 private:
  const bool load_;
  Recorder recorder_;
  std::unique_ptr<Database> database_;
  ycsb::Worker worker_;
  std::atomic<uint64_t> succeeded_{0};
  std::atomic<uint64_t> failed_{0};
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

Runner::Runner(RunnerOptions options, Workload& workload, Driver& driver, std::ostream& err)
    : options_(std::move(options)), workload_(workload), driver_(driver), err_(err) {}

// Its share of the operations, and of the rate.
load::WorkerLimits Runner::LimitsOf(int thread, SteadyTime start) const {
  const uint64_t all = options_.load ? workload_.options().insert_count : workload_.options().operation_count;
  const auto threads = static_cast<uint64_t>(options_.threads);
  const double spacing = options_.target_ops_per_s <= 0 ? 0 : 1e9 * options_.threads / options_.target_ops_per_s;
  return {.operations = all / threads + (static_cast<uint64_t>(thread) < all % threads ? 1 : 0),
          .pacer = {start, nanoseconds(static_cast<int64_t>(spacing)),
                    nanoseconds(static_cast<int64_t>(spacing * thread / options_.threads))}};
}

Result<RunResult> Runner::Execute() {
  EBLA_TRY(driver_.Prepare(options_.load));
  std::vector<std::unique_ptr<Thread>> made;
  for (int i = 0; i < options_.threads; ++i) {
    if (LimitsOf(i, {}).operations == 0 && workload_.options().operation_count + (options_.load ? 1 : 0) > 0)
      break;  // fewer operations than threads
    EBLA_ASSIGN(auto database, driver_.Open());
    made.push_back(std::make_unique<Thread>(*this, i, std::move(database)));
  }
  RunResult result;
  std::vector<Thread*> threads;
  const SteadyTime start = std::chrono::steady_clock::now();
  for (auto& thread : made) {
    threads.push_back(thread.get());
    workers_.Add(std::move(thread), LimitsOf(static_cast<int>(threads.size()) - 1, start));
  }
  Watch(threads, start, result);
  workers_.Join();
  result.runtime = duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  Samples rest;
  for (Thread* thread : threads) {
    rest.Add(*thread->Take());
    result.succeeded += thread->succeeded();
    result.failed += thread->failed();
    if (!thread->last_failure().ok()) result.last_failure = thread->last_failure();
  }
  if (options_.status) Report(std::chrono::steady_clock::now(), start, threads, rest);
  result.samples.Add(rest);
  return result;
}

void Runner::Watch(const std::vector<Thread*>& threads, SteadyTime start, RunResult& result) {
  const bool limited = options_.execution_time_max.count() > 0;
  SteadyTime deadline = limited ? start + options_.execution_time_max : SteadyTime::max();
  SteadyTime next_report = options_.status ? start + options_.status_interval : SteadyTime::max();
  reported_at_ = start;
  while (!workers_.WaitUntilDone(std::min(deadline, next_report))) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      deadline = SteadyTime::max();
      err_ << "maxexecutiontime is over: ending the run\n" << std::flush;
      workers_.Stop();
    }
    if (now < next_report) continue;
    Samples interval;
    for (Thread* thread : threads) interval.Add(*thread->Take());
    Report(now, start, threads, interval);
    result.samples.Add(interval);
    next_report += options_.status_interval;
  }
}

void Runner::Report(SteadyTime now, SteadyTime start, const std::vector<Thread*>& threads, const Samples& interval) {
  uint64_t operations = 0, to_do = 0;
  for (size_t i = 0; i < threads.size(); ++i) {
    operations += threads[i]->succeeded() + threads[i]->failed();
    to_do += LimitsOf(static_cast<int>(i), start).operations;
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
