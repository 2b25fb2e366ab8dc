// gateway/redis/commands/fan_out.h
// Makes many calls, some at a time. After the first failure it starts no more.
// Threads: any; a call may end on any thread, also within its start.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "common/base/mutex.h"
#include "common/base/status.h"

namespace ebla::gateway::redis {

class FanOut : public std::enable_shared_from_this<FanOut> {
 public:
  static constexpr size_t kAtOnce = 64;

  // Starts a call, which ends by End().
  using StartOne = std::move_only_function<void(size_t one, std::shared_ptr<FanOut> all)>;
  // Gets the first failure, once all started calls have ended; else OK, and the number of calls that counted.
  using Done = std::move_only_function<void(const Status& failure, int64_t counted)>;

  static void Start(size_t count, StartOne start, Done done) {
    if (count == 0) return done({}, 0);
    std::make_shared<FanOut>(count, std::move(start), std::move(done))->Begin();
  }

  FanOut(size_t count, StartOne start, Done done) : count_(count), start_(std::move(start)), done_(std::move(done)) {}

  void End(const Status& status, bool counts = false) {
    bool last = false;
    Status failure;
    int64_t counted = 0;
    {
      MutexLock lock(mutex_);
      if (!status.ok() && failure_.ok()) failure_ = status;
      counted = counted_ += counts ? 1 : 0;
      --running_;
      last = running_ == 0 && (next_ == count_ || !failure_.ok());
      failure = failure_;
    }
    last ? done_(failure, counted) : Begin();
  }

 private:
  // Only one caller starts at a time, because a call may end within its start. The present starter takes the rest.
  void Begin() {
    {
      MutexLock lock(mutex_);
      if (std::exchange(starting_, true)) return;
    }
    while (const std::optional<size_t> one = Take()) start_(*one, shared_from_this());
  }
  std::optional<size_t> Take() {
    MutexLock lock(mutex_);
    if (next_ == count_ || running_ == kAtOnce || !failure_.ok()) {
      starting_ = false;
      return std::nullopt;
    }
    ++running_;
    return next_++;
  }

  const size_t count_;
  StartOne start_;
  Done done_;
  Mutex mutex_;
  size_t next_ EBLA_GUARDED_BY(mutex_) = 0;
  size_t running_ EBLA_GUARDED_BY(mutex_) = 0;
  bool starting_ EBLA_GUARDED_BY(mutex_) = false;
  int64_t counted_ EBLA_GUARDED_BY(mutex_) = 0;
  Status failure_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis
