// tabletserver/reads/load_meter.h
// Measures a tablet's load: counts operations, bytes and time by kind where they happen, samples keys, and computes the
// decayed rates and maxima that heartbeats and /metrics show.
// Keys:       A regular sample of operations note their keys, about kKeysPerSecond of a busy tablet's operations and
//             all of a quiet tablet's. key_sampler.h finds cuts of the load from them. A counting thread only compares
//             one number; at its turn it tries the lock, and skips the sample if the lock is taken.
// Place:      one LoadMeter in each TabletHandle; the heartbeat (service/load_report.h) samples all of them once a
//             second.
// Invariants: 1. Counting is a few relaxed additions on the counting thread's own cache line.
//             2. Totals only grow. Counting threads beyond kSlots share lines, which is slower and still right.
//             3. Nothing is drawn by chance, so that one seed gives one course of a simulated cluster.
// Threads:    Count...() and OfferWrite() from any thread; TakeKeys(), LoadRates and LoadPeaks by the one that samples.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"

namespace ebla::tabletserver {

struct LoadTotals {
  uint64_t reads = 0;  // gets, keys of a multiGet, pages of a scan
  uint64_t read_bytes = 0;
  uint64_t writes = 0;  // requests; a batch is one
  uint64_t write_bytes = 0;
  uint64_t busy_ns = 0;       // spent on the executing threads
  uint64_t cache_misses = 0;  // pages that reads had to have read from files; an estimate
};

// A key that was read or written; of a long one, as much as can make a difference to a split key.
struct TouchedKey {
  std::string key;
  bool write = false;
};

class LoadMeter {
 public:
  static constexpr uint64_t kKeysPerSecond = 128;
  static constexpr size_t kKeysMax = 256;      // between two takings
  static constexpr size_t kKeyBytesMax = 257;  // one more than a split key has

  // `slot` is the counting thread's index: loops from 0, then shards. `key_of(draw)` is one of the keys touched, chosen
  // by the number `draw` where there are several; empty: none.
  template <class KeyOf>
  void CountReads(size_t slot, uint64_t operations, uint64_t bytes, Duration busy, KeyOf key_of) {
    Slot& mine = slots_[slot % kSlots];
    const uint64_t upto = mine.reads.fetch_add(operations, std::memory_order_relaxed) + operations;
    mine.read_bytes.fetch_add(bytes, std::memory_order_relaxed);
    mine.busy_ns.fetch_add(static_cast<uint64_t>(busy.count()), std::memory_order_relaxed);
    if (upto > mine.next_read.load(std::memory_order_relaxed)) Note(mine.next_read, upto, operations, false, key_of);
  }
  void CountWrites(size_t slot, uint64_t operations, uint64_t bytes, Duration busy) {
    Slot& mine = slots_[slot % kSlots];
    mine.writes.fetch_add(operations, std::memory_order_relaxed);
    mine.write_bytes.fetch_add(bytes, std::memory_order_relaxed);
    mine.busy_ns.fetch_add(static_cast<uint64_t>(busy.count()), std::memory_order_relaxed);
  }
  // By those reads that were watched, and as many again for each that was not.
  void CountCacheMisses(uint64_t pages) { cache_misses_.fetch_add(pages, std::memory_order_relaxed); }
  // One write, before it is executed and counted: its key may be noted.
  template <class KeyOf>
  void OfferWrite(size_t slot, KeyOf key_of) {
    Slot& mine = slots_[slot % kSlots];
    const uint64_t upto = mine.offered.fetch_add(1, std::memory_order_relaxed) + 1;
    if (upto > mine.next_write.load(std::memory_order_relaxed)) Note(mine.next_write, upto, 1, true, key_of);
  }
  LoadTotals totals() const;

  // The keys noted since the last call, in the order in which they were; how many will be until the next one follows
  // from how many operations there were meanwhile.
  std::vector<TouchedKey> TakeKeys(MonotonicTime now);

