// client/core/calls/deadline.h
// The longest deadline of an operation.
// Threads: a function of its arguments.
#pragma once

#include <algorithm>
#include <chrono>

#include "common/base/executor.h"

namespace ebla::client {

// Longer deadlines are cut to this, so that neither a time of now plus a deadline nor the wire's 32 bits of
// milliseconds overflow.
inline constexpr std::chrono::milliseconds kDeadlineMax = std::chrono::days(20);

inline Duration DeadlineOf(std::chrono::milliseconds asked) { return std::min(asked, kDeadlineMax); }

}  // namespace ebla::client
