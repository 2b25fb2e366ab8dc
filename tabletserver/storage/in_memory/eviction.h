// tabletserver/storage/in_memory/eviction.h
// The heat of a record, and how a hand that sweeps over the records uses it.
// How:     CLOCK with a small counter for each record ("GCLOCK", A. J. Smith 1978), which costs no memory beside the
//          record and no lock on a read. A hit raises the heat. The hand lowers it, and evicts records that are cold
//          already. The hand sweeps in the order of the keys, because the records have no other order. Under kLru, a
//          hit since the last sweep keeps a record for one more round, and several hits for up to three, as in a
//          segmented LRU. Under kLfu, each hit adds a round. New records begin cold, so a record that is never read
//          again is evicted first, as in S3-FIFO (Yang et al., SOSP 2023). docs/design/storage.md has the hit rates.
// Threads: functions of their arguments.
#pragma once

#include <algorithm>
#include <cstdint>

#include "tabletserver/storage/in_memory/memory_bounds.h"

namespace ebla::tabletserver {

inline constexpr uint8_t kLruHeatMax = 3, kLfuHeatMax = 7;

constexpr uint8_t HeatAfterHit(Eviction eviction, uint8_t heat) {
  switch (eviction) {
    case Eviction::kLru: return std::min<uint8_t>(static_cast<uint8_t>(heat + 1), kLruHeatMax);
    case Eviction::kLfu: return std::min<uint8_t>(static_cast<uint8_t>(heat + 1), kLfuHeatMax);
    case Eviction::kNone:
    case Eviction::kTtl: break;
  }
  return heat;
}

// The hand has passed. It evicts a record whose heat was 0.
constexpr uint8_t HeatAfterSweep(uint8_t heat) { return heat == 0 ? 0 : static_cast<uint8_t>(heat - 1); }

}  // namespace ebla::tabletserver
