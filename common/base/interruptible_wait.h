// common/base/interruptible_wait.h
// A wait of a program that a person may end: for the shell and what it does at length. Servers have timers.
// Threads: the one that waits.
#pragma once

#include <algorithm>
#include <chrono>
#include <thread>

namespace ebla {

// Waits for this time. Asks `interrupted` twenty times a second. False: it was true before the time was over, or at its
// end.
template <class Interrupted>
bool WaitUnless(const Interrupted& interrupted, std::chrono::steady_clock::duration duration) {
  using Clock = std::chrono::steady_clock;
  for (const auto until = Clock::now() + duration; Clock::now() < until && !interrupted();)
    std::this_thread::sleep_for(std::min<Clock::duration>(std::chrono::milliseconds(50), until - Clock::now()));
  return !interrupted();
}

}  // namespace ebla
