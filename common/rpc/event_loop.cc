#include "common/rpc/event_loop.h"

#include <event2/event.h>
#include <glog/logging.h>
#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <random>
#include <system_error>
#include <unordered_map>

#include "common/base/clocks.h"
#include "common/base/mutex.h"

namespace ebla::rpc {
namespace {

thread_local EventLoop* current = nullptr;

constexpr Duration kDelayMax = std::chrono::hours(24 * 365);  // "for ever" must not overflow the clock

event_base* NewBase() {
  event_config* config = event_config_new();
  // Only the loop's own thread touches the base; other threads reach it through the eventfd.
  event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK);
  // The environment could choose another way to wait than the one that loop_threads.h knows.
  event_config_set_flag(config, EVENT_BASE_FLAG_IGNORE_ENV);
  event_base* base = event_base_new_with_config(config);
  event_config_free(config);
  CHECK(base != nullptr) << "cannot make an event base: out of memory or file descriptors";
  return base;
}

uint64_t Seed() {
  uint64_t seed = 0;
  CHECK_EQ(getrandom(&seed, sizeof(seed), 0), static_cast<ssize_t>(sizeof(seed)));
  return seed;
}

}  // namespace

EventLoop::EventLoop(std::string name, Turns turns) : name_(std::move(name)), base_(NewBase()) {
  wake_fd_ = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  PCHECK(wake_fd_ >= 0) << "eventfd";
  const auto nothing = [](evutil_socket_t, short, void*) {};
  // libevent's own timers go by a clock that ticks every four milliseconds.
  timer_fd_ = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
  PCHECK(timer_fd_ >= 0) << "timerfd";
  // Each write and each expiry is an edge of its own, so the counts need never be read.
  wake_event_ = event_new(base_, wake_fd_, EV_READ | EV_PERSIST | EV_ET, nothing, nullptr);
  timer_event_ = event_new(base_, timer_fd_, EV_READ | EV_PERSIST | EV_ET, nothing, nullptr);
  CHECK(wake_event_ != nullptr && timer_event_ != nullptr);
  event_add(wake_event_, nullptr);
  event_add(timer_event_, nullptr);
  if (turns == Turns::kOwn) return;
  if (const auto fds = PollFds({this})) poll_fd_ = fds->front();
}

EventLoop::~EventLoop() {
  Stop();
  event_free(timer_event_);
  event_free(wake_event_);
  event_base_free(base_);
  close(timer_fd_);
  close(wake_fd_);
}

void EventLoop::Start(const Scheduling& scheduling) {
  CHECK(!thread_.joinable()) << "loop " << name_ << " was started twice";
  thread_ = std::thread([this, scheduling] {
    pthread_setname_np(pthread_self(), name_.substr(0, 15).c_str());
    Schedule(scheduling);
    poll_fd_ < 0 ? Run() : RunLending();
    current = nullptr;
  });
}

void EventLoop::Run() {
  while (RunTurn()) Poll(MaySleep());
}

// While it sleeps, no thread is within libevent, which takes one thread at a time.
void EventLoop::RunLending() {
  while (true) {
    bool sleeps;
    {
      MutexLock lock(turn_);
      Awake();
      Poll(false);
      if (!RunTurn()) return;
      sleeps = MaySleep();
      current = nullptr;
    }
    if (sleeps) SleepOn(poll_fd_);
  }
}

void EventLoop::Stop() {
  CHECK(!InThread()) << "loop " << name_ << " cannot stop itself";
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  Wake();
  if (thread_.joinable()) thread_.join();
  // Destroying a task may let go of things that post or cancel: outside the lock.
  std::vector<Task> tasks;
  TimerHeap<Task> timers;
  {
    MutexLock lock(mutex_);
    tasks.swap(queue_);
    std::swap(timers, timers_);
  }
  hooks_.clear();
  ++phase_;
}

EventLoop* EventLoop::Current() { return current; }

MonotonicTime EventLoop::Now() const { return MonotonicNow(); }

int64_t EventLoop::TimeOfDayMs() const { return ebla::TimeOfDayMs(); }

uint64_t EventLoop::Random() {
  static thread_local std::mt19937_64 random{Seed()};
  return random();
}

bool EventLoop::InThread() const { return current == this; }

void EventLoop::Post(Task task) {
  bool wake;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(task));
    all_brief_ = false;
    wake = !std::exchange(awake_, true);
  }
  if (wake && !InThread()) Wake();
}

void EventLoop::PostBrief(Task task) {
  EventLoop* const borrower = current;
  // A lending loop does not borrow, so no thread holds the turns of two loops.
  if (poll_fd_ < 0 || borrower == nullptr || borrower->poll_fd_ >= 0) return Post(std::move(task));
  bool wake;
  {
    MutexLock lock(mutex_);
    if (stopping_) return;
    queue_.push_back(std::move(task));
    if (awake_ || promised_by_ == borrower) return;
    // Another's turn may be long.
    wake = promised_by_ != nullptr;
    if (wake) {
      awake_ = true;
    } else {
      promised_by_ = borrower;
    }
  }
  wake ? Wake() : borrower->AtTurnEnd(&borrowing_);
}

