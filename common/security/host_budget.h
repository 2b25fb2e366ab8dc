// common/security/host_budget.h
// Limits how often each address may do something in a time: fail to log in, get a line in a log. With a name, each
// address has a budget for that name.
// Invariants: 1. Memory is bounded: when too many addresses are known, new ones share a budget, or have no limit here,
//             as the owner chooses.
//             2. An IPv6 address counts by its first 64 bits, because one machine may use all addresses below them.
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
  enum class WhenFull { kShare, kLetPass };
  HostBudget(int64_t most, Duration window, WhenFull when_full = WhenFull::kShare)
      : most_(most), window_(window), when_full_(when_full) {}

  // `peer`: host:port.
  bool Left(const std::string& peer, MonotonicTime now, const std::string& of = "") const;
  struct Spent {
    bool granted = false;
    int64_t left_out = 0;  // that were not granted before, in the window that has just ended
  };
  Spent Spend(const std::string& peer, MonotonicTime now, const std::string& of = "");
  // Returns budget spent in this window by mistake.
  void GiveBack(const std::string& peer, MonotonicTime now);

 private:
  struct Window {
    int64_t count = 0;
    MonotonicTime since;
  };
  bool Over(const Window& window, MonotonicTime now) const { return now - window.since >= window_; }

  const int64_t most_;
  const Duration window_;
  const WhenFull when_full_;
  mutable Mutex mutex_;
  std::unordered_map<std::string, Window> hosts_ EBLA_GUARDED_BY(mutex_);
};

// Without the port; of an IPv6 address its first 64 bits.
std::string HostOf(const std::string& peer);

}  // namespace ebla::security
