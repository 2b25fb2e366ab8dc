// tabletserver/tablet/day_clock.h
// The time of day that this server believes (PROTOCOL 21). The machine's own clock may jump by years, and records must
// not expire for it.
// Place:   server/clock_guard.h decides. Whatever begins tablet time or stamps a write asks here: shards, hinted writes
//          and fences. The clocks of executors bound the times in requests, and date the log's feed. No record expires
//          by them.
// Tests:   tabletserver/server/clock_guard_test.cc
// Threads: any.
#pragma once

#include <cstdint>

namespace ebla::tabletserver {

enum class ClockTrust : uint8_t {
  kSure,      // DayMs() is the machine's clock
  kDoubted,   // DayMs() continues from the last sure time
  kAccepted,  // as kSure: an operator has ended the last doubt
};

class DayClock {
 public:
  virtual ~DayClock() = default;
  // Milliseconds since 1970. In doubt it is the last sure time, continued by the monotonic clock.
  virtual int64_t DayMs() const = 0;
  virtual ClockTrust trust() const = 0;
  // Counts tablets led here whose time began in a doubt; below 0: so many fewer.
  virtual void AddWaiting(int64_t tablets) = 0;
};

}  // namespace ebla::tabletserver
