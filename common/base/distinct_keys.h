// common/base/distinct_keys.h
// Decides whether keys are distinct, cheaply because they nearly always are.
// Threads: a function of its arguments.
#pragma once

#include <span>
#include <string_view>

namespace ebla {

// True: no two of the keys are the same. False: two may be equal, and the caller must search them.
bool HaveDistinctHashes(std::span<const std::string_view> keys);

}  // namespace ebla
