// tests/chaos/verdicts/outage.h
// When each tablet answered, and so how long it did not: the longest time between two answers, as the clients saw them.
// Kinds:   strong reads, and writes at MAJORITY; each has its own gaps, and a tablet serves again when both do.
// Threads: any.
#pragma once

#include <chrono>
#include <optional>
#include <vector>

#include "common/base/mutex.h"

namespace ebla::chaos {

using WallClock = std::chrono::steady_clock;

struct Gap {
  std::chrono::milliseconds length{0};
  bool of_writes = false;
};

class OutageWatch {
 public:
  explicit OutageWatch(int tablets) : tablets_(static_cast<size_t>(tablets)) {}

  void Answered(int tablet, bool write, WallClock::time_point asked, WallClock::time_point answered);
  // Has the tablet answered both a read and a write that were asked after `moment`?
  bool ServedSince(int tablet, WallClock::time_point moment) const;
  // The longest gap that ends after `moment`, of either kind. None: one kind has not been answered since.
  std::optional<Gap> Longest(int tablet, WallClock::time_point moment) const;
  // Forgets all answers but the last of each.
  void Forget();

 private:
  struct Answer {
    WallClock::time_point asked;
    WallClock::time_point answered;
  };
  struct Tablet {
    std::vector<Answer> reads;
    std::vector<Answer> writes;
  };

  mutable Mutex mutex_;
  std::vector<Tablet> tablets_ EBLA_GUARDED_BY(mutex_);
};

// The value below which `part` (0 to 1) of all are; zero of none. Sorts.
std::chrono::milliseconds Percentile(std::vector<std::chrono::milliseconds>& values, double part);

}  // namespace ebla::chaos
