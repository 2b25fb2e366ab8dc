// gateway/redis/connections/scan_cursors.h
// The keys after which SCAN's cursors continue. A cursor is its key's hash, so that any gateway can resolve it. A
// gateway that has not given out a cursor looks for the key with that hash in the table. If there is none, the scan
// starts from the beginning. So SCAN never misses a key that exists throughout, and may return a key twice.
// Bounds:  remembers the latest kKept cursors.
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

  // Never 0, because 0 starts a scan.
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
