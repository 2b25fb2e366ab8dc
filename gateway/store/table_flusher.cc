#include "gateway/store/table_flusher.h"

#include <utility>

#include "gateway/store/flush_table.h"

namespace ebla::gateway {

struct TableFlusher::Waiting {
  Executor& executor;
  TimerId timer;
};

void TableFlusher::Flush(Callback<Status> done) {
  Forget();
  Join(std::move(done));
}

void TableFlusher::FlushAfter(Duration delay, Executor& executor) {
  Forget();
  MutexLock lock(mutex_);
  if (stopping_) return;
  waiting_ = std::make_shared<Waiting>(Waiting{.executor = executor, .timer = {}});
  // An expired pointer means that the flusher is gone, too.
  waiting_->timer = executor.After(delay, [this, weak = std::weak_ptr(waiting_)] {
    if (const auto waiting = weak.lock()) OnTime(waiting);
  });
}

void TableFlusher::OnTime(const std::shared_ptr<Waiting>& waiting) {
  {
    MutexLock lock(mutex_);
    if (stopping_ || waiting_ != waiting) return;
    waiting_ = nullptr;
  }
  Join(nullptr);
}

void TableFlusher::Stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  Forget();
}

bool TableFlusher::quiet() const {
  MutexLock lock(mutex_);
  return !running_;
}

void TableFlusher::Forget() {
  std::shared_ptr<Waiting> waiting;
  {
    MutexLock lock(mutex_);
    waiting.swap(waiting_);
  }
  if (waiting != nullptr) waiting->executor.Cancel(waiting->timer);
}

// `done` may be null.
void TableFlusher::Join(Callback<Status> done) {
  std::vector<Callback<Status>> askers;
  {
    MutexLock lock(mutex_);
    if (done) next_.push_back(std::move(done));
    if (running_) {
      again_ = true;
      return;
    }
    running_ = true;
    askers.swap(next_);
  }
  Begin(std::move(askers));
}

void TableFlusher::Begin(std::vector<Callback<Status>> askers) {
  FlushTable(store_, deadline_, [this, askers = std::move(askers)](Status status) mutable {
    for (Callback<Status>& done : askers) done(status);
    std::vector<Callback<Status>> next;
    {
      MutexLock lock(mutex_);
      running_ = std::exchange(again_, false);
      if (!running_) return;
      next.swap(next_);
    }
    Begin(std::move(next));
  });
}

// ---- of many stores -------------------------------------------------------------------------------------------------

// The callers of a flush keep it until the flush has ended.
struct TableFlushes::Flushed {
  Flushed(std::shared_ptr<Store> flushed, std::chrono::milliseconds deadline)
      : store(std::move(flushed)), flusher(*store, deadline) {}
  const std::shared_ptr<Store> store;
  TableFlusher flusher;
};

void TableFlushes::Flush(std::shared_ptr<Store> store, Callback<Status> done) {
  std::shared_ptr<Flushed> flushed;
  {
    MutexLock lock(mutex_);
    std::erase_if(flushed_, [](const auto& entry) { return entry.second.expired(); });
    std::weak_ptr<Flushed>& known = flushed_[store.get()];
    flushed = known.lock();
    if (flushed == nullptr) known = flushed = std::make_shared<Flushed>(std::move(store), deadline_);
  }
  TableFlusher& flusher = flushed->flusher;
  flusher.Flush(
      [flushed = std::move(flushed), done = std::move(done)](Status status) mutable { done(std::move(status)); });
}

}  // namespace ebla::gateway
