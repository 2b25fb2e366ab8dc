#include "common/testing/sim_executor.h"

#include <glog/logging.h>

#include <algorithm>
#include <cmath>
#include <utility>

namespace ebla::testing {
namespace {

constexpr uint64_t kStepsAtOneMoment = 1'000'000;

}  // namespace

SimScheduler::Key SimScheduler::Add(MonotonicTime when, uint64_t owner, Task task) {
  const Key key{std::max(when, now_), next_order_++};
  queue_.emplace(key, Entry{std::move(task), owner});
  return key;
}

bool SimScheduler::Step() {
  if (queue_.empty()) return false;
  Run(queue_.begin());
  return true;
}

void SimScheduler::Run(std::map<Key, Entry>::iterator at) {
  auto next = queue_.extract(at);
  steps_at_now_ = next.key().when > now_ ? 0 : steps_at_now_ + 1;
  CHECK_LT(steps_at_now_, kStepsAtOneMoment) << "time stands still: tasks post each other for ever";
  now_ = std::max(now_, next.key().when);
  const uint64_t before = std::exchange(running_, next.mapped().owner);
  next.mapped().task();
  running_ = before;
}

void SimScheduler::RunOnly(const std::vector<const SimExecutor*>& executors, Duration duration) {
  const MonotonicTime end = now_ + duration;
  const auto of_them = [&](const auto& item) {
    return std::ranges::any_of(executors,
                               [&](const SimExecutor* executor) { return executor->owner_ == item.second.owner; });
  };
  while (true) {
    const auto next = std::ranges::find_if(queue_, of_them);
    if (next == queue_.end() || next->first.when > end) break;
    Run(next);
  }
  now_ = end;
}

bool SimScheduler::RunUntil(const std::function<bool()>& done, Duration limit) {
  const MonotonicTime end = now_ + limit;
  while (!done()) {
    if (queue_.empty() || queue_.begin()->first.when > end) return done();
    Step();
  }
  return true;
}

void SimScheduler::RunFor(Duration duration) {
  const MonotonicTime end = now_ + duration;
  while (!queue_.empty() && queue_.begin()->first.when <= end) Step();
  now_ = end;
}

SimExecutor::SimExecutor(SimScheduler& scheduler, int64_t time_of_day_ms, double rate)
    : scheduler_(scheduler), owner_(scheduler.next_owner_++), time_of_day_ms_(time_of_day_ms), rate_(rate) {}

SimExecutor::~SimExecutor() { Halt(); }

void SimExecutor::Halt() {
  halted_ = true;
  // Out of all containers first: what a task captured may post and cancel as it dies.
  std::vector<Task> forgotten = std::exchange(held_, {});
  for (const auto& key : std::exchange(pending_, {})) {
    forgotten.push_back(std::move(scheduler_.queue_.extract(key).mapped().task));
  }
  timers_.clear();
}

MonotonicTime SimExecutor::Now() const {
  const double nanoseconds = static_cast<double>(scheduler_.Now().since_boot.count()) * rate_;
  return {Duration(static_cast<int64_t>(nanoseconds))};
}

int64_t SimExecutor::TimeOfDayMs() const { return time_of_day_ms_ + Now().since_boot.count() / 1'000'000; }

void SimExecutor::Schedule(MonotonicTime when, Task task, uint64_t* id) {
  if (halted_) return;
  // The key is known only once added, and the task needs it: it is read when the task runs.
  auto key = std::make_shared<SimScheduler::Key>();
  *key = scheduler_.Add(when, owner_, [this, key, task = std::move(task)]() mutable { Run(*key, std::move(task)); });
  pending_.insert(*key);
  if (id != nullptr) {
    *id = key->order;
    timers_.emplace(key->order, *key);
  }
}

void SimExecutor::Run(SimScheduler::Key key, Task task) {
  pending_.erase(key);
  timers_.erase(key.order);
  if (paused_) {
    held_.push_back(std::move(task));
  } else {
    task();
  }
}

void SimExecutor::Post(Task task) { Schedule(scheduler_.Now(), std::move(task), nullptr); }

TimerId SimExecutor::After(Duration delay, Task task) {
  TimerId id;
  // Never early by this clock: Now() rounds down, so a stretched delay rounds up and a nanosecond on.
  Duration stretched = std::max(delay, Duration(0));
  if (rate_ != 1.0 && stretched > Duration(0)) {
    stretched = Duration(static_cast<int64_t>(std::ceil(static_cast<double>(stretched.count() + 1) / rate_)));
  }
  Schedule(scheduler_.Now() + stretched, std::move(task), &id.value);
  return id;
}

void SimExecutor::Cancel(TimerId timer) {
  const auto found = timers_.find(timer.value);
  if (found == timers_.end()) return;
  pending_.erase(found->second);
  scheduler_.queue_.erase(found->second);
  timers_.erase(found);
}

void SimExecutor::Pause() { paused_ = true; }

void SimExecutor::Resume() {
  paused_ = false;
  for (Task& task : std::exchange(held_, {})) Post(std::move(task));
}

}  // namespace ebla::testing
