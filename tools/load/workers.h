// tools/load/workers.h
// Threads that do one operation after another, each as soon as the one before is answered.
// Invariants: 1. While workers are held, no operation is under way.
//             2. Failures are bounded: the first hundred are remembered.
// Threads:    Add(), Join() and the destructor from one; everything else from any, Hold() from one at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "tools/load/pacer.h"

namespace ebla::load {

// The work of one thread. The caller of Add constructs it; all members are called by its own thread.
class Worker {
 public:
  virtual ~Worker() = default;
  // One operation. False: the worker is done.
  virtual bool Work() = 0;
  // How long it rests before the next one.
  virtual std::chrono::nanoseconds Rest() { return {}; }
  // After its last operation.
  virtual void End() {}
};

struct WorkerOptions {
  bool timed = true;  // its operations count for TakeLongestWait()
};

class Workers {
 public:
  Workers() = default;
  ~Workers();  // stops them and waits
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;

  // Starts its thread at once: in the caller's network namespace, where that matters. The worker lives as long as this.
  void Add(std::unique_ptr<Worker> worker, WorkerOptions options = {});
  // Adds a worker that repeats `work`.
  void Add(std::move_only_function<bool()> work, WorkerOptions options = {});

  // Operations under way end; none is begun any more.
  void Stop();
  bool stopped() const { return stop_.Stopped(); }
  StopSignal& stop() { return stop_; }
  // Waits until every worker is done; false: not by then.
  bool WaitUntilDone(SteadyTime until = SteadyTime::max());
  // Waits until every worker is done, and ends their threads.
  void Join();

  // Waits until no operation is under way; none is begun before Resume().
  void Hold();
  void Resume();

  int64_t operations() const { return operations_.load(std::memory_order_relaxed); }  // that ended
  // The longest that an operation took, of those that ended since the last call.
  std::chrono::milliseconds TakeLongestWait() { return std::chrono::milliseconds(longest_wait_ms_.exchange(0)); }

  void Failed(std::string what);
  std::vector<std::string> failures() const;
  std::vector<std::string> TakeFailures();

 private:
  void Run(Worker& worker, const WorkerOptions& options);
  bool Enter();  // false: stopped
  void Leave(std::chrono::steady_clock::duration took, bool timed);

  StopSignal stop_;
  std::atomic<int64_t> operations_{0};
  std::atomic<int64_t> longest_wait_ms_{0};
  mutable Mutex mutex_;
  CondVar changed_;
  bool held_ EBLA_GUARDED_BY(mutex_) = false;
  bool stopping_ EBLA_GUARDED_BY(mutex_) = false;
  int under_way_ EBLA_GUARDED_BY(mutex_) = 0;
  int running_ EBLA_GUARDED_BY(mutex_) = 0;
  std::vector<std::string> failures_ EBLA_GUARDED_BY(mutex_);
  // Its owner's.
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::thread> threads_;
};

// Waits until `count` has grown by `more`. UNAVAILABLE when that takes over a minute.
Status AwaitProgress(const std::function<int64_t()>& count, int64_t more);

}  // namespace ebla::load
