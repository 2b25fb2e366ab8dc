#include "tools/load/task_loop.h"

namespace ebla::load {

using std::chrono::steady_clock;

TaskLoop::TaskLoop(std::stop_token stop)
    : stop_(std::move(stop)), on_stop_(stop_, [this] {
        MutexLock lock(mutex_);
        changed_.NotifyAll();
      }) {}

void TaskLoop::Run(std::vector<Task<>> tasks) {
  for (Task<>& task : tasks) task.Start();
  for (const Task<>& task : tasks)
    while (!task.done()) Turn();
}

void TaskLoop::Post(std::coroutine_handle<> coroutine) {
  MutexLock lock(mutex_);
  ready_.push_back(coroutine);
  if (waiting_) changed_.NotifyOne();
}

void TaskLoop::Turn() {
  AwaitReady();
  for (const std::coroutine_handle<> coroutine : resumed_) coroutine.resume();
  resumed_.clear();
  while (SleepIsOver()) {
    const std::coroutine_handle<> sleeper = sleepers_.top().coroutine;
    sleepers_.pop();
    sleeper.resume();
  }
}

void TaskLoop::AwaitReady() {
  MutexLock lock(mutex_);
  waiting_ = true;
  while (ready_.empty() && !SleepIsOver()) {
    if (sleepers_.empty())
      changed_.Wait(mutex_);
    else
      changed_.WaitUntil(mutex_, sleepers_.top().until);
  }
  waiting_ = false;
  resumed_.swap(ready_);
}

bool TaskLoop::SleepIsOver() const {
  return !sleepers_.empty() && (stopped() || sleepers_.top().until <= steady_clock::now());
}

}  // namespace ebla::load
