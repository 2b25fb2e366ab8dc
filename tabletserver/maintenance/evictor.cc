#include "tabletserver/maintenance/evictor.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <span>
#include <utility>

#include "tabletserver/storage/in_memory/in_memory_store.h"
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
    MonotonicTime awaited_until;
  };

  bool Busy(TabletId tablet) {
    const auto found = batches_.find(tablet);
    if (found == batches_.end()) return false;
    if (!found->second.done->load(std::memory_order_acquire) && executor_.Now() < found->second.until) return true;
    batches_.erase(found);
    return false;
  }

  // The excess at followers that this primary has yet to evict.
  struct Owed {
    MonotonicTime told;
    int64_t bytes = 0;
  };

  static constexpr size_t kBatchesAtOnce = 8;
  // A batch normally takes some milliseconds.
  static constexpr Duration kAwaited = std::chrono::milliseconds(200);

  struct Led {
    std::shared_ptr<TabletHandle> handle;
    KeyRange range;
  };

  // Evicts this server's excess: one hand sweeps all tablets whose primary is here and takes cold records, whatever
  // their estimated sizes. The primaries of all other tablets evict by this server's reports.
  void Evict(const MemoryUse& use, int64_t excess) {
    std::vector<Led> led;
    double of_all = 0, of_led = 0;
    for (const auto& handle : directory_.snapshot()->All()) {
      const auto view = handle->view();
      if (handle->table != use.table || view == nullptr) continue;
      of_all += WeightOf(*handle);
      if (view->role != RoleKind::kPrimary || !view->barrier_applied) continue;
      of_led += WeightOf(*handle);
      led.push_back({handle, view->range});
    }
    int64_t for_followers = 0;
    std::ranges::sort(led, {}, [](const Led& one) -> const std::string& { return one.range.start; });
    for (const Led& one : led) {
      const auto takes = static_cast<int64_t>(static_cast<double>(use.bytes) * WeightOf(*one.handle) / of_all);
      if (Busy(one.handle->tablet)) continue;
      Owed& owed = OwedBy(*one.handle, takes);
      if (owed.bytes <= 0) continue;
      const int64_t evicted = EvictFrom({&one, 1}, use.table, owed.bytes);
      owed.bytes -= evicted;
      for_followers += evicted;
    }
    std::erase_if(owed_, [](const auto& one) { return one.second.bytes <= 0 && one.second.told == MonotonicTime(); });
    // The hand moves on when its chosen records are deleted. It skips a tablet that hangs.
    std::vector<Led> idle;
    for (Led& one : led) {
      if (!Busy(one.handle->tablet)) {
        idle.push_back(std::move(one));
      } else if (executor_.Now() < batches_.at(one.handle->tablet).awaited_until) {
        return;
      }
    }
    if (excess <= 0 || idle.empty()) return;
    const int64_t own = ShareOf(PartOf(excess, use.bytes), of_led / of_all) - for_followers;
    if (own > 0) EvictFrom(idle, use.table, own);
  }

  // By estimates, so a fair part in any case.
  static int64_t ShareOf(int64_t bytes, double led) {
    constexpr double kLeast = 0.25;
    return static_cast<int64_t>(static_cast<double>(bytes) * std::max(led, kLeast)) + 1;
  }

  // The excess at the fullest follower. Each new report of it counts afresh.
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

  // The part of the excess to evict at once. Evicted records leave partly empty pages, which count until new records
  // fill them, so evicting the whole excess each time would evict too much. A large excess leaves no time for that.
  static int64_t PartOf(int64_t excess, int64_t bytes) {
    constexpr double kMuch = 0.02, kLeast = 0.25;
    const double much = static_cast<double>(excess) / (kMuch * static_cast<double>(bytes));
    return static_cast<int64_t>(static_cast<double>(excess) * std::clamp(much, kLeast, 1.0)) + 1;
  }

  // Returns the evicted bytes. No tablet of `led` has a batch under way.
  int64_t EvictFrom(std::span<const Led> led, TableId table, int64_t bytes) {
    std::vector<KeyRange> ranges;
    for (const Led& one : led) ranges.push_back(one.range);
    std::map<size_t, std::vector<ExpiredKey>> chosen;  // by whose they are
    int64_t evicted = 0;
    const size_t most = options_.victims_max * std::min(led.size(), kBatchesAtOnce);
    for (EvictionVictim& victim : store_.memory_tables()->ChooseVictims(table, ranges, bytes, most)) {
      const auto after = std::ranges::upper_bound(ranges, victim.key, {}, &KeyRange::start);
      const auto of = static_cast<size_t>(after - ranges.begin()) - 1;
      if (!ranges[of].Contains(victim.key)) continue;  // views of a split, of which one is older
      chosen[of].push_back({std::move(victim.key), victim.version, /*evict=*/true});
      evicted += victim.bytes;
    }
    for (auto& [of, keys] : chosen) Send(led[of].handle, std::move(keys));
    return evicted;
  }

  void Send(const std::shared_ptr<TabletHandle>& handle, std::vector<ExpiredKey> keys) {
    const auto view = handle->view();
    if (view == nullptr) return;
    const auto done = std::make_shared<std::atomic<bool>>(false);
    const MonotonicTime until = executor_.Now() + options_.patience;
    const auto count = std::ssize(keys);
    batches_[handle->tablet] = {done, until, executor_.Now() + kAwaited};
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
