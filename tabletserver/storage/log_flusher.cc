#include "tabletserver/storage/log_flusher.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace ebla::tabletserver {
namespace {

// A caller that flushes at once has other work to do, so a slow disk ends such flushes for a while. A single slow write
// tells nothing, because a busy machine may have taken the processor away.
constexpr Duration kPatience = std::chrono::milliseconds(5), kMistrust = std::chrono::seconds(10);
constexpr Duration kSlowSync = std::chrono::milliseconds(250);

}  // namespace

LogFlusher::~LogFlusher() {
  gate_->Close();
  MutexLock lock(mutex_);
  executor_.Cancel(timer_);
}

void LogFlusher::Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) {
  bool first;
  {
    MutexLock lock(mutex_);
    waiters_.push_back({&executor, std::move(done)});
    wants_disk_ |= mode == FlushMode::kSync;
    first = !std::exchange(posted_, true);
  }
  if (first) PostRun();  // the thread that this wakes wants the lock
}

void LogFlusher::PostRun() {
  executor_.Post([this, gate = gate_] { gate->Enter([this] { Run(); }); });
}

void LogFlusher::Run() {
  std::vector<Waiter> served;
  bool to_disk = false;
  {
    MutexLock lock(mutex_);
    posted_ = false;
    served.swap(waiters_);
    to_disk = std::exchange(wants_disk_, false);
    unsynced_ = false;
    if (!to_disk) NoteUnsynced();
  }
  if (to_disk) sync_times_.NoteBegin(executor_.Now());
  const Status flushed = log_.Flush(to_disk ? FlushMode::kSync : FlushMode::kInterval);
  const Duration took = to_disk ? sync_times_.NoteEnd(executor_.Now()) : Duration(0);
  LOG_IF(WARNING, took >= kSlowSync) << "a sync of the log took "
                                     << std::chrono::duration_cast<std::chrono::milliseconds>(took).count()
                                     << " ms, and writes have waited for it: the disk is slow, or busy";
  Complete(std::move(served), flushed);
}

// Tells each executor's waiters in one task, in the order of their requests.
void LogFlusher::Complete(std::vector<Waiter> waiters, const Status& status) {
  for (auto first = waiters.begin(); first != waiters.end();) {
    Executor* const executor = first->executor;
    std::vector<std::move_only_function<void(Status)>> group;
    for (; first != waiters.end() && first->executor == executor; ++first) group.push_back(std::move(first->done));
    executor->Post([group = std::move(group), status]() mutable {
      for (auto& done : group) done(status);
    });
  }
}

std::optional<Status> LogFlusher::FlushAtOnce() {
  {
    MutexLock lock(mutex_);
    if (posted_ || executor_.Now() < slow_until_) return std::nullopt;
  }
  const MonotonicTime began = executor_.Now();
  std::optional<Status> flushed = log_.FlushAtOnce();
  const MonotonicTime now = executor_.Now();
  // Only after the write, because an fsync that ends meanwhile does not cover it.
  MutexLock lock(mutex_);
  if (flushed) NoteUnsynced();
  if (now - began > kPatience) {
    if (now < suspected_until_) slow_until_ = now + kMistrust;
    suspected_until_ = now + 2 * kMistrust;
  }
  return flushed;
}

void LogFlusher::NoteUnsynced() {
  unsynced_ = true;
  if (!timer_) StartTimer();
}

void LogFlusher::StartTimer() {
  executor_.Cancel(timer_);
  timer_ = executor_.After(interval_, [this, gate = gate_] { gate->Enter([this] { EndInterval(); }); });
}

void LogFlusher::EndInterval() {
  MutexLock lock(mutex_);
  timer_ = {};
  if (!unsynced_) return;
  wants_disk_ = true;
  if (!std::exchange(posted_, true)) PostRun();
}

void LogFlusher::ChooseInterval() {
  Duration shortest = interval_max_;
  for (const auto& [id, table] : tables_) shortest = std::min(shortest, table.interval);
  const bool shorter = shortest < std::exchange(interval_, shortest);
  if (shorter && timer_) StartTimer();
}

// Looks for the table after it has set the interval, because a drop that ends in between has nothing to forget yet.
void LogFlusher::SetInterval(TableId table, int64_t schema_version, Duration interval) {
  {
    MutexLock lock(mutex_);
    const auto [known, added] = tables_.try_emplace(table, schema_version, interval);
    if (!added && schema_version < known->second.schema_version) return;
    known->second = {schema_version, interval};
    ChooseInterval();
  }
  if (!has_table_(table)) ForgetTable(table);
}

void LogFlusher::ForgetTable(TableId table) {
  MutexLock lock(mutex_);  // held for the answer too: else an interval that is set for a new table could be erased
  if (!has_table_(table) && tables_.erase(table) > 0) ChooseInterval();
}

}  // namespace ebla::tabletserver
