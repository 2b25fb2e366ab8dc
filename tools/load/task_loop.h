// tools/load/task_loop.h
// Runs coroutines on one thread: many operations under way, each written as straight code.
//   const Result<Record> record = co_await loop.Call<Result<Record>>(
//       [&](auto done) { table.AsyncGet(key, options, std::move(done)); });
// Threads: Run() and the coroutines are one thread's; the callbacks they wait for, and the stop, come from any.
#pragma once

#include <chrono>
#include <coroutine>
#include <functional>
#include <optional>
#include <queue>
#include <stop_token>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "tools/load/pacer.h"
#include "tools/load/task.h"

namespace ebla::load {

class TaskLoop {
 public:
  // The stop ends every sleep. Calls under way are still waited for.
  explicit TaskLoop(std::stop_token stop);

  // Returns when all of them are done.
  void Run(std::vector<Task<>> tasks);
  // Returns the task's result.
  template <class T>
  T Run(Task<T> task) {
    task.Start();
    while (!task.done()) Turn();
    return task.Take();
  }

  bool stopped() const { return stop_.stop_requested(); }

  // co_await: true when that time has come, false when stopped before.
  auto SleepUntil(SteadyTime time) { return Sleep{*this, time}; }
  auto SleepFor(std::chrono::nanoseconds time) { return SleepUntil(std::chrono::steady_clock::now() + time); }

  // co_await: calls `start` with a callback, and returns the callback's argument. The callback is called exactly once,
  // at any time and by any thread.
  template <class T, class Start>
  auto Call(Start start) {
    return Calling<T, Start>(*this, std::move(start));
  }

 private:
  struct Sleep {
    bool await_ready() const { return loop.stopped() || time <= std::chrono::steady_clock::now(); }
    void await_suspend(std::coroutine_handle<> sleeper) const { loop.sleepers_.push({time, sleeper}); }
    bool await_resume() const { return !loop.stopped(); }

    TaskLoop& loop;
    SteadyTime time;
  };

  template <class T, class Start>
  class Calling {
   public:
    Calling(TaskLoop& loop, Start start) : loop_(loop), start_(std::move(start)) {}
    bool await_ready() const { return false; }
    void await_suspend(std::coroutine_handle<> caller) {
      start_([this, caller](T result) {
        result_.emplace(std::move(result));
        loop_.Post(caller);  // from here on, this may be gone
      });
    }
    T await_resume() { return *std::move(result_); }

   private:
    TaskLoop& loop_;
    Start start_;
    std::optional<T> result_;
  };

  struct Sleeper {
    SteadyTime until;
    std::coroutine_handle<> coroutine;
    friend bool operator<(const Sleeper& a, const Sleeper& b) { return a.until > b.until; }  // the earliest on top
  };

  void Post(std::coroutine_handle<> coroutine);
  // Waits for what is next to go on, and lets it.
  void Turn();
  void AwaitReady();
  bool SleepIsOver() const;

  const std::stop_token stop_;
  std::priority_queue<Sleeper> sleepers_;
  std::vector<std::coroutine_handle<>> resumed_;  // Turn's; kept for its memory

  Mutex mutex_;
  CondVar changed_;
  bool waiting_ EBLA_GUARDED_BY(mutex_) = false;
  std::vector<std::coroutine_handle<>> ready_ EBLA_GUARDED_BY(mutex_);

  const std::stop_callback<std::function<void()>> on_stop_;  // last, because it uses the other members
};

}  // namespace ebla::load
