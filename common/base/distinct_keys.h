// common/base/distinct_keys.h
// Whether keys are distinct, asked cheaply where they nearly always are.
// Threads: a function of its arguments.
#pragma once

#include <span>
#include <string_view>

namespace ebla {

// True: no two of the keys are the same. False: two may be, and somebody has to look which.
bool HaveDistinctHashes(std::span<const std::string_view> keys);

}  // namespace ebla
