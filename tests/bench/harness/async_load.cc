#include "tests/bench/harness/async_load.h"

#include <glog/logging.h>

#include <atomic>
#include <latch>
#include <memory>
#include <mutex>

#include "tools/ycsb/histogram.h"

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

// Shared with the operations under way, as the last of them still leaves it when the caller goes on.
struct Run : std::enable_shared_from_this<Run> {
  Run(int clients, const StartOperation& start) : start(start), open(clients) {}

  void Next() {
    const auto begun = Clock::now();
    if (begun >= end) return open.count_down();
    start(++number, [self = shared_from_this(), begun](Status status) {
      CHECK(status.ok()) << status;
      self->Took(begun, Clock::now());
      self->Next();
    });
  }
  void Took(Clock::time_point begun, Clock::time_point now) {
    if (begun < counted_from) return;
    const std::lock_guard lock(mutex);
    micros.Record(static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(now - begun).count()));
  }

  const StartOperation& start;
  std::atomic<int64_t> number{0};
  Clock::time_point counted_from, end;
  std::latch open;
  std::mutex mutex;  // guards what follows
  ycsb::Histogram micros;
};

}  // namespace

Timings MeasureOperations(int clients, Duration duration, const StartOperation& start) {
  const auto run = std::make_shared<Run>(clients, start);
  run->counted_from = Clock::now() + duration / 10;
  run->end = run->counted_from + duration;
  for (int i = 0; i < clients; ++i) run->Next();
  run->open.wait();
  const double seconds = std::chrono::duration<double>(Clock::now() - run->counted_from).count();
  const std::lock_guard lock(run->mutex);
  return {.per_second = static_cast<double>(run->micros.Count()) / seconds,
          .p50_us = static_cast<double>(run->micros.Percentile(50)),
          .p99_us = static_cast<double>(run->micros.Percentile(99)),
          .p999_us = static_cast<double>(run->micros.Percentile(99.9))};
}

}  // namespace ebla::bench
