// gateway/redis/connections/info.h
// The text of INFO.
// Threads: any.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "common/base/mutex.h"
#include "gateway/redis/wire/request_reader.h"

namespace ebla::gateway::redis {

struct Shared;

// The growth of a number, between two readings that are a second or more apart.
class RateMeter {
 public:
  // Per second.
  int64_t Of(uint64_t count, std::chrono::steady_clock::time_point now);

 private:
  static constexpr std::chrono::seconds kLeast{1};

  Mutex mutex_;
  std::chrono::steady_clock::time_point since_ EBLA_GUARDED_BY(mutex_) = std::chrono::steady_clock::now();
  uint64_t count_ EBLA_GUARDED_BY(mutex_) = 0;
  int64_t rate_ EBLA_GUARDED_BY(mutex_) = 0;
};

// CONFIG RESETSTAT.
void ResetCounts(const Shared& shared);

// The text of these sections, in any case of letters; of none: of Redis's default sections.
std::string InfoText(const Shared& shared, const Words& sections);

}  // namespace ebla::gateway::redis
