#include "tabletserver/maintenance/purge_and_size_tasks.h"

#include <glog/logging.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "tabletserver/reads/middle_key.h"

namespace ebla::tabletserver {

class PurgeAndSizeTasks::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(Executor& executor, TabletStore& store, const TabletDirectory& directory, std::vector<ReadWaits*> shards,
       Options options)
      : executor_(executor), store_(store), directory_(directory), shards_(std::move(shards)), options_(options) {}

  void Stop() { stopped_ = true; }

  void PurgeTurn() {
    if (stopped_) return;
    executor_.After(options_.turn, [self = shared_from_this()] { self->PurgeTurn(); });
    const auto snapshot = directory_.snapshot();
    const auto handles = snapshot->All();
    Forget(handles);
    if (auto handle = Next(handles)) PurgeChunk(handle);
  }

  void SizeTurn() {
    if (stopped_) return;
    executor_.After(options_.size_period, [self = shared_from_this()] { self->SizeTurn(); });
    const MonotonicTime now = executor_.Now();
    std::map<TabletId, Estimate> estimates;
    std::map<TableId, std::vector<Due>> due;
    for (const auto& handle : directory_.snapshot()->All()) {
      const auto view = handle->view();
      if (view == nullptr) continue;
      Estimate& last = estimates.emplace(handle->tablet, std::move(estimates_[handle->tablet])).first->second;
      const Version applied = handle->AppliedBound();
      if (now < last.not_before) continue;
      const bool changed = last.applied != applied || last.range != view->range || last.incomplete;
      if (!changed && now < last.again) continue;
      last.idle = changed ? options_.idle_size_period : std::min(2 * last.idle, options_.idle_size_period_max);
      due[handle->table].push_back({handle, view->range, applied, view->incomplete, &last});
    }
    estimates_ = std::move(estimates);  // without the tablets that are gone
    for (const auto& [table, tablets] : due) EstimateSizes(table, tablets);
  }

 private:
  static constexpr int kPauses = 50;  // a table is left alone for so many times as long as counting it took

  struct Pass {
    bool under_way = false;
    std::string next;  // key that the next chunk begins with
    bool met_expiry = false;
    MonotonicTime not_before;
  };

  struct Estimate {
    std::optional<KeyRange> range;
    Version applied;
    bool incomplete = false;   // its records were being copied, which changes nothing of the above
    MonotonicTime not_before;  // so that counting takes little of the processor
    Duration idle{};           // from the last one to `again`
    MonotonicTime again;       // though nothing has changed: what the cache held is compressed once it is on the disk
    MiddleKey middle;
  };
  struct Due {
    std::shared_ptr<TabletHandle> handle;
    KeyRange range;
    Version applied;
    bool incomplete;
    Estimate* last;
  };

  // Together, as random rows of a table say something of each of its tablets, and cost a read of the disk each.
  void EstimateSizes(TableId table, const std::vector<Due>& tablets) {
    std::vector<KeyRange> ranges;
    for (const Due& one : tablets) ranges.push_back(one.range);
    const MonotonicTime began = executor_.Now();
    const auto sizes = store_.EstimateSizes(table, ranges);
    if (!sizes) return;  // dropped meanwhile, or the store is dead, which others report
    const MonotonicTime now = executor_.Now();
    for (size_t i = 0; i < tablets.size(); ++i) {
      const auto& [handle, range, applied, incomplete, last] = tablets[i];
      const TabletStore::RangeSize& size = (*sizes)[i];
      handle->size_bytes.store(size.bytes, std::memory_order_relaxed);
      handle->records.store(size.records, std::memory_order_relaxed);
      last->range = range;
      last->applied = applied;
      last->incomplete = incomplete;
      last->not_before = now + kPauses * (now - began);
      last->again = now + last->idle;
      last->middle.Add(size, range);
      handle->middle_key.Store(std::make_shared<const std::string>(last->middle.Find()));
    }
  }

