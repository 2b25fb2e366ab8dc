// gateway/redis/connections/scan_cursors.h
// What SCAN's cursors stand for: the key to go on after. A cursor is the key's hash, so any gateway can find it again: one
// that has not given it out looks for the key with that hash among the keys of the table, and where there is none any
// more, begins anew. So a key that is there throughout is never missed; some may come twice.
// Bounds:  kKept cursors are remembered, the latest.
// Threads: any.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "common/base/mutex.h"

namespace ebla::gateway::redis {

class ScanCursors {
 public:
  static constexpr size_t kKept = 10'000;

  // Never 0, which begins a scan.
  static uint64_t Of(std::string_view key);

  uint64_t Remember(std::string_view key);
  std::optional<std::string> Find(uint64_t cursor) const;

 private:
  using Kept = std::list<std::pair<uint64_t, std::string>>;

  mutable Mutex mutex_;
  Kept kept_ EBLA_GUARDED_BY(mutex_);  // the latest first
  std::unordered_map<uint64_t, Kept::iterator> by_cursor_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis
