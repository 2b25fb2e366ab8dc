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
    MutexLock lock(mutex_);
    if (options_.period > Duration{0}) PassAfter(std::min(options_.first_after, options_.period));
  }
  void Stop() {
    MutexLock lock(mutex_);
    stopped_ = true;
    stopping_.NotifyAll();
  }
  State state() const {
    MutexLock lock(mutex_);
    return {bytes_, passes_, running_, executor_.Now() - told_from_};
  }
  Status Begin() {
    MutexLock lock(mutex_);
    if (stopped_) return Error(Code::kConditionFailed, "the server is stopping");
    if (running_) return Error(Code::kConditionFailed, "a pass is under way already");
    running_ = true;
    PassAfter(Duration{0});
    return {};
  }

 private:
  // A pass of a turn that is over does nothing: another was begun meanwhile.
  void PassAfter(Duration rest) EBLA_REQUIRES(mutex_) {
    const uint64_t turn = ++turn_;
    executor_.After(rest, [self = shared_from_this(), turn] { self->RunPass(turn); });
  }

  void RunPass(uint64_t turn) {
    {
      MutexLock lock(mutex_);
      if (stopped_ || turn != turn_) return;
      running_ = true;
    }
    const MonotonicTime begun = executor_.Now();
    const TabletStore::ScrubPace pace = [this](int64_t bytes) { return Rest(bytes); };
    const Status scrubbed = store_.Scrub(pace);
    LOG_IF(WARNING, !scrubbed.ok()) << "the scrub of this server's disk ended: " << scrubbed;
    const Status beside = Stopped() ? Status() : options_.beside_store(pace);
    LOG_IF(WARNING, !beside.ok()) << "the scrub of what lies beside this server's store ended: " << beside;
    const Status compared = Stopped() ? Status() : options_.compare(pace);
    LOG_IF(WARNING, !compared.ok()) << "the comparison of this server's replicas ended: " << compared;
    MutexLock lock(mutex_);
    running_ = false;
    if (stopped_) return;
    if (scrubbed.ok() && beside.ok() && compared.ok()) {
      told_from_ = begun;
      ++passes_;
    }
    if (options_.period > Duration{0}) PassAfter(std::max(Duration{0}, options_.period - (executor_.Now() - begun)));
  }

  bool Stopped() const {
    MutexLock lock(mutex_);
    return stopped_;
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
  bool running_ EBLA_GUARDED_BY(mutex_) = false;  // a pass, or one that is about to begin
  uint64_t turn_ EBLA_GUARDED_BY(mutex_) = 0;     // of the next pass, or the running one
  MonotonicTime told_from_ EBLA_GUARDED_BY(mutex_);
};

Scrubber::Scrubber(Executor* executor, TabletStore& store, Options options)
    : impl_(executor == nullptr ? nullptr : std::make_shared<Impl>(*executor, store, std::move(options))) {}

Scrubber::~Scrubber() { Stop(); }

void Scrubber::Start() {
  if (impl_ != nullptr) impl_->Start();
}

Status Scrubber::Begin() {
  if (impl_ == nullptr) return Error(Code::kConditionFailed, "nothing is scrubbed here");
  return impl_->Begin();
}

void Scrubber::Stop() {
  if (impl_ != nullptr) impl_->Stop();
}

Scrubber::State Scrubber::state() const { return impl_ == nullptr ? State{} : impl_->state(); }

}  // namespace ebla::tabletserver
