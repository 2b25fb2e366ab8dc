// common/base/mailbox.h
// A bounded queue into an executor, emptied in batches: many threads put, one task drains. The first item into an empty
// mailbox posts that task, so a burst costs one wake-up.
// Place:      loops hand writes to shards, shards hand replies to loops.
// Brief:      while few wait, all of one thread and all dealt with quickly, they are the executor's brief work
//             (executor.h). Any other item, and items put before it is drained, wake the executor's own thread.
// Invariants: 1. Items of one flow are drained in the order in which they were put.
//             2. Items and bytes within are bounded. When it is full, a flow that has less than its share of that still
//                puts, so all flows together hold at most twice the bounds.
//             3. Batches are small, and each flow has its share of one, so that a light flow does not wait behind a
//                busy one, nor do the executor's other tasks. Brief work is little, and drained whole.
// Threads:    Put() from any; `drain` runs on the executor. The mailbox outlives its executor's tasks.
#pragma once

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla {

template <class T>
class Mailbox {
 public:
  struct Bounds {
    size_t items = 0;
    size_t bytes = 0;  // in memory, as Put() is told
  };
  struct Parcel {
    T item;
    size_t flow = 0;
  };
  // Items that are not brief are drained so many at a time.
  static constexpr size_t kBatch = 16;
  // Together, more than that is not brief any more: another thread had better do it meanwhile.
  static constexpr size_t kBriefItems = 64, kBriefBytes = 24 << 10;

  Mailbox(Executor& executor, Bounds bounds, std::function<void(std::vector<T>)> drain)
      : executor_(executor), bounds_(bounds), drain_(std::move(drain)) {}

  // False, and `item` is untouched: full. `flow`: whose it is. `brief`: dealing with it takes no time to speak of.
  bool Put(T&& item, size_t bytes, size_t flow = 0, bool brief = false) {
    bool first = false, was_brief = false, is_brief = false;
    {
      MutexLock lock(mutex_);
      const bool full = items_ >= bounds_.items || (bytes_ + bytes > bounds_.bytes && items_ > 0);
      if (full && !HasLessThanItsShare(flow, bytes)) return false;
      Flow& queue = flows_[flow];
      queue.items.push_back(std::move(item));
      queue.bytes += bytes;
      bytes_ += bytes;
      first = items_++ == 0;
      if (first) putter_ = std::this_thread::get_id();
      was_brief = first || brief_;
      is_brief = brief_ =
          was_brief && brief && putter_ == std::this_thread::get_id() && items_ <= kBriefItems && bytes_ <= kBriefBytes;
    }
    if (first || was_brief != is_brief) PostDrain(is_brief);
    return true;
  }

  // All of them, whatever the bounds, and with one wake-up.
  void PutAll(std::vector<Parcel> parcels) {
    if (parcels.empty()) return;
    bool wake = false;
    {
      MutexLock lock(mutex_);
      wake = items_ == 0 || brief_;
      for (Parcel& parcel : parcels) flows_[parcel.flow].items.push_back(std::move(parcel.item));
      items_ += parcels.size();
      brief_ = false;
    }
    if (wake) PostDrain(false);
  }

 private:
  struct Flow {
    std::vector<T> items;  // of which so many at the beginning were taken
    size_t taken = 0;
    size_t bytes = 0;
    size_t size() const { return items.size() - taken; }
    auto begin() { return items.begin() + static_cast<std::ptrdiff_t>(taken); }
  };

  void PostDrain(bool brief) {
    const auto drain = [this, brief] { Drain(brief); };
    brief ? executor_.PostBrief(drain) : executor_.Post(drain);
  }

  bool HasLessThanItsShare(size_t flow, size_t bytes) const EBLA_REQUIRES(mutex_) {
    const auto found = flows_.find(flow);
    const size_t flows = flows_.size() + (found == flows_.end() ? 1 : 0);
    if (flows == 1) return false;
    const size_t items = found == flows_.end() ? 0 : found->second.size();
    const size_t held = found == flows_.end() ? 0 : found->second.bytes;
    return items < bounds_.items / flows && held + bytes <= bounds_.bytes / flows;
  }

  // `brief`: what is not has a drain of its own on the way.
  void Drain(bool brief) {
    std::vector<T> batch;
    bool more = false;
    {
      MutexLock lock(mutex_);
      if (items_ == 0 || (brief && !brief_)) return;
      const bool all = brief || items_ <= kBatch;
      if (all && flows_.size() == 1) {
        Flow& flow = flows_.begin()->second;
        flow.items.erase(flow.items.begin(), flow.begin());
        batch.swap(flow.items);
        flows_.clear();
      } else {
        TakeShares(batch, all ? items_ : std::max<size_t>(1, kBatch / flows_.size()));
      }
      items_ -= batch.size();
      if (flows_.empty()) bytes_ = 0;
      more = items_ > 0;
      if (more) brief_ = false;
    }
    if (more) PostDrain(false);
    drain_(std::move(batch));
  }

  // So many of each flow.
  void TakeShares(std::vector<T>& batch, size_t each) EBLA_REQUIRES(mutex_) {
    for (auto at = flows_.begin(); at != flows_.end();) {
      Flow& flow = at->second;
      const size_t taken = std::min(each, flow.size());
      // Which of them had how many bytes is not kept.
      const size_t bytes = taken == flow.size() ? flow.bytes : flow.bytes / flow.size() * taken;
      batch.insert(batch.end(), std::make_move_iterator(flow.begin()),
                   std::make_move_iterator(flow.begin() + static_cast<std::ptrdiff_t>(taken)));
      flow.taken += taken;
      flow.bytes -= bytes;
      bytes_ -= bytes;
      if (flow.size() == 0) {
        at = flows_.erase(at);
        continue;
      }
      if (flow.taken > flow.size()) {
        flow.items.erase(flow.items.begin(), flow.begin());
        flow.taken = 0;
      }
      ++at;
    }
  }

  Executor& executor_;
  const Bounds bounds_;
  const std::function<void(std::vector<T>)> drain_;
  Mutex mutex_;
  std::unordered_map<size_t, Flow> flows_ EBLA_GUARDED_BY(mutex_);  // none is empty
  size_t items_ EBLA_GUARDED_BY(mutex_) = 0;
  size_t bytes_ EBLA_GUARDED_BY(mutex_) = 0;
  bool brief_ EBLA_GUARDED_BY(mutex_) = false;      // what is within
  std::thread::id putter_ EBLA_GUARDED_BY(mutex_);  // of the first of that
};

using TaskMailbox = Mailbox<Task>;

}  // namespace ebla
