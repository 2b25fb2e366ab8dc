#include "gateway/redis/scripts.h"

#include <pthread.h>

#include <optional>
#include <utility>

namespace ebla::gateway::redis {
namespace {

Status StoppingStatus() { return {Code::kUnavailable, "the gateway stops"}; }

}  // namespace

void Scripts::Start(size_t threads) {
  MutexLock lock(mutex_);
  for (size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { RunThread(); });
}

void Scripts::Stop() {
  std::vector<std::thread> threads;
  std::deque<Waiting> waiting;
  {
    MutexLock lock(mutex_);
    stopped_ = true;
    threads.swap(threads_);
    waiting.swap(waiting_);
    waiting_bytes_ = 0;
    changed_.NotifyAll();
  }
  for (Waiting& one : waiting) one.work(StoppingStatus());
  for (std::thread& thread : threads) thread.join();
}

void Scripts::Run(Until until, size_t bytes, Work work) {
  Status refusal;
  {
    MutexLock lock(mutex_);
    if (stopped_) {
      refusal = StoppingStatus();
    } else if (waiting_.size() >= options_.waiting_max ||
               (!waiting_.empty() && waiting_bytes_ + bytes > options_.waiting_bytes_max)) {
      refusal = Status(Code::kOverloaded, "too many scripts wait at this gateway");
    } else if (!threads_.empty()) {
      waiting_.push_back({until, bytes, std::move(work)});
      waiting_bytes_ += bytes;
      changed_.NotifyOne();
      return;
    }
  }
  work(refusal);
}

std::optional<Scripts::Waiting> Scripts::Take() {
  MutexLock lock(mutex_);
  while (waiting_.empty() && !stopped_) changed_.Wait(mutex_);
  if (waiting_.empty()) return std::nullopt;
  Waiting first = std::move(waiting_.front());
  waiting_.pop_front();
  waiting_bytes_ -= first.bytes;
  return first;
}

void Scripts::RunThread() {
  pthread_setname_np(pthread_self(), "redis-script");
  while (std::optional<Waiting> one = Take()) {
    const bool late = std::chrono::steady_clock::now() >= one->until;
    one->work(late ? Status(Code::kDeadlineExceeded, "scripts of others kept this gateway busy until the deadline")
                   : Status());
  }
}

size_t Scripts::waiting() const {
  MutexLock lock(mutex_);
  return waiting_.size();
}

bool Scripts::TakeLogLine() {
  const auto now = std::chrono::steady_clock::now();
  MutexLock lock(mutex_);
  if (now - log_second_ >= std::chrono::seconds(1)) {
    log_second_ = now;
    log_lines_ = 0;
  }
  return ++log_lines_ <= options_.log_lines_max;
}

bool Scripts::Kill() {
  if (running_ == 0) return false;
  ++kills_;
  return true;
}

}  // namespace ebla::gateway::redis
