// tabletserver/tablet/load_meter.h
// What a tablet costs: operations and bytes by kind and the time they took, counted where they happen, and the decayed
// rates that heartbeats and /metrics show.
// Place:      one LoadMeter in each TabletHandle; the heartbeat samples all of them once a second with a LoadRates each.
// Invariants: 1. Counting is a few relaxed additions on the counting thread's own cache line.
//             2. Totals only grow. Counting threads beyond kSlots share lines, which is slower and still right.
// Threads:    Count...() from any thread; Update() from the one that samples.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "common/base/executor.h"

namespace ebla::tabletserver {

struct LoadTotals {
  uint64_t reads = 0;  // gets, keys of a multiGet, pages of a scan
  uint64_t read_bytes = 0;
  uint64_t writes = 0;  // requests; a batch is one
  uint64_t write_bytes = 0;
  uint64_t busy_ns = 0;  // spent on the executing threads
};

class LoadMeter {
 public:
  // `slot` is the counting thread's index: loops from 0, then shards.
  void CountReads(size_t slot, uint64_t operations, uint64_t bytes, Duration busy) {
    Slot& mine = slots_[slot % kSlots];
    mine.reads.fetch_add(operations, std::memory_order_relaxed);
    mine.read_bytes.fetch_add(bytes, std::memory_order_relaxed);
    mine.busy_ns.fetch_add(static_cast<uint64_t>(busy.count()), std::memory_order_relaxed);
  }
  void CountWrites(size_t slot, uint64_t operations, uint64_t bytes, Duration busy) {
    Slot& mine = slots_[slot % kSlots];
    mine.writes.fetch_add(operations, std::memory_order_relaxed);
    mine.write_bytes.fetch_add(bytes, std::memory_order_relaxed);
    mine.busy_ns.fetch_add(static_cast<uint64_t>(busy.count()), std::memory_order_relaxed);
  }
  LoadTotals totals() const;

 private:
  static constexpr size_t kSlots = 4;
  struct alignas(64) Slot {
    std::atomic<uint64_t> reads{0};
    std::atomic<uint64_t> read_bytes{0};
    std::atomic<uint64_t> writes{0};
    std::atomic<uint64_t> write_bytes{0};
    std::atomic<uint64_t> busy_ns{0};
  };
  std::array<Slot, kSlots> slots_;
};

// Per second, decayed with a time constant of five seconds: a burst fades, a sustained load shows within two samples.
class LoadRates {
 public:
  void Update(const LoadTotals& totals, MonotonicTime now);

  double reads = 0;
  double writes = 0;
  double read_bytes = 0;
  double write_bytes = 0;
  double busy_micros = 0;

 private:
  LoadTotals last_;
  MonotonicTime sampled_;  // zero: not yet
};

}  // namespace ebla::tabletserver
