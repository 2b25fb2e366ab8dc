// gateway/redis/connections/error_counts.h
// Counts the error replies of a gateway by their codes, for INFO errorstats.
// Bounds:  codes beyond kCodesMax count as ERR, because scripts may invent codes.
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "common/base/mutex.h"

namespace ebla::gateway::redis {

class ErrorCounts {
 public:
  static constexpr size_t kCodesMax = 128;

  // Counts the reply if it is an error.
  void Count(std::string_view reply);
  void Reset();
  std::map<std::string, uint64_t> All() const;

 private:
  mutable Mutex mutex_;
  std::map<std::string, uint64_t> counts_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis
