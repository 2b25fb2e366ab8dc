// tabletserver/tablet/merge_result.h
// Makes one tablet of two frozen ones (PROTOCOL 14, 17, 18), and computes the remains of the two. Pure functions of
// what the two cores export.
// Place:   the host merges; lineage_replay.h does so again where a crash has taken the merge back.
// Threads: any.
#pragma once

#include <memory>

#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

// The later tablet time, the dedup windows merged, epoch starts kept per former range.
MergeResult MergeFrozen(const FrozenTablet& left, const FrozenTablet& right, const Merged& merged, MonotonicTime now);
// The part of former ranges that lies within this one.
std::shared_ptr<const FormerRanges> Clip(const std::shared_ptr<const FormerRanges>& former, const KeyRange& range);
// The state of the new tablet's replica for the store, before the merge's Apply. `mine`: what is known of it so far,
// which stays: a promise, the longest lease of an earlier life, or nothing.
ReplicaState StateAtMerge(ReplicaState mine, const MergeResult& merge_result);
// The state for the store of a replica that has become part of another.
ReplicaState StateAsPart(ReplicaState state, const Merged& merged);

}  // namespace ebla::tabletserver
