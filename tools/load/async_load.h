// tools/load/async_load.h
// Operations with callbacks, and how long each took.
// Closed loop: a fixed number of clients, each with one operation under way, measured from its begin.
// Open loop:   clients that arrive at a fixed rate, even if earlier operations are slow. An operation's time counts
//              from the moment at which it was due, so that a slow operation also delays those behind it in the
//              figures.
// Errors:      a failed operation ends the program, because its figures would be worthless. So do too many operations
//              under way, or in all, so that memory stays bounded.
// Threads:     operations are started on the caller's thread or on one of the load's own, and on those that call back.
//              The rest from one thread. Durations are available once all operations are answered, because reading them
//              earlier would delay the operations.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "common/base/status.h"
#include "tools/load/pacer.h"

namespace ebla::load {

// Starts operation `number` and calls `done` when it has been answered.
using StartOperation = std::function<void(int64_t number, std::move_only_function<void(Status)> done)>;

// A stretch of time in which the waits of operations are looked at.
struct Window {
  SteadyTime begin, end;
};

// The durations of a load's operations.
class Waits {
 public:
  struct Operation {
    SteadyTime due, answered;
  };
  explicit Waits(std::vector<Operation> operations);

  const std::vector<Operation>& operations() const { return operations_; }  // in order of when they were due
  // The durations of operations that overlap the window.
  std::vector<std::chrono::microseconds> In(Window window) const;
  // The longest of them; zero of none.
  std::chrono::microseconds Longest(Window window) const;

 private:
  std::vector<Operation> operations_;
};

class AsyncLoad {
 public:
  struct Shape {
    int clients = 0;        // closed loop
    double per_second = 0;  // or open loop
  };
  // `start` outlives this.
  AsyncLoad(Shape shape, const StartOperation& start);
  ~AsyncLoad();

  // Starts no more, and returns when all that was started is answered.
  Waits End();

 private:
  struct State;
  const std::shared_ptr<State> state_;
  std::jthread pacer_;  // of an open loop
};

struct Timings {
  double per_second = 0;
  double p50_us = 0, p99_us = 0, p999_us = 0;
};

// A closed loop for `duration`, after a tenth of it to warm up.
Timings MeasureOperations(int clients, std::chrono::nanoseconds duration, const StartOperation& start);

}  // namespace ebla::load
