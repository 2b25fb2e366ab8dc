// common/base/clocks.h
// This machine's clocks. A class with an Executor asks its clock, which tests can set.
// Threads: any.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>

#include "common/base/executor.h"

namespace ebla {

inline MonotonicTime MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return {std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec)};
}

// A tick of the system's.
inline const std::chrono::nanoseconds kCoarseness = [] {
  timespec resolution{};
  clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
  return std::chrono::seconds(resolution.tv_sec) + std::chrono::nanoseconds(resolution.tv_nsec);
}();
// The steady clock of a moment ago, for a fifth of the cost of reading it: never in the future, and late by at most
// kCoarseness, unless the tick itself is late.
inline std::chrono::steady_clock::time_point CoarseNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::steady_clock::time_point(std::chrono::seconds(now.tv_sec) +
                                               std::chrono::nanoseconds(now.tv_nsec));
}

// Milliseconds since 1970.
inline int64_t TimeOfDayMs() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
}

// Compared in milliseconds: the clock's nanoseconds have no moment after 2262.
inline bool HasPassed(std::chrono::sys_time<std::chrono::milliseconds> moment) {
  return moment.time_since_epoch().count() <= TimeOfDayMs();
}

}  // namespace ebla
