// tabletserver/reads/reader_pool.h
// The threads that take reads which may wait for the disk, so that the event loops do not.
// Threads: any.
#pragma once

#include <atomic>
#include <utility>
#include <vector>

#include "common/base/executor.h"

namespace ebla::tabletserver {

// Readers' executors, taken in turn, and how many reads they have.
class ReaderPool {
 public:
  ReaderPool(std::vector<Executor*> executors, size_t reads_max)
      : executors_(std::move(executors)), reads_max_(reads_max) {}
  bool empty() const { return executors_.empty(); }
  // A place for one read; false: too many wait already.
  bool Enter();
  // Runs the read that has a place.
  void Run(Task task);
  size_t waiting() const { return waiting_.load(std::memory_order_relaxed); }

 private:
  const std::vector<Executor*> executors_;
  const size_t reads_max_;
  std::atomic<size_t> next_{0};
  std::atomic<size_t> waiting_{0};
};

}  // namespace ebla::tabletserver
