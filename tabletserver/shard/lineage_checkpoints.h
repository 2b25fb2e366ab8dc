// tabletserver/shard/lineage_checkpoints.h
// The checkpoints that one shard takes because of splits and merges. Until a checkpoint has a split or a merge, none of
// its tablets discards anything: a start could not bring the child, or the merged tablet, back.
// Place:      splitter.h and merger.h mark their tablets (ShardTablet::uncheckpointed). Who is about to discard asks
//             Cover(): copy_target.h and remover.h. part_lender.h waits for one, too.
// Invariants: 1. One of these checkpoints is under way at a time.
// Threads:    the shard's executor.
#pragma once

#include <functional>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class CopyTarget;
class Remover;

class LineageCheckpoints {
 public:
  // Who is told of each checkpoint.
  struct Parts {
    PartLender& part_lender;
    CopyTarget& copy_target;
    Remover& remover;
  };
  LineageCheckpoints(const ShardContext& shard, const Parts& parts) : shard_(shard), parts_(parts) {}

  // Whether what the tablet has may be discarded. Else a checkpoint is taken, and whoever waits is looked at again.
  bool Cover(const ShardTablet& tablet);
  // A checkpoint of anybody's is finished.
  void OnCheckpointed(const TabletStore::CheckpointResult& covered);
  // Logs of tables in memory are being cut: no start needs them, and no checkpoint need be waited for.
  void OnTruncatedInMemory();
  // Takes one, unless one is under way: then `done` is dropped.
  void Take(std::move_only_function<void(const Result<TabletStore::CheckpointResult>&)> done);

 private:
  const ShardContext shard_;
  const Parts parts_;
  bool under_way_ = false;
};

}  // namespace ebla::tabletserver
