#include "tools/load/workers.h"

#include <utility>

#include "common/base/mutex.h"

namespace ebla::load {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr size_t kFailuresMax = 100;
constexpr std::chrono::seconds kProgressTimeMax{60};

class FunctionWorker : public Worker {
 public:
  explicit FunctionWorker(std::move_only_function<bool()> work) : work_(std::move(work)) {}
  bool Work() override { return work_(); }

 private:
  std::move_only_function<bool()> work_;
};

}  // namespace

Workers::~Workers() {
  Stop();
  Join();
}

void Workers::Add(std::unique_ptr<Worker> worker, WorkerOptions options) {
  {
    MutexLock lock(mutex_);
    ++running_;
  }
  threads_.emplace_back([this, &added = *workers_.emplace_back(std::move(worker)), options] {
    Run(added, options);
    MutexLock lock(mutex_);
    if (--running_ == 0) changed_.NotifyAll();
  });
}

void Workers::Add(std::move_only_function<bool()> work, WorkerOptions options) {
  Add(std::make_unique<FunctionWorker>(std::move(work)), options);
}

void Workers::Run(Worker& worker, const WorkerOptions& options) {
  while (Enter()) {
    const SteadyTime begun = steady_clock::now();
    const bool goes_on = worker.Work();
    Leave(steady_clock::now() - begun, options.timed);
    if (!goes_on) break;
    if (const auto rest = worker.Rest(); rest.count() > 0 && !stop_.WaitFor(rest)) break;
  }
  worker.End();
}

bool Workers::Enter() {
  MutexLock lock(mutex_);
  while (!stopping_ && held_) changed_.Wait(mutex_);
  if (!stopping_) ++under_way_;
  return !stopping_;
}

void Workers::Leave(steady_clock::duration took, bool timed) {
  operations_.fetch_add(1, std::memory_order_relaxed);
  const int64_t ms = timed ? std::chrono::duration_cast<milliseconds>(took).count() : 0;
  for (int64_t longest = longest_wait_ms_; ms > longest && !longest_wait_ms_.compare_exchange_weak(longest, ms);) {
  }
  MutexLock lock(mutex_);
  if (--under_way_ == 0 && held_) changed_.NotifyAll();
}

void Workers::Stop() {
  stop_.Stop();
  MutexLock lock(mutex_);
  stopping_ = true;
  changed_.NotifyAll();
}

bool Workers::WaitUntilDone(SteadyTime until) {
  MutexLock lock(mutex_);
  while (running_ > 0) {
    // WaitUntil with the greatest time there is would overflow inside.
    if (until == SteadyTime::max())
      changed_.Wait(mutex_);
    else if (!changed_.WaitUntil(mutex_, until))
      return running_ == 0;
  }
  return true;
}

void Workers::Join() {
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Workers::Hold() {
  MutexLock lock(mutex_);
  held_ = true;
  while (under_way_ > 0) changed_.Wait(mutex_);
}

void Workers::Resume() {
  MutexLock lock(mutex_);
  held_ = false;
  changed_.NotifyAll();
}

void Workers::Failed(std::string what) {
  MutexLock lock(mutex_);
  if (failures_.size() < kFailuresMax) failures_.push_back(std::move(what));
}

std::vector<std::string> Workers::failures() const {
  MutexLock lock(mutex_);
  return failures_;
}

std::vector<std::string> Workers::TakeFailures() {
  MutexLock lock(mutex_);
  return std::exchange(failures_, {});
}

Status AwaitProgress(const std::function<int64_t()>& count, int64_t more) {
  const int64_t wanted = count() + more;
  const SteadyTime deadline = steady_clock::now() + kProgressTimeMax;
  for (; count() < wanted; std::this_thread::sleep_for(milliseconds(5)))
    if (steady_clock::now() >= deadline) return Error(Code::kUnavailable, "the load made no progress for a minute");
  return Status::Ok();
}

}  // namespace ebla::load
