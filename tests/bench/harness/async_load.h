// tests/bench/harness/async_load.h
// Through the client library: a number of clients in one process, each with one operation in flight, and how long each
// operation took. An operation that fails ends the benchmark: figures of a store that fails are none.
// Threads: Run() blocks the calling thread; operations are started on it and on the client's own threads.
#pragma once

#include <functional>
#include <string>

#include "common/base/executor.h"
#include "ebla/ebla.h"

namespace ebla::bench {

struct Timings {
  double per_second = 0;
  double p50_us = 0, p99_us = 0, p999_us = 0;
};

// Starts operation `number` and calls `done` when it has been answered.
using StartOperation = std::function<void(int64_t number, std::move_only_function<void(Status)> done)>;

// For `duration`, after a tenth of it to warm up.
Timings MeasureOperations(int clients, Duration duration, const StartOperation& start);

}  // namespace ebla::bench
