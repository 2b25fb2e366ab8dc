// common/base/refusals.h
// Counts messages that no honest process sends, and logs them without letting their sender fill the log.
// Place:   one in each process; request handlers refuse by it (number_limits.h), its metrics show the count.
// Threads: any.
#pragma once

#include <glog/logging.h>

#include <atomic>
#include <string_view>

#include "common/base/status.h"

namespace ebla {

class Refusals {
 public:
  // Returns its argument, for the answer.
  Status Refuse(std::string_view from, Status why) {
    Count(from, why);
    return why;
  }
  // For messages without an answer.
  void Count(std::string_view from, const Status& why) {
    count_.fetch_add(1, std::memory_order_relaxed);
    LOG_EVERY_T(WARNING, 10) << "refused what " << from << " said: " << why.message() << " (" << count()
                             << " messages were refused since the start)";
  }
  uint64_t count() const { return count_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> count_{0};
};

}  // namespace ebla