void EventLoop::RunBorrowed() {
  {
    MutexLock lock(mutex_);
    promised_by_ = nullptr;
    if (awake_) return;
  }
  // Otherwise a thread runs it, and may have looked for the last time.
  bool sleeps = false;
  if (turn_.TryLock()) {
    MutexLock turn(turn_, std::adopt_lock);
    if (TakeBriefTasks()) {
      EventLoop* const borrower = std::exchange(current, this);
      RunTasks();
      RunTurnEnd();
      sleeps = MaySleep();
      current = borrower;
    }
  }
  if (!sleeps) Wake();
}

TimerId EventLoop::After(Duration delay, Task task) {
  const MonotonicTime when = Now() + std::clamp(delay, Duration{0}, kDelayMax);
  bool wake = false;
  uint64_t handle;
  {
    MutexLock lock(mutex_);
    if (stopping_) return {};
    if (when < timers_.next()) wake = !std::exchange(awake_, true);
    handle = timers_.Push(when, std::move(task));
  }
  if (wake && !InThread()) Wake();
  return {handle};
}

void EventLoop::Cancel(TimerId timer) {
  Task task;  // destroyed outside the lock
  MutexLock lock(mutex_);
  timers_.Remove(timer.value, &task);
}

void EventLoop::AtTurnEnd(TurnEndHook* hook) {
  if (NoteScheduled(*hook, true)) return;
  hooks_.push_back(hook);
}

void EventLoop::Withdraw(TurnEndHook* hook) {
  if (!NoteScheduled(*hook, false)) return;
  std::replace(hooks_.begin(), hooks_.end(), hook, static_cast<TurnEndHook*>(nullptr));
}

bool EventLoop::RunTurn() {
  current = this;
  RunDueTimers();
  TakeTasks();
  RunTasks();
  RunTurnEnd();
  MutexLock lock(mutex_);
  return !stopping_;
}

void EventLoop::RunDueTimers() {
  MutexLock lock(mutex_);
  if (timers_.empty()) return;
  const MonotonicTime now = Now();
  while (timers_.next() <= now && !stopping_) {
    Task task = timers_.PopTop();
    mutex_.Unlock();
    task();
    task = nullptr;
    mutex_.Lock();
  }
}

bool EventLoop::TakeBriefTasks() {
  MutexLock lock(mutex_);
  if (!all_brief_ || stopping_) return false;
  awake_ = true;
  running_.swap(queue_);
  return true;
}

void EventLoop::TakeTasks() {
  MutexLock lock(mutex_);
  all_brief_ = true;
  running_.swap(queue_);
}

void EventLoop::RunTasks() {
  for (Task& task : running_) {
    task();
    task = nullptr;  // drops its state before the next runs
  }
  running_.clear();
}

void EventLoop::RunTurnEnd() {
  for (size_t i = 0; i < hooks_.size(); ++i) {
    TurnEndHook* hook = hooks_[i];
    if (hook == nullptr) continue;
    NoteScheduled(*hook, false);
    hook->OnTurnEnd();
  }
  hooks_.clear();
  ++phase_;
}

bool EventLoop::HasCallbacks() const { return event_base_get_num_events(base_, EVENT_BASE_COUNT_ACTIVE) > 0; }

bool EventLoop::MaySleep() {
  if (HasCallbacks()) return false;
  MonotonicTime next;
  {
    MutexLock lock(mutex_);
    awake_ = !queue_.empty() || stopping_;
    if (awake_) return false;
    next = timers_.next();
  }
  if (next == MonotonicTime::Max()) return true;
  if (next <= Now()) return false;
  ArmWakeup(next);
  return true;
}

void EventLoop::Poll(bool wait) {
  current = this;
  event_base_loop(base_, wait ? EVLOOP_ONCE : EVLOOP_ONCE | EVLOOP_NONBLOCK);
  Awake();
  RunTurnEnd();
}

void EventLoop::Awake() {
  MutexLock lock(mutex_);
  awake_ = true;
}

// libevent does not tell its epoll's descriptor. The system lists what each of them watches (proc_pid_fdinfo(5)), and a
// loop's alone watches its eventfd.
std::optional<std::vector<int>> EventLoop::PollFds(const std::vector<EventLoop*>& loops) {
  std::unordered_map<int, int> watchers;
  std::error_code error;
  std::filesystem::directory_iterator entry("/proc/self/fdinfo", error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    std::ifstream lines(entry->path());
    std::string label;
    for (int watched; lines >> label;) {
      if (label == "tfd:" && lines >> watched) watchers[watched] = std::stoi(entry->path().filename());
    }
  }
  std::vector<int> fds;
  for (const EventLoop* loop : loops) {
    const auto found = watchers.find(loop->wake_fd_);
    if (found == watchers.end()) return std::nullopt;
    fds.push_back(found->second);
  }
  return fds;
}

void EventLoop::SleepOn(int poll_fd) {
  pollfd readable{.fd = poll_fd, .events = POLLIN, .revents = 0};
  poll(&readable, 1, kPollAllEvery.count());
}

void EventLoop::ArmWakeup(MonotonicTime when) {
  if (std::exchange(armed_, when) == when) return;
  const int64_t at = when.since_boot.count();
  const itimerspec time{.it_interval = {}, .it_value = {.tv_sec = at / 1'000'000'000, .tv_nsec = at % 1'000'000'000}};
  PCHECK(timerfd_settime(timer_fd_, TFD_TIMER_ABSTIME, &time, nullptr) == 0) << "timerfd";
}

void EventLoop::Wake() {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(wake_fd_, &one, sizeof(one));
}

}  // namespace ebla::rpc
