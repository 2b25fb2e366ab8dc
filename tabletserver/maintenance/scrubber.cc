#include "tabletserver/maintenance/scrubber.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/base/mutex.h"

namespace ebla::tabletserver {

class Scrubber::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, TabletStore& store, Options options)
      : executor_(executor), store_(store), options_(std::move(options)), told_from_(executor.Now()) {}

  void Start() {
    if (options_.period > Duration{0}) PassAfter(std::min(options_.first_after, options_.period));
  }
  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
    stopping_.NotifyAll();
  }
  State state() const {
    MutexLock lock(mutex_);
    return {bytes_, passes_, executor_.Now() - told_from_};
  }

 private:
  void PassAfter(Duration rest) {
    executor_.After(rest, [self = shared_from_this()] { self->Pass(); });
  }

  void Pass() {
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
    }
    const MonotonicTime begun = executor_.Now();
    const Status status = store_.Scrub([this](int64_t bytes) { return Rest(bytes); });
    {
      MutexLock lock(mutex_);
      if (stopped_) return;
      if (status.ok()) {
        told_from_ = begun;
        ++passes_;
      }
    }
    LOG_IF(WARNING, !status.ok()) << "the scrub of this server's disk ended: " << status;
    PassAfter(std::max(Duration{0}, options_.period - (executor_.Now() - begun)));
  }

  // Until as much may be read again; false: it is to end.
  bool Rest(int64_t bytes) {
    const double rate = static_cast<double>(std::max<int64_t>(1, options_.bytes_per_second()));
    const auto until =
        std::chrono::steady_clock::now() +
        std::chrono::duration_cast<Duration>(std::chrono::duration<double>(static_cast<double>(bytes) / rate));
    MutexLock lock(mutex_);
    bytes_ += bytes;
    while (!stopped_ && std::chrono::steady_clock::now() < until) stopping_.WaitUntil(mutex_, until);
    return !stopped_;
  }

  Executor& executor_;
  TabletStore& store_;
  const Options options_;
  mutable Mutex mutex_;
  CondVar stopping_;
  bool stopped_ EBLA_GUARDED_BY(mutex_) = false;
  int64_t bytes_ EBLA_GUARDED_BY(mutex_) = 0;
  uint64_t passes_ EBLA_GUARDED_BY(mutex_) = 0;
  MonotonicTime told_from_ EBLA_GUARDED_BY(mutex_);
};

Scrubber::Scrubber(Executor* executor, TabletStore& store, Options options)
    : impl_(executor == nullptr ? nullptr : std::make_shared<Impl>(*executor, store, std::move(options))) {}

Scrubber::~Scrubber() { Stop(); }

void Scrubber::Start() {
  if (impl_ != nullptr) impl_->Start();
}

void Scrubber::Stop() {
  if (impl_ != nullptr) impl_->Stop();
}

Scrubber::State Scrubber::state() const { return impl_ == nullptr ? State{} : impl_->state(); }

}  // namespace ebla::tabletserver
