// tests/sim/pinned_seeds.h
// For each planted bug that the simulator is known to catch, the seed that caught it. `ebla-sim --hunt` prints this table
// anew: a change of the cluster or of the simulator changes what every seed does.
// Threads: constants.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace ebla::sim {

struct PinnedSeed {
  std::string_view bug;
  uint64_t seed;
};

inline constexpr auto kPinnedSeeds = std::to_array<PinnedSeed>({
    {"ack_before_flush", 4},
    {"forget_window", 2},
    {"torn_batch", 1},
    {"stale_read", 1},
    {"strong_before_barrier", 7},
    {"copy_without_checkpoint", 15},
    {"apply_before_commit", 8},
    {"refusal_not_logged", 4},
    {"window_ignores_log", 1},
    {"undone_primary_vanishes", 4},
});

}  // namespace ebla::sim
