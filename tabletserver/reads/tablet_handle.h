// tabletserver/reads/tablet_handle.h
// The facts that every thread may know of one replica on this server: the view that its shard published last, a bound
// of its applied position, its load. The replica itself stays on its shard.
// Place:      TabletDirectory finds handles by key; the read path reads through them; the shard publishes into them.
// Invariants: 1. A view holds a read guard (PROTOCOL 8): the tablet's data on disk is not removed before the last view
//             is released (ReadersGone(); RetiredViewsGone() for views from before a copy).
//             2. AppliedBound() is raised before what it covers can be seen in the store, so that a bound taken after
//                a read covers what the read saw. (A get that also read the applied position from the store's snapshot
//                would cost twice as much.)
// Threads:    Publish, RaiseAppliedBound and Close on the shard; everything else from any thread.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tabletserver/reads/load_meter.h"
#include "tabletserver/reads/published.h"
#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

enum class ReadLevel : uint8_t { kDefault = 0, kStrong = 1, kSession = 2, kBounded = 3, kEventual = 4 };

// A Version that one thread writes and others read whole: a sequence lock over atomics.
class SharedVersion {
 public:
  void Store(Version version) {
    const uint64_t turn = turn_.load(std::memory_order_relaxed);
    turn_.store(turn + 1);
    epoch_.store(version.epoch.value);
    lsn_.store(version.lsn.value);
    turn_.store(turn + 2);
  }
  Version Load() const {
    while (true) {
      const uint64_t turn = turn_.load();
      const Version version{Epoch{epoch_.load()}, Lsn{lsn_.load()}};
      if (turn % 2 == 0 && turn_.load() == turn) return version;
    }
  }

 private:
  std::atomic<uint64_t> turn_{0};
  std::atomic<uint64_t> epoch_{0};
  std::atomic<uint64_t> lsn_{0};
};

// Whether reads of a tablet have lately waited for the disk: each slow one is remembered for the next 64 fast ones.
class SlowReads {
 public:
  static constexpr Duration kSlow = std::chrono::microseconds(500);

  void Note(Duration took, uint64_t operations = 1) {
    // The reading loop stops for them, however many were read.
    if (took > kSlow * static_cast<int64_t>(std::min<uint64_t>(operations, 4))) {
      debt_.store(64, std::memory_order_relaxed);
    } else if (const uint32_t debt = debt_.load(std::memory_order_relaxed); debt > 0) {
      debt_.store(debt - 1, std::memory_order_relaxed);  // a lost decrement of a race is harmless
    }
  }
  bool Expected() const { return debt_.load(std::memory_order_relaxed) > 0; }

 private:
  std::atomic<uint32_t> debt_{0};
};

class TabletHandle {
 public:
  TabletHandle(TabletId id, TableId table_id, size_t owning_shard) : tablet(id), table(table_id), shard(owning_shard) {}

  // Null: nothing is served (being made, or dropped).
  std::shared_ptr<const TabletView> view() const { return view_.Load(); }
  Version AppliedBound() const { return applied_bound_.Load(); }
  Lsn split_at() const { return Lsn{split_at_.load()}; }
  bool part_of_another() const { return split_at_.load() == UINT64_MAX; }

  // ---- shard only ----
  void Publish(std::shared_ptr<const TabletView> view) {
    // Each view shares the guard, so releasing the last view leaves only the handle's own guard.
    const TabletView* bare = view.get();
    view_.Store(
        std::shared_ptr<const TabletView>(bare, [view = std::move(view), guard = read_guard_](const TabletView*) {}));
  }
  void RaiseAppliedBound(Version applied) { applied_bound_.Store(applied); }
  // The latest SPLIT's place, as the view published from now on has it. A read that took its view before, and finds
  // another place here after, may have seen what its keys' new tablet wrote since.
  void SetSplitAt(Lsn lsn) { split_at_.store(lsn.value); }
  // Another tablet is about to take over the range and its records, so a reader under one of the old views retries. To
  // be called before the store shows it; by the shard of that tablet, which has been handed this one.
  void BecomePart() { split_at_.store(UINT64_MAX); }
  // Serves nothing from now on.
  void Close() {
    view_.Store(nullptr);
    retired_.push_back(read_guard_);
    read_guard_.reset();
  }
  bool ReadersGone() const { return read_guard_ == nullptr && RetiredViewsGone(); }
  // This view replaces every earlier one, which readers may still hold.
  void RetireViews(std::shared_ptr<const TabletView> view) {
    std::erase_if(retired_, [](const auto& guard) { return guard.expired(); });
    retired_.push_back(read_guard_);
    read_guard_ = std::make_shared<int>(0);
    Publish(std::move(view));
  }
  bool RetiredViewsGone() const {
    if (!rules::DiscardWaitsForReaders()) return true;
    return std::all_of(retired_.begin(), retired_.end(), [](const auto& guard) { return guard.expired(); });
  }
  bool closed() const { return read_guard_ == nullptr; }
  void Reopen() { read_guard_ = std::make_shared<int>(0); }

  const TabletId tablet;
  const TableId table;
  const size_t shard;

  LoadMeter load;
  SlowReads slow_reads;
  std::atomic<int64_t> size_bytes{0};  // estimates, refreshed in the background
  std::atomic<int64_t> records{0};
  // about half of the records' bytes lie below it; null: not known; as the estimates
  Published<std::string> middle_key;
  // False: no record has an expiry and no tombstone exists, so purges may skip this tablet.
  std::atomic<bool> may_expire{true};
  // Time of the last message from the primary of its epoch, by this machine's clock; 0: never.
  std::atomic<int64_t> heard_ns{0};
  // Neither reads nor writes of it wait for a disk.
  std::atomic<bool> in_memory{false};
  // The meaning of DEFAULT in this table; never kDefault.
  std::atomic<ReadLevel> default_read_level{ReadLevel::kStrong};
  std::atomic<Duration> default_bounded{Duration{}};  // BOUNDED's age, where DEFAULT means that

 private:
  Published<TabletView> view_;
  SharedVersion applied_bound_;
  std::atomic<uint64_t> split_at_{0};
  std::shared_ptr<int> read_guard_ = std::make_shared<int>(0);  // shard only
  std::vector<std::weak_ptr<int>> retired_;                     // shard only: guards of views replaced for good
};

}  // namespace ebla::tabletserver
