// gateway/store/lost_race.h
// The next attempt after a lost race for a key: at once the first time, then after a random time that grows, so that
// all writers of the key make progress.
// Threads: any; `retry` runs within the call or on the executor.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>

#include "common/base/executor.h"

namespace ebla::gateway {

// `times`: the races lost so far.
inline void RetryAfterLosing(int times, Executor& executor, std::move_only_function<void()> retry) {
  constexpr int kLongestShift = 6;  // 64 ms
  if (times <= 1) return retry();
  const uint64_t longest_micros = uint64_t{1000} << std::min(times, kLongestShift);
  executor.After(std::chrono::microseconds(executor.Random() % longest_micros), std::move(retry));
}

}  // namespace ebla::gateway
