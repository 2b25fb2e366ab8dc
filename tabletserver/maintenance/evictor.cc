#include "tabletserver/maintenance/evictor.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

namespace ebla::tabletserver {

class Evictor::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, TabletStore& store, const TabletDirectory& directory, std::vector<ReadWaits*> shards,
       Options options)
      : executor_(executor), store_(store), directory_(directory), shards_(std::move(shards)), options_(options) {}

  void Stop() { stopped_ = true; }

  void Look() {
    if (stopped_ || store_.memory_tables() == nullptr) return;
    executor_.After(options_.look_every, [self = shared_from_this()] { self->Look(); });
    const std::vector<MemoryUse> uses = store_.memory_tables()->Uses();
    if (!uses.empty() && executor_.Now() - measured_ >= options_.measure_every) {
      store_.memory_tables()->Measure();
      measured_ = executor_.Now();
    }
    for (const MemoryUse& use : uses) {
      if (const int64_t excess = store_.memory_tables()->Excess(use.table); excess > 0) Evict(use.table, excess);
    }
  }

 private:
  // A batch of deletes; `done` is set by its shard's answer.
  struct Batch {
    std::shared_ptr<std::atomic<bool>> done;
    MonotonicTime until;
  };

  bool Busy(TabletId tablet) {
    const auto found = batches_.find(tablet);
    if (found == batches_.end()) return false;
    if (!found->second.done->load(std::memory_order_acquire) && executor_.Now() < found->second.until) return true;
    batches_.erase(found);
    return false;
  }

  // Each tablet led here gives its part, by what its records are estimated to take.
  void Evict(TableId table, int64_t excess) {
    std::vector<std::shared_ptr<TabletHandle>> led;
    double all = 0;
    for (const auto& handle : directory_.snapshot()->All()) {
      const auto view = handle->view();
      if (handle->table != table || view == nullptr || view->role != RoleKind::kPrimary || !view->barrier_applied) {
        continue;
      }
      led.push_back(handle);
      all += WeightOf(*handle);
    }
    for (const auto& handle : led) {
      if (Busy(handle->tablet)) continue;
      const auto share = static_cast<int64_t>(static_cast<double>(excess) * WeightOf(*handle) / all) + 1;
      EvictFrom(handle, share);
    }
  }

  static double WeightOf(const TabletHandle& handle) {
    return static_cast<double>(handle.size_bytes.load(std::memory_order_relaxed)) + 1;
  }

  void EvictFrom(const std::shared_ptr<TabletHandle>& handle, int64_t bytes) {
    const auto view = handle->view();
    if (view == nullptr) return;
    std::vector<ExpiredKey> keys;
    for (MemoryTables::Victim& victim :
         store_.memory_tables()->ChooseVictims(handle->table, view->range, bytes, options_.victims_max)) {
      keys.push_back({std::move(victim.key), victim.version, /*evict=*/true});
    }
    if (keys.empty()) return;
    const auto done = std::make_shared<std::atomic<bool>>(false);
    const MonotonicTime until = executor_.Now() + options_.patience;
    batches_[handle->tablet] = {done, until};
    const auto count = static_cast<int64_t>(keys.size());
    shards_[handle->shard]->PurgeExpired(
        handle, std::move(keys), view->time.Now(executor_.Now()), until, 0,
        [self = shared_from_this(), done, table = handle->table, count](Status status) {
          if (status.ok()) self->store_.memory_tables()->CountEvicted(table, count);
          done->store(true, std::memory_order_release);
        });
  }

  Executor& executor_;
  TabletStore& store_;
  const TabletDirectory& directory_;
  const std::vector<ReadWaits*> shards_;
  const Options options_;
  bool stopped_ = false;
  MonotonicTime measured_;
  std::map<TabletId, Batch> batches_;  // under way, one for each tablet
};

Evictor::Evictor(Executor& executor, TabletStore& store, const TabletDirectory& directory,
                 std::vector<ReadWaits*> shards, Options options)
    : impl_(std::make_shared<Impl>(executor, store, directory, std::move(shards), options)) {}

Evictor::~Evictor() { impl_->Stop(); }

void Evictor::Start() { impl_->Look(); }

}  // namespace ebla::tabletserver
