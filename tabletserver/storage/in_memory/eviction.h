// tabletserver/storage/in_memory/eviction.h
// What a record's heat says, and what a hand that sweeps over the records makes of it.
// How:     CLOCK with a small counter for each record ("GCLOCK", A. J. Smith 1978), which costs no memory beside the
//          record and no lock on a read: a hit raises the heat; the hand lowers it, and takes who is cold already. The
//          hand goes in the order of the keys, as the records have no other. kLru: who was hit since the hand came by
//          stays for one more round, who was hit more often for up to three, as in a segmented LRU. kLfu:
//          each hit adds one, so that it takes as many rounds to be forgotten. New records begin cold: who is read never
//          again goes first, as in S3-FIFO (Yang et al., SOSP 2023). docs/design/storage.md has the hit rates.
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

// The hand has come by; of who is at 0, it takes the record.
constexpr uint8_t HeatAfterSweep(uint8_t heat) { return heat == 0 ? 0 : static_cast<uint8_t>(heat - 1); }

}  // namespace ebla::tabletserver
