#include "common/rpc/loop_threads.h"

#include <glog/logging.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include "common/rpc/event_loop.h"

namespace ebla::rpc {
namespace {

// The system cannot watch more descriptors.
constexpr std::chrono::milliseconds kPollUnwatchedEvery{1};
// A thread within one turn for so long counts as stalled.
constexpr std::chrono::milliseconds kLongTurn{5};
constexpr double kHardlyRuns = 0.1;

}  // namespace

// One thread, and the loops that it runs.
class LoopThreads::Runner {
 public:
  Runner(LoopThreads& all, std::string name)
      : all_(all), name_(std::move(name)), poll_fd_(epoll_create1(EPOLL_CLOEXEC)) {
    PCHECK(poll_fd_ >= 0) << "epoll";
  }
  ~Runner() { close(poll_fd_); }

  void Start() {
    thread_ = std::thread([this] {
      pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
      Run();
    });
  }
  void Stop() {
    {
      MutexLock lock(all_.mutex_);
      stopping_ = true;
      Call();
    }
    if (thread_.joinable()) thread_.join();
  }

  // ---- with all_.mutex_, which is the caller's own mutex_: that is more than the analysis can tell ----

  bool idle() const {
    all_.mutex_.AssertHeld();
    return loops_.empty() && given_.empty();
  }
  // The part of the recent time in which it ran.
  double running(Clock::time_point now) const {
    all_.mutex_.AssertHeld();
    return now - measured_ < 3 * all_.options_.window ? load_.running : 0;
  }
  // It waits for nothing but work, and does not stand still.
  bool calm(Clock::time_point now) const {
    all_.mutex_.AssertHeld();
    const bool comes_round = asleep_.load(std::memory_order_relaxed) ||
                             now.time_since_epoch() - turn_began_.load(std::memory_order_relaxed) < kLongTurn;
    return now >= calm_from_ && comes_round;
  }
  // It would join others, too, or hardly runs.
  bool MayBeJoined(Clock::time_point now) const {
    all_.mutex_.AssertHeld();
    return !idle() && calm(now) && (running(now) < kHardlyRuns || all_.options_.policy(load_) == ThreadChange::kJoin);
  }
  Clock::time_point calm_from() const {
    all_.mutex_.AssertHeld();
    return calm_from_;
  }
  void Give(const std::vector<EventLoop*>& loops, Clock::time_point calm_from = {}) {
    all_.mutex_.AssertHeld();
    given_.insert(given_.end(), loops.begin(), loops.end());
    calm_from_ = std::max(calm_from_, calm_from);
    Call();
  }

  // ---- on its own thread, between turns ----

  void NoteLoad(const ThreadLoad& load, Clock::time_point now) {
    all_.mutex_.AssertHeld();
    load_ = load;
    measured_ = now;
    if (Blocks(load)) calm_from_ = now + all_.options_.calm;
  }
  size_t loops() const { return loops_.size(); }
  // It runs these no longer.
  std::vector<EventLoop*> Take(size_t count) {
    all_.mutex_.AssertHeld();
    const std::vector<EventLoop*> taken(loops_.end() - static_cast<std::ptrdiff_t>(count), loops_.end());
    for (const EventLoop* loop : taken) Unwatch(loop);
    loops_.resize(loops_.size() - count);
    if (loops_.size() == 1) Unwatch(loops_.front());
    return taken;
  }

 private:
  void Run() {
    ThreadMeter meter(all_.options_.window);
    while (true) {
      if (loops_.empty() || called_.load(std::memory_order_relaxed)) {
        if (!TakeOver()) return;
        meter.Restart(Clock::now());
      }
      for (EventLoop* loop : loops_) loop->RunTurn();
      bool sleeps = std::ranges::all_of(loops_, &EventLoop::MaySleep);
      // The task that Call() posts may have run in this very turn.
      if (called_.load(std::memory_order_relaxed)) sleeps = false;
      loops_.size() == 1 ? PollOne(sleeps, meter) : PollSeveral(sleeps, meter);
      const Clock::time_point now = Clock::now();
      turn_began_.store(now.time_since_epoch(), std::memory_order_relaxed);
      if (const auto load = meter.Measure(now, loops_.size() > 1)) all_.Change(*this, *load);
    }
  }

