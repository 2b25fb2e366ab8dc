#include "gateway/redis/scripts/scripts.h"

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

bool Scripts::Kill(std::string_view owner) {
  bool killed = false;
  MutexLock lock(mutex_);
  for (Running* const one : running_) {
    if (one->owner_ != owner) continue;
    one->killed_ = true;
    killed = true;
  }
  return killed;
}

size_t Scripts::running() const {
  MutexLock lock(mutex_);
  return running_.size();
}

Scripts::Running::Running(Scripts& scripts, std::string owner) : scripts_(scripts), owner_(std::move(owner)) {
  MutexLock lock(scripts_.mutex_);
  scripts_.running_.insert(this);
}

Scripts::Running::~Running() {
  MutexLock lock(scripts_.mutex_);
  scripts_.running_.erase(this);
}

}  // namespace ebla::gateway::redis
