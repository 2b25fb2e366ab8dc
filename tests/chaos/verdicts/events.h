// tests/chaos/verdicts/events.h
// One order of all calls and answers of this process's threads. A call has its event before anything is sent, an answer
// after it has arrived. An operation that was answered before another was called happened before it.
// Threads: any.
#pragma once

#include <atomic>

#include "tests/sim/checker/history.h"

namespace ebla::chaos {

using sim::EventNumber;

inline EventNumber NextEvent() {
  static std::atomic<EventNumber> last{0};
  return ++last;
}

// From before the call until after the answer.
struct Span {
  EventNumber invoked = 0;
  EventNumber returned = sim::kNever;
};

// No list of problems grows beyond this.
inline constexpr size_t kVerdictProblemsMax = 20;

}  // namespace ebla::chaos
