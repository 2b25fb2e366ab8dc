// tools/load/async_load.h
// Operations with callbacks, and how long each took.
// Closed loop: so many clients, each with one operation under way; one takes from when it was begun.
// Open loop:   clients that come at a set rate, whatever becomes of those before them. An operation's time counts from
//              the moment at which it was due, so that one that waits makes those behind it wait in the figures too.
// Errors:      an operation that fails ends the program: figures of a store that fails are none. So do too many
//              operations under way, or in all: nothing grows without bound.
// Threads:     operations are started on the caller's thread or on one of the load's own, and on those that call back.
//              The rest from one thread. What operations took is told once all are answered: whoever looked through
//              them meanwhile would make others wait.
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

// What the operations of a load waited.
class Waits {
 public:
  struct Operation {
    SteadyTime due, answered;
  };
  explicit Waits(std::vector<Operation> operations);

  const std::vector<Operation>& operations() const { return operations_; }  // in order of when they were due
  // Of the operations that overlap the window.
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
