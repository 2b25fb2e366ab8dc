// tabletserver/storage/sync_times.h
// How long the disk takes to sync the log: the slowest sync of the last 30 seconds, and one that has not ended, so that
// a disk that hangs shows at once.
// Place:   log_flusher.h notes each sync, and TabletStore::health() asks.
// Threads: any may ask; one sync at a time is noted.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla::tabletserver {

class SyncTimes {
 public:
  struct Figures {
    Duration slowest{0};    // of the syncs that ended in the last 30 seconds
    Duration under_way{0};  // for how long the present one has lasted; 0: there is none
  };

  void NoteBegin(MonotonicTime now) {
    const MutexLock lock(mutex_);
    begun_ = now;
  }
  // How long the sync has taken.
  Duration NoteEnd(MonotonicTime now) {
    const MutexLock lock(mutex_);
    if (!begun_) return {};
    const Duration took = now - *begun_;
    begun_.reset();
    Slot& slot = slots_[SecondOf(now) % kSeconds];
    slot.slowest = slot.second == SecondOf(now) ? std::max(slot.slowest, took) : took;
    slot.second = SecondOf(now);
    return took;
  }
  Figures Of(MonotonicTime now) const {
    const MutexLock lock(mutex_);
    Figures figures;
    for (const Slot& slot : slots_) {
      if (slot.second + kSeconds > SecondOf(now)) figures.slowest = std::max(figures.slowest, slot.slowest);
    }
    if (begun_) figures.under_way = now - *begun_;
    return figures;
  }

 private:
  static constexpr size_t kSeconds = 30;
  // The syncs that ended in a second.
  struct Slot {
    uint64_t second = 0;
    Duration slowest{0};
  };
  static uint64_t SecondOf(MonotonicTime time) {
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(time.since_boot).count());
  }

  mutable Mutex mutex_;
  std::optional<MonotonicTime> begun_ EBLA_GUARDED_BY(mutex_);
  std::array<Slot, kSeconds> slots_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
