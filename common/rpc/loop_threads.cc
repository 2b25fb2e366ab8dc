#include "common/rpc/loop_threads.h"

#include <glog/logging.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "common/rpc/event_loop.h"

namespace ebla::rpc {
namespace {

std::vector<int> PollFds(const std::vector<EventLoop*>& loops) {
  std::vector<int> fds;
  for (const EventLoop* loop : loops) fds.push_back(loop->poll_fd());
  return fds;
}

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

  bool idle() const EBLA_REQUIRES(all_.mutex_) { return loops_.empty() && given_.empty(); }
  // Part of the time in which it ran lately.
  double running() const EBLA_REQUIRES(all_.mutex_) {
    return Clock::now() - measured_ < 3 * all_.options_.window ? running_ : 0;
  }
  void Give(const std::vector<EventLoop*>& loops) EBLA_REQUIRES(all_.mutex_) {
    given_.insert(given_.end(), loops.begin(), loops.end());
    Call();
  }

  // ---- on its own thread, between turns ----

  void NoteLoad(const ThreadLoad& load) EBLA_REQUIRES(all_.mutex_) {
    running_ = load.running;
    measured_ = Clock::now();
  }
  size_t loops() const { return loops_.size(); }
  // It runs these no longer.
  std::vector<EventLoop*> Take(size_t count) EBLA_REQUIRES(all_.mutex_) {
    const std::vector<EventLoop*> taken(loops_.end() - static_cast<std::ptrdiff_t>(count), loops_.end());
    Unwatch();
    loops_.resize(loops_.size() - count);
    Watch();
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
      Poll(sleeps, meter);
      if (const auto load = meter.Measure(Clock::now())) all_.Change(*this, *load);
    }
  }

  void Poll(bool wait, ThreadMeter& meter) {
    if (loops_.size() == 1) return loops_.front()->Poll(wait);
    std::array<epoll_event, 64> ready;
    const Clock::time_point before = Clock::now();
    const int count = epoll_wait(poll_fd_, ready.data(), ready.size(), wait ? -1 : 0);
    if (wait) meter.Slept(Clock::now() - before);
    for (EventLoop* loop : loops_) loop->Awake();
    for (int i = 0; i < count; ++i) static_cast<EventLoop*>(ready[static_cast<size_t>(i)].data.ptr)->Poll(false);
  }

  // What it was given, or has to wait for. False: it is to stop.
  bool TakeOver() EBLA_EXCLUDES(all_.mutex_) {
    MutexLock lock(all_.mutex_);
    while (idle() && !stopping_) changed_.Wait(all_.mutex_);
    called_.store(false, std::memory_order_relaxed);
    Unwatch();
    loops_.insert(loops_.end(), given_.begin(), given_.end());
    given_.clear();
    Watch();
    return !stopping_;
  }

  // One loop is waited for by itself.
  void Watch() {
    if (loops_.size() < 2) return;
    for (EventLoop* loop : loops_) {
      epoll_event event{.events = EPOLLIN, .data = {.ptr = loop}};
      PCHECK(epoll_ctl(poll_fd_, EPOLL_CTL_ADD, PollFdOf(loop), &event) == 0) << "epoll";
    }
  }
  void Unwatch() {
    if (loops_.size() < 2) return;
    for (EventLoop* loop : loops_) PCHECK(epoll_ctl(poll_fd_, EPOLL_CTL_DEL, PollFdOf(loop), nullptr) == 0) << "epoll";
  }

  void Call() EBLA_REQUIRES(all_.mutex_) {
    called_.store(true, std::memory_order_relaxed);
    changed_.NotifyAll();
    if (!loops_.empty()) loops_.front()->Post([] {});
  }

  int PollFdOf(const EventLoop* loop) const {
    return all_.poll_fds_[static_cast<size_t>(std::ranges::find(all_.loops_, loop) - all_.loops_.begin())];
  }

  LoopThreads& all_;
  const std::string name_;
  const int poll_fd_;  // watches the poll_fd() of each loop
  std::thread thread_;
  std::atomic<bool> called_{false};  // to look at given_ and stopping_
  CondVar changed_;
  std::vector<EventLoop*> loops_;  // changed by its thread, with all_.mutex_
  std::vector<EventLoop*> given_ EBLA_GUARDED_BY(all_.mutex_);
  bool stopping_ EBLA_GUARDED_BY(all_.mutex_) = false;
  double running_ EBLA_GUARDED_BY(all_.mutex_) = 0;
  Clock::time_point measured_ EBLA_GUARDED_BY(all_.mutex_);
};

LoopThreads::LoopThreads(std::vector<EventLoop*> loops) : LoopThreads(std::move(loops), Options{}) {}

LoopThreads::LoopThreads(std::vector<EventLoop*> loops, Options options)
    : loops_(std::move(loops)), options_(std::move(options)), poll_fds_(PollFds(loops_)), hold_(options_.hold_min) {
  CHECK(!loops_.empty());
  for (const EventLoop* loop : loops_) runners_.push_back(std::make_unique<Runner>(*this, loop->name()));
}

LoopThreads::~LoopThreads() { Stop(); }

void LoopThreads::Start() {
  const bool may_share = std::ranges::find(poll_fds_, -1) == poll_fds_.end();
  MutexLock lock(mutex_);
  for (size_t i = 0; i < loops_.size(); ++i) runners_[may_share ? 0 : i]->Give({loops_[i]});
  for (const auto& runner : runners_) runner->Start();
}

void LoopThreads::Stop() {
  for (const auto& runner : runners_) runner->Stop();
  for (EventLoop* loop : loops_) loop->Stop();
}

size_t LoopThreads::active() const {
  MutexLock lock(mutex_);
  return static_cast<size_t>(std::ranges::count_if(runners_, [](const auto& runner) { return !runner->idle(); }));
}

void LoopThreads::Change(Runner& runner, const ThreadLoad& load) {
  const Clock::time_point now = Clock::now();
  const ThreadChange change = options_.policy(load);
  MutexLock lock(mutex_);
  runner.NoteLoad(load);
  if (change == ThreadChange::kNone || now < next_change_) return;
  if (change == ThreadChange::kSpread) {
    Runner* idle = FindIdle();
    if (idle == nullptr || runner.loops() < 2 || now < next_spread_) return;
    idle->Give(runner.Take(runner.loops() / 2));
    last_spread_ = now;
  } else {
    Runner* other = LeastRunningBut(runner);
    if (other == nullptr || other->running() + load.running > 1) return;
    other->Give(runner.Take(runner.loops()));
    hold_ = now - last_spread_ < options_.regret ? std::min(2 * hold_, options_.hold_max) : options_.hold_min;
    next_spread_ = now + hold_;
  }
  next_change_ = now + options_.settle;
}

LoopThreads::Runner* LoopThreads::FindIdle() {
  const auto found = std::ranges::find_if(runners_, [](const auto& runner) { return runner->idle(); });
  return found == runners_.end() ? nullptr : found->get();
}

LoopThreads::Runner* LoopThreads::LeastRunningBut(const Runner& runner) {
  Runner* least = nullptr;
  for (const auto& other : runners_) {
    if (other.get() == &runner || other->idle()) continue;
    if (least == nullptr || other->running() < least->running()) least = other.get();
  }
  return least;
}

}  // namespace ebla::rpc
