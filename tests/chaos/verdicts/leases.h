// tests/chaos/verdicts/leases.h
// A lock with a lease: the clients that were told that they hold it, and from when until when.
// Judged:  1. No two hold it at once. Any two holds have an order in which the later began after the earlier lease had
//             expired or was released.
//          2. No client loses it before its lease expires.
// Margin:  a lease is granted in milliseconds of the server's clock, and counted here by this process's.
// Threads: Held() any; Judge() while no thread calls it.
#pragma once

#include <chrono>
#include <limits>
#include <string>
#include <vector>

#include "common/base/mutex.h"

namespace ebla::chaos {

struct Hold {
  using Moment = std::chrono::steady_clock::time_point;
  std::string client;
  Moment asked;     // before the lock was asked for
  Moment acquired;  // after it was answered with OK
  std::chrono::milliseconds lease{0};
  Moment given_back = Moment::max();  // before its release was asked for
  Moment lost = Moment::max();        // after a release was answered with: it is not yours
};

class Leases {
 public:
  static constexpr std::chrono::milliseconds kMargin{5};

  void Held(Hold hold);
  std::vector<std::string> Judge() const;

 private:
  mutable Mutex mutex_;
  std::vector<Hold> holds_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::chaos