  void Forget(const std::vector<std::shared_ptr<TabletHandle>>& present) {
    if (passes_.size() <= present.size()) return;
    std::map<TabletId, Pass> passes;
    for (const auto& handle : present) {
      if (auto pass = passes_.extract(handle->tablet)) passes.insert(std::move(pass));
    }
    passes_ = std::move(passes);
  }

  // In turn by id, the one after the last.
  std::shared_ptr<TabletHandle> Next(const std::vector<std::shared_ptr<TabletHandle>>& handles) {
    const MonotonicTime now = executor_.Now();
    for (int round = 0; round < 2; ++round) {
      for (const auto& handle : handles) {
        if (round == 0 && handle->tablet <= last_) continue;
        const Pass& pass = passes_[handle->tablet];
        if (now < pass.not_before || (!pass.under_way && !handle->may_expire.load(std::memory_order_relaxed))) continue;
        last_ = handle->tablet;
        return handle;
      }
    }
    return nullptr;
  }

  void PurgeChunk(const std::shared_ptr<TabletHandle>& handle) {
    const auto view = handle->view();  // also keeps the range from being truncated
    Pass& pass = passes_[handle->tablet];
    const MonotonicTime now = executor_.Now();
    if (view == nullptr || view->role != RoleKind::kPrimary || !view->barrier_applied) {
      pass.not_before = now + std::chrono::seconds(1);
      return;
    }
    if (!std::exchange(pass.under_way, true)) {
      // Cleared first: an expiry that is applied from now on sets it again.
      handle->may_expire.store(false, std::memory_order_relaxed);
      pass.next = view->range.start;
      pass.met_expiry = false;
    }
    const TabletTime time = view->time.Now(now);
    const auto retention_ms =
        std::chrono::duration_cast<std::chrono::milliseconds>(options_.tombstone_retention).count();
    const int64_t forgotten = static_cast<int64_t>(time.value) - retention_ms;  // deletes of then and before
    std::vector<ExpiredKey> expired;
    size_t seen = 0;
    bool more = false;
    // A visit is no use by a client.
    const ScanBounds bounds{.range = KeyRange{pass.next, view->range.end}, .read_once = true};
    const Status status = store_.Scan(handle->table, bounds, [&](std::string_view key, const StoredRecord& record) {
      if (seen++ == options_.chunk_records) {
        more = true;
        pass.next = key;
        return false;
      }
      if (record.expires_at || record.tombstone) pass.met_expiry = true;
      const bool due =
          record.tombstone ? record.write_time_ms <= forgotten : record.expires_at && record.expires_at <= time;
      if (due) expired.push_back({std::string(key), record.version});
      return true;
    });
    if (!status.ok()) more = false;
    if (!more) {
      pass.under_way = false;
      pass.not_before = now + options_.between_passes;
      if (pass.met_expiry || !status.ok()) handle->may_expire.store(true, std::memory_order_relaxed);
    }
    if (expired.empty()) return;
    shards_[handle->shard]->PurgeExpired(handle, std::move(expired), time, MonotonicTime::Max(), 0, nullptr);
  }

  Executor& executor_;
  TabletStore& store_;
  const TabletDirectory& directory_;
  const std::vector<ReadWaits*> shards_;
  const Options options_;
  bool stopped_ = false;
  TabletId last_;
  std::map<TabletId, Pass> passes_;
  std::map<TabletId, Estimate> estimates_;
};

PurgeAndSizeTasks::PurgeAndSizeTasks(Executor& executor, TabletStore& store, const TabletDirectory& directory,
                                     std::vector<ReadWaits*> shards, Options options)
    : impl_(std::make_shared<Impl>(executor, store, directory, std::move(shards), options)) {}

PurgeAndSizeTasks::~PurgeAndSizeTasks() { impl_->Stop(); }

void PurgeAndSizeTasks::Start() {
  impl_->PurgeTurn();
  impl_->SizeTurn();
}

}  // namespace ebla::tabletserver
