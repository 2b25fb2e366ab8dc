#include "gateway/redis/connections/error_counts.h"

namespace ebla::gateway::redis {

void ErrorCounts::Count(std::string_view reply) {
  if (!reply.starts_with('-')) return;
  constexpr size_t kCodeMax = 32;  // where Redis looks for its end
  const size_t end = reply.substr(0, kCodeMax).find(' ');
  std::string code(end == reply.npos ? "ERR" : reply.substr(1, end - 1));
  MutexLock lock(mutex_);
  if (counts_.size() >= kCodesMax && !counts_.contains(code)) code = "ERR";
  ++counts_[code];
}

void ErrorCounts::Reset() {
  MutexLock lock(mutex_);
  counts_.clear();
}

std::map<std::string, uint64_t> ErrorCounts::All() const {
  MutexLock lock(mutex_);
  return counts_;
}

}  // namespace ebla::gateway::redis
