// tabletserver/server/clock_guard.h
// Decides whether the machine's clock can be right. It compares the clock with the last sure time: the mark that the
// process before this one left on the disk (storage/wiredtiger/clock_mark.h), and from then on with its own last look.
//
//   the last sure time is of      the clock is believed
//   this boot of the machine      within step_max of that time plus what CLOCK_BOOTTIME counted since
//   another boot, or unknown      as above, or from step_max before the mark up to leap_max after it: a machine without
//                                 a hardware clock may show its right time long after the start
//   nothing is known              always: a new directory, or one of a build before marks
//
// A clock beyond that is believed if the kernel reports that NTP has synchronized it. The kernel takes the report back
// when the clock is set by other means, until NTP agrees. From then on leap_max counts no more. Any other clock is
// doubted, and DayMs() continues from the last sure time by the monotonic clock. So a doubt delays expiry, and never
// hastens it. A doubt ends when the clock is within its bounds again, when NTP has synchronized it, when the clock of a
// master on another machine confirms it, or when an operator accepts it.
// Place:      server_process.cc makes one with the found mark, and has the store keep mark() with each write of its
//             inventory, up to the last one of a clean stop. tabletserver_host.h asks it.
// Invariants: 1. DayMs() is never later than the machine's clock, unless that has been set back.
//             2. The mark never shows a doubted time: a later start compares its clock with the last sure one, too.
//             3. A clock of the same boot, such as that of a standalone's own master, confirms nothing.
// Tests:      tabletserver/server/clock_guard_test.cc, tests/integration/clock_test.cc
// Threads:    any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/wiredtiger/clock_mark.h"
#include "tabletserver/tablet/day_clock.h"

namespace ebla::tabletserver {

struct ClockGuardOptions {
  std::string boot;                // of this machine; empty: unknown, and no clock confirms this one
  std::optional<ClockMark> found;  // none: nothing is known of an earlier time
  // The kernel reports that NTP has synchronized the machine's clock.
  std::function<bool()> synchronized = [] { return false; };
  Duration leap_max = std::chrono::hours(24);
  Duration step_max = std::chrono::seconds(60);   // by which a clock is set while its machine runs
  Duration apart_max = std::chrono::seconds(10);  // of two clocks that confirm each other
};

class ClockGuard final : public DayClock {
 public:
  // Only the clocks of `machine` are read.
  ClockGuard(const Executor& machine, ClockGuardOptions options);

  int64_t DayMs() const override;
  ClockTrust trust() const override;
  void AddWaiting(int64_t tablets) override { waiting_.fetch_add(tablets, std::memory_order_relaxed); }

  // For the next start.
  ClockMark mark() const;
  // A master has sent its time of day, and the boot of its machine.
  void Compare(int64_t masters_day_ms, const std::string& boot);
  // An operator says that the clock is right.
  void Accept();

  struct State {
    int64_t machine_ms = 0;  // what the machine's clock shows
    int64_t doubt_ms = 0;    // by how much that is ahead of the last sure time; below 0: behind; 0: it is believed
    int64_t waiting = 0;     // tablets led here whose time began in a doubt
  };
  State state() const;

 private:
  struct Reading {
    MonotonicTime since_boot;
    int64_t machine_ms = 0;
  };
  Reading Read() const;
  // By how much the clock of `reading` is ahead of `of`, continued by the monotonic clock.
  static int64_t AheadMs(const Reading& of, const Reading& reading);
  // Reads the clock, and judges it.
  Reading Look() const EBLA_REQUIRES(mutex_);
  int64_t SureAt(MonotonicTime now) const EBLA_REQUIRES(mutex_);
  bool IsWithinBounds(const Reading& reading) const EBLA_REQUIRES(mutex_);
  void Believe(const Reading& reading) const EBLA_REQUIRES(mutex_);

  const Executor& machine_;
  const ClockGuardOptions options_;
  std::atomic<int64_t> waiting_{0};

  mutable Mutex mutex_;
  // The last sure time, and the boot in which it was sure.
  mutable Reading sure_ EBLA_GUARDED_BY(mutex_);
  mutable std::string sure_boot_ EBLA_GUARDED_BY(mutex_);
  // The mark of another boot, as if it were of this start; none: the time since is known.
  mutable std::optional<Reading> former_ EBLA_GUARDED_BY(mutex_);
  mutable ClockTrust trust_ EBLA_GUARDED_BY(mutex_) = ClockTrust::kSure;
};

}  // namespace ebla::tabletserver