  template <class Wait>
  void Sleep(ThreadMeter& meter, Wait wait) {
    const Clock::time_point before = Clock::now();
    asleep_.store(true, std::memory_order_relaxed);
    wait();
    const Clock::time_point now = Clock::now();
    turn_began_.store(now.time_since_epoch(), std::memory_order_relaxed);
    asleep_.store(false, std::memory_order_relaxed);
    meter.Slept(now - before);
  }

  void PollOne(bool sleeps, ThreadMeter& meter) {
    if (sleeps) Sleep(meter, [&] { EventLoop::SleepOn(PollFdOf(loops_.front())); });
    loops_.front()->Poll(false);
  }

  void PollSeveral(bool sleeps, ThreadMeter& meter) {
    const std::chrono::milliseconds longest = watches_all_ ? EventLoop::kPollAllEvery : kPollUnwatchedEvery;
    std::array<epoll_event, 64> ready;
    int count = 0;
    const auto wait = [&] {
      count = epoll_wait(poll_fd_, ready.data(), ready.size(), static_cast<int>(longest.count()));
    };
    if (sleeps) Sleep(meter, wait);
    for (EventLoop* loop : loops_) loop->Awake();
    const Clock::time_point now = Clock::now();
    // While there is work, some of it most likely is on each.
    if (!sleeps || now - polled_all_ >= longest) {
      polled_all_ = now;
      for (EventLoop* loop : loops_) loop->Poll(false);
    } else {
      for (int i = 0; i < count; ++i) static_cast<EventLoop*>(ready[static_cast<size_t>(i)].data.ptr)->Poll(false);
    }
  }

  // A new loop, or an event to wait for. False: it is to stop.
  bool TakeOver() EBLA_EXCLUDES(all_.mutex_) {
    MutexLock lock(all_.mutex_);
    while (idle() && !stopping_) changed_.Wait(all_.mutex_);
    called_.store(stopping_, std::memory_order_relaxed);
    loops_.insert(loops_.end(), given_.begin(), given_.end());
    given_.clear();
    if (loops_.size() > 1) watches_all_ = std::ranges::all_of(loops_, [this](EventLoop* loop) { return Watch(loop); });
    return !stopping_;
  }

  // Only where there are several: a loop that is watched is slower.
  bool Watch(EventLoop* loop) const {
    epoll_event event{.events = EPOLLIN, .data = {.ptr = loop}};
    if (epoll_ctl(poll_fd_, EPOLL_CTL_ADD, PollFdOf(loop), &event) == 0 || errno == EEXIST) return true;
    PLOG(WARNING) << name_ << " looks after its loops every millisecond, as it cannot watch " << loop->name();
    return false;
  }
  void Unwatch(const EventLoop* loop) const { epoll_ctl(poll_fd_, EPOLL_CTL_DEL, PollFdOf(loop), nullptr); }

  void Call() EBLA_REQUIRES(all_.mutex_) {
    called_.store(true, std::memory_order_relaxed);
    changed_.NotifyAll();
    if (!loops_.empty()) loops_.front()->Post([] {});
  }

  int PollFdOf(const EventLoop* loop) const {
    const auto at = std::ranges::find(all_.loops_, loop) - all_.loops_.begin();
    return (*all_.poll_fds_)[static_cast<size_t>(at)];
  }

