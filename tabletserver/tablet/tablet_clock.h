// tabletserver/tablet/tablet_clock.h
// Tablet time (PROTOCOL 21). From the latest time that a replica has seen, it advances by the replica's own monotonic
// clock and never runs back; after a restart it is unknown until the replica leads again.
// Place:      tablet_core.h owns it; TabletView carries its basis, so that readers on other threads compute the same
//             time.
// Invariants: times given out never fall, and never fall below what was seen.
// Threads:    TabletTimeBasis is a value; TabletClock is thread-compatible.
#pragma once

#include <algorithm>

#include "common/base/executor.h"
#include "common/base/ids.h"

namespace ebla::tabletserver {

// A line through one point: tablet time `at` when the monotonic clock showed `when`.
struct TabletTimeBasis {
  TabletTime at;  // none: not known
  MonotonicTime when;

  // Never before `at`, for any value of the clock.
  TabletTime Now(MonotonicTime now) const {
    if (!at) return {};
    const auto passed = std::chrono::duration_cast<std::chrono::milliseconds>(now - when).count();
    return TabletTime{at.value + static_cast<uint64_t>(std::max<int64_t>(passed, 0))};
  }
  friend bool operator==(const TabletTimeBasis&, const TabletTimeBasis&) = default;
};

class TabletClock {
 public:
  bool known() const { return static_cast<bool>(basis_.at); }
  TabletTime Now(MonotonicTime now) const { return basis_.Now(now); }
  const TabletTimeBasis& basis() const { return basis_; }

  // Tablet time is at least this: an entry, heartbeat, confirmation, transfer or Fence answer said so.
  void RaiseTo(TabletTime seen, MonotonicTime now) {
    if (seen > Now(now)) basis_ = {seen, now};
  }

  // The time from which a new primary starts: the greatest of its own time and the times of the log's last entry and
  // the fence's answers; also the time of day when `restarted`, that is when no answer had a time.
  TabletTime StartAt(MonotonicTime now, TabletTime learnt, int64_t time_of_day_ms, bool restarted) const {
    const TabletTime day{static_cast<uint64_t>(std::max<int64_t>(time_of_day_ms, 1))};
    return std::max({Now(now), learnt, restarted && !known() ? day : TabletTime{1}});
  }

 private:
  TabletTimeBasis basis_;
};

}  // namespace ebla::tabletserver
