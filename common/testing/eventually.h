// common/testing/eventually.h
// For tests of what other threads and processes do in their own time: looks again and again.
#pragma once

#include <chrono>
#include <thread>

namespace ebla::testing {

// Waits, within a bound, until the condition holds.
template <class Condition>
bool Eventually(Condition condition, std::chrono::seconds limit = std::chrono::seconds(60)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return true;
}

}  // namespace ebla::testing