  LoopThreads& all_;
  const std::string name_;
  const int poll_fd_;  // watches the loops' own
  std::thread thread_;
  std::atomic<bool> called_{false};  // to look at given_ and stopping_
  std::atomic<bool> asleep_{false};
  std::atomic<Clock::duration> turn_began_{};
  CondVar changed_;
  std::vector<EventLoop*> loops_;  // changed by its thread, with all_.mutex_
  bool watches_all_ = true;        // its thread's, and what follows
  Clock::time_point polled_all_;
  std::vector<EventLoop*> given_ EBLA_GUARDED_BY(all_.mutex_);
  bool stopping_ EBLA_GUARDED_BY(all_.mutex_) = false;
  ThreadLoad load_ EBLA_GUARDED_BY(all_.mutex_);
  Clock::time_point measured_ EBLA_GUARDED_BY(all_.mutex_);
  Clock::time_point calm_from_ EBLA_GUARDED_BY(all_.mutex_);
};

LoopThreads::LoopThreads(std::vector<EventLoop*> loops) : LoopThreads(std::move(loops), Options{}) {}

LoopThreads::LoopThreads(std::vector<EventLoop*> loops, Options options)
    : loops_(std::move(loops)),
      options_(std::move(options)),
      poll_fds_(ThreadMeter::Works() ? EventLoop::PollFds(loops_) : std::nullopt),
      hold_(options_.hold_min) {
  CHECK(!loops_.empty());
  LOG_IF(WARNING, !poll_fds_) << "each event loop keeps its thread, as /proc does not tell enough of threads and files";
  if (!poll_fds_) return;
  for (const EventLoop* loop : loops_) runners_.push_back(std::make_unique<Runner>(*this, loop->name()));
}

LoopThreads::~LoopThreads() { Stop(); }

void LoopThreads::Start() {
  if (!poll_fds_) {
    for (EventLoop* loop : loops_) loop->Start();
    return;
  }
  MutexLock lock(mutex_);
  for (size_t i = 0; i < loops_.size(); ++i) runners_[i]->Give({loops_[i]});
  for (const auto& runner : runners_) runner->Start();
}

void LoopThreads::Stop() {
  for (const auto& runner : runners_) runner->Stop();
  for (EventLoop* loop : loops_) loop->Stop();
}

size_t LoopThreads::active() const {
  if (!poll_fds_) return loops_.size();
  MutexLock lock(mutex_);
  return static_cast<size_t>(std::ranges::count_if(runners_, [](const auto& runner) { return !runner->idle(); }));
}

void LoopThreads::Change(Runner& runner, const ThreadLoad& load) {
  const ThreadChange change = options_.policy(load);
  const Clock::time_point now = Clock::now();
  MutexLock lock(mutex_);
  runner.NoteLoad(load, now);
  if (now < next_change_) return;
  if (change == ThreadChange::kSpread) Spread(runner, now);
  if (change == ThreadChange::kJoin) Join(runner, load.running, now);
}

void LoopThreads::Spread(Runner& runner, Clock::time_point now) {
  if (runner.loops() < 2 || now < next_spread_) return;
  const auto idle = std::ranges::find_if(runners_, [](const auto& other) { return other->idle(); });
  if (idle == runners_.end()) return;
  (*idle)->Give(runner.Take(runner.loops() / 2), runner.calm_from());
  last_spread_ = now;
  next_change_ = now + options_.settle;
}

void LoopThreads::Join(Runner& runner, double running, Clock::time_point now) {
  Runner* least = nullptr;
  for (const auto& other : runners_) {
    if (other.get() == &runner || !other->MayBeJoined(now)) continue;
    if (least == nullptr || other->running(now) < least->running(now)) least = other.get();
  }
  if (least == nullptr || !runner.calm(now) || least->running(now) + running > 1) return;
  least->Give(runner.Take(runner.loops()));
  const bool regretted = last_spread_ && now - *last_spread_ < options_.regret;
  hold_ = std::clamp(regretted ? 2 * hold_ : hold_ / 2, options_.hold_min, options_.hold_max);
  last_spread_.reset();
  next_spread_ = now + hold_;
  next_change_ = now + options_.settle;
}

}  // namespace ebla::rpc
