#include "tabletserver/reads/reader_pool.h"

namespace ebla::tabletserver {

bool ReaderPool::Enter() {
  if (waiting_.fetch_add(1, std::memory_order_relaxed) < reads_max_) return true;
  waiting_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

void ReaderPool::Run(Task task) {
  Executor& reader = *executors_[next_.fetch_add(1, std::memory_order_relaxed) % executors_.size()];
  reader.Post([this, task = std::move(task)]() mutable {
    task();
    waiting_.fetch_sub(1, std::memory_order_relaxed);
  });
}

}  // namespace ebla::tabletserver
