#include "tabletserver/maintenance/evictor.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <utility>

#include "tabletserver/transport/peer_memory.h"

namespace ebla::tabletserver {

class Evictor::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, TabletStore& store, const TabletDirectory& directory, const PeerMemory& peers,
       std::vector<ReadWaits*> shards, Options options)
      : executor_(executor),
        store_(store),
        directory_(directory),
        peers_(peers),
        shards_(std::move(shards)),
        options_(options) {}

  void Stop() { stopped_ = true; }

  void Look() {
    if (stopped_ || store_.memory_tables() == nullptr) return;
    executor_.After(options_.look_every, [self = shared_from_this()] { self->Look(); });
    const std::vector<MemoryUse> uses = store_.memory_tables()->Uses();
    if (!uses.empty() && executor_.Now() - measured_ >= options_.measure_every) {
      store_.memory_tables()->Measure();
      measured_ = executor_.Now();
    }
    if (!peers_.some()) owed_.clear();
    for (const MemoryUse& use : uses) {
      const int64_t excess = store_.memory_tables()->Excess(use.table);
      if (excess > 0 || peers_.some()) Evict(use, excess);
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

  // What followers have too much of, as far as it is still to go here.
  struct Owed {
    MonotonicTime told;
    int64_t bytes = 0;
  };

  // Each tablet led here gives its part, by what its records are estimated to take.
  void Evict(const MemoryUse& use, int64_t excess) {
    std::vector<std::shared_ptr<TabletHandle>> led;
    double of_led = 0, of_all = 0;
    for (const auto& handle : directory_.snapshot()->All()) {
      const auto view = handle->view();
      if (handle->table != use.table || view == nullptr) continue;
      of_all += WeightOf(*handle);
      if (view->role != RoleKind::kPrimary || !view->barrier_applied) continue;
      led.push_back(handle);
      of_led += WeightOf(*handle);
    }
    for (const auto& handle : led) {
      if (Busy(handle->tablet)) continue;
      const double weight = WeightOf(*handle);
      const int64_t own = excess <= 0 ? 0 : static_cast<int64_t>(static_cast<double>(excess) * weight / of_led) + 1;
      const auto takes = static_cast<int64_t>(static_cast<double>(use.bytes) * weight / of_all);
      Owed& owed = OwedBy(*handle, takes);
      const int64_t wanted = std::max(own, owed.bytes);
      if (wanted <= 0) continue;
      owed.bytes -= EvictFrom(handle, wanted) * use.bytes / std::max<int64_t>(use.records, 1);
    }
    std::erase_if(owed_, [](const auto& one) { return one.second.bytes <= 0 && one.second.told == MonotonicTime(); });
  }

  // By the fullest of its followers: what that says again counts anew.
  Owed& OwedBy(const TabletHandle& handle, int64_t takes) {
    Owed& owed = owed_[handle.tablet];
    const auto view = handle.view();
    std::vector<ServerName> voters;
    for (const PeerProgress& peer : view->peers) {
      if (peer.voter) voters.push_back(peer.peer);
    }
    const PeerMemory::Worst worst = peers_.WorstOf(handle.table, voters, executor_.Now());
    if (worst.excess <= 0) {
      owed = {};
    } else if (worst.told > owed.told) {
      owed = {worst.told, static_cast<int64_t>(worst.excess * static_cast<double>(takes)) + 1};
    }
    return owed;
  }

  static double WeightOf(const TabletHandle& handle) {
    return static_cast<double>(handle.size_bytes.load(std::memory_order_relaxed)) + 1;
  }

  // How many records.
  int64_t EvictFrom(const std::shared_ptr<TabletHandle>& handle, int64_t bytes) {
    const auto view = handle->view();
    if (view == nullptr) return 0;
    std::vector<ExpiredKey> keys;
    for (MemoryTables::Victim& victim :
         store_.memory_tables()->ChooseVictims(handle->table, view->range, bytes, options_.victims_max)) {
      keys.push_back({std::move(victim.key), victim.version, /*evict=*/true});
    }
    if (keys.empty()) return 0;
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
    return count;
  }

  Executor& executor_;
  TabletStore& store_;
  const TabletDirectory& directory_;
  const PeerMemory& peers_;
  const std::vector<ReadWaits*> shards_;
  const Options options_;
  bool stopped_ = false;
  MonotonicTime measured_;
  std::map<TabletId, Batch> batches_;  // under way, one for each tablet
  std::map<TabletId, Owed> owed_;
};

Evictor::Evictor(Executor& executor, TabletStore& store, const TabletDirectory& directory, const PeerMemory& peers,
                 std::vector<ReadWaits*> shards, Options options)
    : impl_(std::make_shared<Impl>(executor, store, directory, peers, std::move(shards), options)) {}

Evictor::~Evictor() { impl_->Stop(); }

void Evictor::Start() { impl_->Look(); }

}  // namespace ebla::tabletserver
