// common/base/clocks.h
// This machine's clocks. Who has an Executor asks that one, which tests can wind.
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
