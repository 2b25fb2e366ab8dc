#include "tabletserver/storage/wiredtiger/wt_watcher.h"

#include <glog/logging.h>

#include <algorithm>

namespace ebla::tabletserver {

namespace {

constexpr int64_t kLittleSpace = int64_t{1} << 30;  // below it nothing is held back

}  // namespace

// Far above the reserve, so that no write is refused for want of room that can be given back.
bool WtWatcher::HasRoom() const {
  return reserve_.last().free_bytes >= std::max(4 * options_.disk_reserve_bytes, kLittleSpace);
}

void WtWatcher::Watch() {
  reserve_.Check();
  while (!HasRoom() && recycler_.FreeMuch()) reserve_.Check();
  roomy_ = HasRoom();
  if (!roomy_) DropSpares();
  records_.ReadCounters();
  if (!freeing_) FreeFiles();
  store_.CleanLog(roomy_);
  if (!preparing_) PrepareSegment();
  Later(options_.disk_check_period, &WtWatcher::Watch);
}

void WtWatcher::FreeFiles() {
  const std::optional<Duration> next = recycler_.FreeSome();
  freeing_ = next.has_value();
  if (next) Later(*next, &WtWatcher::FreeFiles);
}

void WtWatcher::DropSpares() {
  if (const Status dropped = log_disk_.DropSpares(); !dropped.ok()) LOG(WARNING) << dropped;
}

// Once half a segment is full: a store that hardly writes needs none.
void WtWatcher::PrepareSegment() {
  constexpr Duration kRest = std::chrono::microseconds(2500);
  preparing_ = false;
  if (!roomy_ || log_.counts().bytes < options_.log_file_bytes / 2) return;
  const Result<bool> more = log_disk_.Prepare(options_.log_file_bytes);
  LOG_IF(WARNING, !more) << "no segment of the log is prepared: " << more.error();
  preparing_ = more.value_or(false);
  if (preparing_) Later(kRest, &WtWatcher::PrepareSegment);
}

void WtWatcher::Later(Duration rest, void (WtWatcher::*task)()) {
  options_.watcher->After(rest, [this, task, gate = gate_] { gate->Enter([this, task] { (this->*task)(); }); });
}

}  // namespace ebla::tabletserver
