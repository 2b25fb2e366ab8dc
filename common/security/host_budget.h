// common/security/host_budget.h
// How much of something each address may do in a time: fail to log in, have a line in a log.
// Invariants: 1. What is kept is bounded: when too many addresses are known, new ones share a budget.
//             2. An IPv6 address counts by its first 64 bits, as one machine has all of the others.
// Threads:    any.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla::security {

class HostBudget {
 public:
  HostBudget(int64_t most, Duration window) : most_(most), window_(window) {}

  // `peer`: host:port.
  bool Left(const std::string& peer, MonotonicTime now) const;
  struct Spent {
    bool granted = false;
    int64_t left_out = 0;  // that were not granted before, in the window that has just ended
  };
  Spent Spend(const std::string& peer, MonotonicTime now);

 private:
  struct Window {
    int64_t count = 0;
    MonotonicTime since;
  };
  bool Over(const Window& window, MonotonicTime now) const { return now - window.since >= window_; }

  const int64_t most_;
  const Duration window_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, Window> hosts_ EBLA_GUARDED_BY(mutex_);
};

// Without the port; of an IPv6 address its first 64 bits.
std::string HostOf(const std::string& peer);

}  // namespace ebla::security
