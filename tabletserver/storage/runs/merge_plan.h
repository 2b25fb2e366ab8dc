// tabletserver/storage/runs/merge_plan.h
// Decides which runs of a table are merged to one: tiered compaction, as a pure function of their sizes.
// Terms:      tier 0 has the runs below smallest_tier_bytes, tier t those below smallest_tier_bytes * runs_per_tier^t.
//             A tiny run is below an eighth of smallest_tier_bytes. A stretch is a series of adjacent runs, as long as
//             it can be.
//             Neither has a fixed run, because such a run is being merged already, or cannot be read.
// Rules:      the first that finds a stretch wins, the newest stretch first.
//             1. Four tiny runs or more.
//             2. For tiers t from 0 up, runs_per_tier runs or more of tiers up to t, whose sum is of a higher tier.
//             3. One run alone, if half of its bytes or more lie in its holes.
//             4. If more than 3 * runs_per_tier runs are not fixed, the runs_per_tier adjacent ones with the least sum.
// Writes:     A merge by rule 2 makes a run of a higher tier than any that it read. So a table of n tiers writes a byte
//             n times at most, its flush included. Without the condition on the sum, a large run is written again for
//             every few small ones: 64 GiB in flushes of 32 MiB are then written 147 times with 8 runs a tier and 343
//             times with 4, instead of 5 and 7 times.
//             For every three flushes, rule 1 writes them and less than an eighth of smallest_tier_bytes. Flushes far
//             below that are therefore written often, but never much at a time.
//             Rule 4 writes the newest runs a few times more. It bounds the reads of a table with many tiers, and of
//             one whose runs are not in the order of their sizes.
// Invariants: 1. A plan has adjacent runs, so no newer row ever is below an older row of its key.
//             2. Without a plan and without fixed runs, there are at most 3 * runs_per_tier runs.
// Threads:    functions of their arguments.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace ebla::tabletserver {

struct MergeLimits {
  size_t runs_per_tier = 8;  // 2 at least
  int64_t smallest_tier_bytes = int64_t{64} << 20;
};

// How many runs a table has at most while merges keep up.
constexpr size_t RunsMax(const MergeLimits& limits) { return 3 * std::max<size_t>(2, limits.runs_per_tier); }

struct PlannedRun {
  int64_t bytes = 0;
  int64_t bytes_in_holes = 0;  // of them
  int64_t records = 0;         // deleted rows among them
  int64_t deletes = 0;         // of the records
  bool fixed = false;
};

// Adjacent runs.
struct MergePlan {
  size_t first = 0;  // the newest of them; 0 is the newest of all
  size_t count = 0;
  friend bool operator==(const MergePlan&, const MergePlan&) = default;
};

// How many of so many bytes stay in a merge with the oldest run, if each deleted row hides one other of the inputs.
int64_t BytesThatStay(int64_t bytes, int64_t records, int64_t deletes);

// All runs, the newest first. None: nothing is to be merged.
std::optional<MergePlan> PlanMerge(std::span<const PlannedRun> runs, const MergeLimits& limits);

// The same for a table that has had no new run for a while, so that scans meet few runs. The newest runs are merged, as
// long as each has at most four times the bytes of the newer ones together. So a trickle of writes never has a large
// run written again. A table of runs_per_tier runs of the smallest tier or more has three or more runs merged, with a
// quarter of all bytes at most.
// Before that, all runs are merged if none of them is fixed, and two conditions hold. The deleted rows are at least
// half as many as the oldest run's other records. They are a quarter of all records or more, because runs above a small
// oldest one may be large. Without this rule the bytes of deleted rows may never be given back, because the runs that
// hide them are small, and fill no tier.
std::optional<MergePlan> PlanMergeAtRest(std::span<const PlannedRun> runs, const MergeLimits& limits);

// The same for a disk that is full but for its reserve, where a merged run may have `bytes_max`. Deleted rows and holes
// give their bytes back at once. The first merge is planned that is expected to have room, because another one
// would wait for ever, and hold back what brings the room. If none has room, PlanMerge's is planned.
std::optional<MergePlan> PlanMergeBelowReserve(std::span<const PlannedRun> runs, const MergeLimits& limits,
                                               int64_t bytes_max);

}  // namespace ebla::tabletserver
