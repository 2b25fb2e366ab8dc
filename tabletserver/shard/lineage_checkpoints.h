// tabletserver/shard/lineage_checkpoints.h
// The checkpoints that one shard takes because of splits and merges. Until a checkpoint has a split or a merge, none of
// its tablets discards anything: a start could not bring the child, or the merged tablet, back.
// Place:      splitter.h and merger.h mark their tablets (ShardTablet::uncheckpointed). Before copy_target.h and
//             remover.h discard data they ask Cover(). At the end of a turn shard.h tells part_lender.h which
//             checkpoints have finished.
// Invariants: 1. One of these checkpoints is under way at a time.
// Threads:    the shard's executor.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class LineageCheckpoints {
 public:
  using Covered = TabletStore::CheckpointResult;
  explicit LineageCheckpoints(const ShardContext& shard) : shard_(shard) {}

  // Whether what the tablet has may be discarded. Else a checkpoint is taken, and what waits for it looks again then.
  bool Cover(const ShardTablet& tablet);
  // A checkpoint has finished, of this class or of any other.
  void OnCheckpointed(Covered covered);
  // Returns the checkpoints that have finished since the last call.
  std::vector<Covered> TakeFinished() { return std::exchange(finished_, {}); }
  // Takes one, unless one is under way: then `done` is dropped.
  void Take(std::move_only_function<void(const Result<Covered>&)> done);

 private:
  const ShardContext shard_;
  bool under_way_ = false;
  std::vector<Covered> finished_;
};

}  // namespace ebla::tabletserver