 private:
  static constexpr size_t kSlots = 4;
  struct alignas(64) Slot {
    std::atomic<uint64_t> reads{0};
    std::atomic<uint64_t> read_bytes{0};
    std::atomic<uint64_t> next_read{0};  // the number, from 0, of the read whose key is noted next
    std::atomic<uint64_t> busy_ns{0};
    std::atomic<uint64_t> writes{0};
    std::atomic<uint64_t> write_bytes{0};
    std::atomic<uint64_t> offered{0};
    std::atomic<uint64_t> next_write{0};  // as next_read, of those offered
  };
  static_assert(sizeof(Slot) == 64);

  static uint64_t Mix(uint64_t number);
  void Add(std::string_view key, bool write) EBLA_REQUIRES(mutex_);

  // The keys of those among the last `operations` before `upto` whose turn it is.
  template <class KeyOf>
  void Note(std::atomic<uint64_t>& next, uint64_t upto, uint64_t operations, bool write, KeyOf& key_of) {
    const uint64_t gap = gap_.load(std::memory_order_relaxed);
    uint64_t at = std::max(next.load(std::memory_order_relaxed), upto - operations);
    // `gap` on average: not in step with anything.
    const auto after = [gap](uint64_t turn, uint64_t draw) { return turn + 1 + (draw & 0xffff'ffff) % (2 * gap - 1); };
    if (!full_.load(std::memory_order_relaxed) && mutex_.TryLock()) {
      MutexLock lock(mutex_, std::adopt_lock);
      for (; at < upto; at = after(at, Mix(at))) Add(key_of(Mix(at) >> 32), write);
    }
    while (at < upto) at = after(at, Mix(at));
    next.store(at, std::memory_order_relaxed);
  }

  std::array<Slot, kSlots> slots_;
  std::atomic<uint64_t> cache_misses_{0};  // few reads count any: no slots
  std::atomic<uint64_t> gap_{1};           // of so many operations one is noted
  std::atomic<bool> full_{false};
  Mutex mutex_;  // never waited for but by TakeKeys
  std::vector<TouchedKey> keys_ EBLA_GUARDED_BY(mutex_);
  // TakeKeys alone.
  MonotonicTime taken_;  // zero: not yet
  uint64_t taken_operations_ = 0;
};

// Per second, decayed with a time constant of five seconds: a burst fades, a sustained load shows within two samples.
class LoadRates {
 public:
  static constexpr Duration kTimeConstant = std::chrono::seconds(5);

  void Update(const LoadTotals& totals, MonotonicTime now);

  double reads = 0;
  double writes = 0;
  double read_bytes = 0;
  double write_bytes = 0;
  double busy_micros = 0;
  double cache_misses = 0;

 private:
  LoadTotals last_;
  MonotonicTime sampled_;  // zero: not yet
};

// The highest rates of the last five minutes, or of less where that is asked for; to half a minute more.
class LoadPeaks {
 public:
  static constexpr Duration kCovered = std::chrono::minutes(5);

  // Forgets all; what is noted counts from then on.
  void Begin(MonotonicTime from);
  void Note(const LoadRates& rates, MonotonicTime now);
  void Cover(Duration last) { last_ = std::clamp(last, Duration{0}, kCovered); }

  double operations(MonotonicTime now) const { return Most(now, &Bucket::operations); }
  double busy_micros(MonotonicTime now) const { return Most(now, &Bucket::busy_micros); }
  // For how long they are known; at most as long as is asked for.
  Duration covered(MonotonicTime now) const { return std::clamp(now - from_, Duration{0}, last_); }

 private:
  static constexpr Duration kBucket = std::chrono::seconds(30);
  struct Bucket {
    int64_t number = -1;  // of the half minute, from the clock's beginning; -1: none
    double operations = 0;
    double busy_micros = 0;
  };
  double Most(MonotonicTime now, double Bucket::* rate) const;

  MonotonicTime from_;
  Duration last_ = kCovered;
  std::array<Bucket, kCovered / kBucket + 1> buckets_;  // the present one is not full yet
};

}  // namespace ebla::tabletserver
