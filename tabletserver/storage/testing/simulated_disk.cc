#include "tabletserver/storage/testing/simulated_disk.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver {

namespace {

SharedLogOptions SmallLog() {
  return {.segment_bytes = 64 << 10,
          .tail_bytes = 8 << 10,
          .moved_below = 0.5,
          .kept_segments = 2,
          .new_log_id = 1,
          .progress = nullptr};
}

}  // namespace

SimulatedDisk::SimulatedDisk(uint64_t seed) : random_(seed), log_disk_(random_()) {}

SimulatedDisk::~SimulatedDisk() {
  MutexLock lock(mutex_);
  CHECK(!open_) << "a store is open on the disk";
}

// ---- lives -----------------------------------------------------------------------------------------------------------

SharedLog& SimulatedDisk::Open() {
  FailNext({});
  MutexLock lock(mutex_);
  CHECK(!open_) << "one store at a time on a disk";
  if (log_ != nullptr && dead_.ok()) log_->Flush(SharedLog::Depth::kDisk).ok();  // it has ended well
  log_.reset();
  dead_ = {};
  records_fail_ = {};
  refuse_to_apply_ = false;
  begun_.reset();  // the life that had begun it has ended
  open_ = true;
  auto opened = SharedLog::Open(log_disk_, SmallLog());
  CHECK(opened.has_value()) << opened.error();
  log_ = *std::move(opened);
  return *log_;
}

void SimulatedDisk::Close() {
  std::vector<std::pair<Executor*, Task>> parked;  // destroyed without the lock
  MutexLock lock(mutex_);
  open_ = false;
  parked.swap(parked_);
}

void SimulatedDisk::CrashIn(std::move_only_function<void()> work, CrashKind kind) {
  log_disk_.CrashAt(log_disk_.steps() + 1 + static_cast<int64_t>(random_() % 4), kind);
  work();
  log_disk_.CrashNow(kind);
  log_.reset();
  log_disk_.Restart();
}

void SimulatedDisk::Crash(CrashKind kind) {
  FailNext({});
  MutexLock lock(mutex_);
  CHECK(!open_) << "destroy the crashed life's store first";
  const uint64_t doing = random_() % 4;
  CrashIn(
      [&] {
        if (log_ == nullptr) return;
        if (doing == 0) log_->Flush(SharedLog::Depth::kSystem).ok();
        if (doing == 1) log_->Flush(SharedLog::Depth::kDisk).ok();
        if (doing == 2) log_->Clean().ok();
      },
      kind);
  if (random_() % 4 == 0) {
    CrashIn(
        [&] {
          auto opened = SharedLog::Open(log_disk_, SmallLog());
          if (!opened) return;
          log_ = *std::move(opened);
          log_->Clean().ok();
        },
        kind);
  }
  dead_ = {};
  begun_.reset();
  records_ = checkpoint_;
}

Status SimulatedDisk::Life::status() const {
  MutexLock lock(disk_.mutex_);
  return disk_.dead_;
}

Status SimulatedDisk::Life::Fail(Status reason) {
  MutexLock lock(disk_.mutex_);
  const bool meant = !disk_.injected_.ok() && !disk_.log_disk_.fails_next();
  if (meant) reason = Status(disk_.injected_.code(), disk_.injected_.message() + ": " + reason.message());
  if (disk_.dead_.ok()) disk_.dead_ = std::move(reason);
  return disk_.dead_;
}

bool SimulatedDisk::Life::writes_refused() const {
  MutexLock lock(disk_.mutex_);
  if (disk_.full_) return true;
  if (disk_.refuse_ == 0) return false;
  --disk_.refuse_;
  return true;
}

// ---- time ------------------------------------------------------------------------------------------------------------

Duration SimulatedDisk::Within(Duration min, Duration max) {
  return min + Duration(random_() % (static_cast<uint64_t>((max - min).count()) + 1));
}

void SimulatedDisk::Queue::Post(Task task) {
  Duration latency;
  {
    MutexLock lock(disk_.mutex_);
    latency = disk_.Within(disk_.latency_min_, disk_.latency_max_);
    const bool slow = of_log_ && disk_.slow_one_of_ > 0 && disk_.random_() % disk_.slow_one_of_ == 0;
    if (slow) latency += disk_.Within(disk_.slow_min_, disk_.slow_max_);
  }
  disk_.RunLater(executor_, latency, std::move(task));
}

void SimulatedDisk::Queue::PostEndOfCheckpoint(Task task) {
  Duration latency;
  {
    MutexLock lock(disk_.mutex_);
    latency = disk_.Within(disk_.latency_min_, disk_.latency_max_) + disk_.checkpoint_longer_;
  }
  disk_.RunLater(executor_, latency, std::move(task));
}

void SimulatedDisk::RunLater(Executor& executor, Duration latency, Task task) {
  auto run = [this, &executor, task = std::move(task)]() mutable { RunOrPark(executor, std::move(task)); };
  if (latency == Duration(0)) {
    executor.Post(std::move(run));
  } else {
    executor.After(latency, std::move(run));
  }
}

void SimulatedDisk::RunOrPark(Executor& executor, Task task) {
  {
    MutexLock lock(mutex_);
    if (stalled_) {
      parked_.emplace_back(&executor, std::move(task));
      return;
    }
  }
  task();
}

// ---- faults ----------------------------------------------------------------------------------------------------------

void SimulatedDisk::SetStalled(bool stalled) {
  std::vector<std::pair<Executor*, Task>> parked;
  {
    MutexLock lock(mutex_);
    stalled_ = stalled;
    if (!stalled) parked.swap(parked_);
  }
  for (auto& [executor, task] : parked) {
    executor->Post(
        [this, executor = executor, task = std::move(task)]() mutable { RunOrPark(*executor, std::move(task)); });
  }
}

void SimulatedDisk::FailNext(Status error) {
  using Failure = SimulatedLogDisk::Failure;
  constexpr Failure kFailures[] = {Failure::kSync, Failure::kWrite, Failure::kDamagedRead};
  MutexLock lock(mutex_);
  log_disk_.FailNext(error.ok() ? Failure::kNone : kFailures[random_() % std::size(kFailures)]);
  injected_ = std::move(error);
}

void SimulatedDisk::RefuseAppends(int count) {
  MutexLock lock(mutex_);
  refuse_ = count;
}

void SimulatedDisk::RefuseToApply(bool refuse) {
  MutexLock lock(mutex_);
  refuse_to_apply_ = refuse;
}

void SimulatedDisk::FailRecords(Status error) {
  MutexLock lock(mutex_);
  records_fail_ = std::move(error);
}

void SimulatedDisk::SetFull(bool full) {
  MutexLock lock(mutex_);
  full_ = full;
}

void SimulatedDisk::SetLatency(Duration min, Duration max) {
  MutexLock lock(mutex_);
  latency_min_ = min;
  latency_max_ = std::max(min, max);
}

void SimulatedDisk::SetSlowFlushes(uint64_t one_of, Duration min, Duration max) {
  MutexLock lock(mutex_);
  slow_one_of_ = one_of;
  slow_min_ = min;
  slow_max_ = std::max(min, max);
}

void SimulatedDisk::SetCheckpointTime(Duration longer) {
  MutexLock lock(mutex_);
  checkpoint_longer_ = longer;
}

int64_t SimulatedDisk::checkpoints() const {
  MutexLock lock(mutex_);
  return checkpoints_;
}

bool SimulatedDisk::checkpointing() const {
  MutexLock lock(mutex_);
  return begun_.has_value();
}

}  // namespace ebla::tabletserver
