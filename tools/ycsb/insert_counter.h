// tools/ycsb/insert_counter.h
// Numbers the records that a run inserts and knows up to where all of them are there: readers choose only among records
// whose insert, and every one before it, has been answered.
// Invariants: Count() only grows, and every number below it has been acknowledged.
// Threads:    every member from any thread.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>

#include "common/base/mutex.h"

namespace ebla::ycsb {

class InsertCounter {
 public:
  // Records below `first` are there already.
  explicit InsertCounter(uint64_t first) : next_(first), acknowledged_(first) {}

  uint64_t Next() { return next_.fetch_add(1, std::memory_order_relaxed); }
  void Acknowledge(uint64_t number);
  // How many records are there, counted from 0: one more than the last that may be read.
  uint64_t Count() const { return acknowledged_.load(std::memory_order_acquire); }

 private:
  std::atomic<uint64_t> next_;
  std::atomic<uint64_t> acknowledged_;
  Mutex mutex_;
  // Whether number acknowledged_ + i is acknowledged. Bounded by how many inserts finish while the slowest one waits.
  std::deque<bool> beyond_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::ycsb
