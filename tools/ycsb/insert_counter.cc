#include "tools/ycsb/insert_counter.h"

#include "common/base/mutex.h"

namespace ebla::ycsb {

void InsertCounter::Acknowledge(uint64_t number) {
  MutexLock lock(mutex_);
  uint64_t first = acknowledged_.load(std::memory_order_relaxed);
  if (number < first) return;
  const uint64_t at = number - first;
  if (beyond_.size() <= at) beyond_.resize(at + 1, false);
  beyond_[at] = true;
  while (!beyond_.empty() && beyond_.front()) {
    beyond_.pop_front();
    ++first;
  }
  acknowledged_.store(first, std::memory_order_release);
}

}  // namespace ebla::ycsb
