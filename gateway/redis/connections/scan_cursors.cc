#include "gateway/redis/connections/scan_cursors.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ebla::gateway::redis {

uint64_t ScanCursors::Of(std::string_view key) {
  // Clients keep it as a number of 53 bits, as JavaScript's are.
  const uint64_t hash = XXH3_64bits(key.data(), key.size()) & ((uint64_t{1} << 53) - 1);
  return hash == 0 ? 1 : hash;
}

uint64_t ScanCursors::Remember(std::string_view key) {
  const uint64_t cursor = Of(key);
  MutexLock lock(mutex_);
  if (const auto found = by_cursor_.find(cursor); found != by_cursor_.end()) kept_.erase(found->second);
  kept_.emplace_front(cursor, key);
  by_cursor_[cursor] = kept_.begin();
  if (kept_.size() > kKept) {
    by_cursor_.erase(kept_.back().first);
    kept_.pop_back();
  }
  return cursor;
}

std::optional<std::string> ScanCursors::Find(uint64_t cursor) const {
  MutexLock lock(mutex_);
  const auto found = by_cursor_.find(cursor);
  if (found == by_cursor_.end()) return std::nullopt;
  return found->second->second;
}

}  // namespace ebla::gateway::redis
