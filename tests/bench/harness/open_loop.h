// tests/bench/harness/open_loop.h
// Clients that come at a set rate, whatever becomes of those before them: an operation's time counts from the moment at
// which it was due, so that one that waits makes those behind it wait in the figures too.
// Threads: one of its own starts the operations; their callbacks run on the client's threads. The rest from one thread.
// What operations waited is told once all are answered: whoever looked through them meanwhile would make others wait.
#pragma once

#include <chrono>
#include <deque>
#include <memory>
#include <thread>
#include <utility>
#include <vector>

#include "tests/bench/harness/async_load.h"

namespace ebla::bench {

using LoopClock = std::chrono::steady_clock;

// A stretch of time in which the waits of operations are looked at.
struct Window {
  LoopClock::time_point begin, end;
};

// What the operations of a load waited.
class Waits {
 public:
  struct Operation {
    LoopClock::time_point due, answered;
  };
  // In order of when they were due.
  explicit Waits(std::deque<Operation> operations) : operations_(std::move(operations)) {}

  // Of the operations that overlap the window.
  std::vector<std::chrono::microseconds> In(Window window) const;
  // The longest of them; zero of none.
  std::chrono::microseconds Longest(Window window) const;

 private:
  std::deque<Operation> operations_;
};

class OpenLoop {
 public:
  // An operation that fails ends the benchmark. `start` outlives this.
  OpenLoop(double per_second, const StartOperation& start);
  ~OpenLoop();

  // Starts no more, and returns when all that was started is answered.
  Waits End();

 private:
  struct State;
  const std::shared_ptr<State> state_;
  std::jthread pacer_;
};

}  // namespace ebla::bench
