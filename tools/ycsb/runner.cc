#include "tools/ycsb/runner.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <optional>
#include <utility>

#include "common/base/count.h"
#include "tools/ycsb/hdr_log.h"

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
class Runner::Thread {
 public:
  static Result<std::unique_ptr<Thread>> Make(const Runner& runner, int index) {
    auto thread = std::make_unique<Thread>(runner, index);
    EBLA_ASSIGN(thread->database_, runner.driver_.Open(thread->loop_));
    return thread;
  }
  Thread(const Runner& runner, int index)
      : runner_(runner), index_(index), loop_(runner.stop_.get_token()), recorder_(runner.options_.measurements) {}

  // Returns when all its lanes have ended.
  void Run(SteadyTime start) {
    ycsb::Worker worker(runner_.workload_, *database_, recorder_, loop_,
                        runner_.options_.seed * 1'000'003 + static_cast<uint64_t>(index_));
    std::vector<load::Task<>> lanes;
    for (int i = 0; i < runner_.options_.pipeline; ++i)
      lanes.push_back(RunLane(worker, i * runner_.options_.threads + index_, start));
    loop_.Run(std::move(lanes));
    last_failure_ = worker.last_failure();
    const SteadyTime ended = std::chrono::steady_clock::now();
    database_.reset();
    recorder_.Record(Metric::kCleanup, {ended, ended, std::chrono::steady_clock::now()}, true, {});
  }

  uint64_t succeeded() const { return succeeded_; }
  uint64_t failed() const { return failed_; }
  std::unique_ptr<Samples> Take() { return recorder_.Take(); }
  const Status& last_failure() const { return last_failure_; }  // once it has ended

 private:
  load::Task<> RunLane(ycsb::Worker& worker, int lane, SteadyTime start) {
    const bool load = runner_.options_.load;
    const bool endless = runner_.operations() == 0;
    const uint64_t count = runner_.OperationsOf(lane);
    const load::Pacer pacer = runner_.PacerOf(lane, start);
    for (uint64_t number = 0; endless || number < count; ++number) {
      const SteadyTime due = pacer.Intended(number);
      if (pacer.paced()) co_await loop_.SleepUntil(due);
      if (loop_.stopped()) break;
      load::Task<bool> operation = load ? worker.Load(due) : worker.Run(due);
      const bool ok = co_await operation;
      (ok ? succeeded_ : failed_).fetch_add(1, std::memory_order_relaxed);
      if (load && !ok) break;  // as YCSB: a load with a hole in it is no load
    }
  }

  const Runner& runner_;
  const int index_;
  load::TaskLoop loop_;
  Recorder recorder_;
  std::unique_ptr<Database> database_;
  std::atomic<uint64_t> succeeded_{0};
  std::atomic<uint64_t> failed_{0};
  Status last_failure_;
};

Result<RunnerOptions> RunnerOptions::Parse(const Properties& properties, bool load) {
  RunnerOptions options;
  options.load = load;
  EBLA_ASSIGN(const int64_t threads, properties.Integer("threadcount", 1, 1, 10'000));
  options.threads = static_cast<int>(threads);
  EBLA_ASSIGN(const int64_t pipeline, properties.Integer("ebla.pipeline", 1, 1, 10'000));
  options.pipeline = static_cast<int>(pipeline);
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

uint64_t Runner::operations() const {
  return options_.load ? workload_.options().insert_count : workload_.options().operation_count;
}

uint64_t Runner::OperationsOf(int lane) const {
  const auto all = static_cast<uint64_t>(lanes());
  return operations() / all + (static_cast<uint64_t>(lane) < operations() % all ? 1 : 0);
}

load::Pacer Runner::PacerOf(int lane, SteadyTime start) const {
  const double spacing = options_.target_ops_per_s <= 0 ? 0 : 1e9 * lanes() / options_.target_ops_per_s;
  return {start, nanoseconds(static_cast<int64_t>(spacing)),
          nanoseconds(static_cast<int64_t>(spacing * lane / lanes()))};
}

Result<RunResult> Runner::Execute() {
  EBLA_TRY(driver_.Prepare(options_.load));
  Threads threads;
  for (int i = 0; i < options_.threads; ++i) {
    if (operations() > 0 && OperationsOf(i) == 0) break;  // fewer operations than threads
    EBLA_ASSIGN(threads.emplace_back(), Thread::Make(*this, i));
  }
  RunResult result;
  const SteadyTime start = std::chrono::steady_clock::now();
  load::Workers workers;
  for (const auto& thread : threads) {
    workers.Add([&thread = *thread, start] {
      thread.Run(start);
      return false;
    });
  }
  std::optional<HdrLog> log;
  if (options_.measurements.hdr_files) log.emplace(options_.measurements.hdr_prefix, start);
  Watch(workers, threads, start, log ? &*log : nullptr, result);
  workers.Join();
  result.runtime = duration_cast<milliseconds>(std::chrono::steady_clock::now() - start);
  Samples rest;
  for (const auto& thread : threads) {
    rest.Add(*thread->Take());
    result.succeeded += thread->succeeded();
    result.failed += thread->failed();
    if (!thread->last_failure().ok()) result.last_failure = thread->last_failure();
  }
  if (options_.status) Report(std::chrono::steady_clock::now(), start, threads, rest);
  result.samples.Add(rest);
  if (log) EBLA_TRY(log->Write(rest, std::chrono::steady_clock::now()));
  return result;
}

void Runner::Watch(load::Workers& workers, const Threads& threads, SteadyTime start, HdrLog* log, RunResult& result) {
  const bool limited = options_.execution_time_max.count() > 0;
  SteadyTime deadline = limited ? start + options_.execution_time_max : SteadyTime::max();
  SteadyTime next_report = options_.status ? start + options_.status_interval : SteadyTime::max();
  reported_at_ = start;
  while (!workers.WaitUntilDone(std::min(deadline, next_report))) {
    const SteadyTime now = std::chrono::steady_clock::now();
    if (now >= deadline) {
      deadline = SteadyTime::max();
      err_ << "maxexecutiontime is over: ending the run\n" << std::flush;
      Stop();
    }
    if (now < next_report) continue;
    Samples interval;
    for (const auto& thread : threads) interval.Add(*thread->Take());
    Report(now, start, threads, interval);
    result.samples.Add(interval);
    if (log != nullptr) (void)log->Write(interval, now);  // a failure repeats at the last interval, which returns it
    next_report += options_.status_interval;
  }
}

void Runner::Report(SteadyTime now, SteadyTime start, const Threads& threads, const Samples& interval) {
  const uint64_t to_do = this->operations();
  uint64_t operations = 0;
  for (const auto& thread : threads) operations += thread->succeeded() + thread->failed();
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
  Exporter exporter(options.exporter, out);
  exporter.Write("OVERALL", "RunTime(ms)", std::to_string(result.runtime.count()));
  exporter.Write("OVERALL", "Throughput(ops/sec)", throughput);
  PrintSummary(options, result.samples, exporter);
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
