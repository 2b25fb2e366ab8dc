// tabletserver/shard/remover.h
// Removes what a drop leaves behind. Once no reader is left, truncates the tablet's range and forgets its rows and log.
// Its place stays taken until a checkpoint begun after that is done (PROTOCOL 8, 10): else a crash would bring the old
// records back under a newer replica of the same range.
// Place:      tablet_orders.h begins a removal when a drop is answered, shard.h where a crash cut one short.
// Invariants: 1. A dropped replica's data is removed only when no reader holds a view of it, and a checkpoint has its
//                last split or merge.
// Threads:    the shard's executor.
#pragma once

#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class CopyTarget;
class LineageCheckpoints;
class OutgoingCopies;
class ReadWaiters;

class Remover {
 public:
  // The classes that release a tablet before its removal, and that decide when its data may be removed.
  struct Parts {
    ReadWaiters& reads;
    PartLender& part_lender;
    OutgoingCopies& outgoing_copies;
    CopyTarget& copy_target;
    LineageCheckpoints& checkpoints;
  };
  Remover(const ShardContext& shard, const Parts& parts) : shard_(shard), parts_(parts) {}

  void Begin(const ShardTabletPtr& tablet);
  // Looks again at those that wait.
  void Continue();

 private:
  void OnTruncated(const ShardTabletPtr& tablet, const Status& status);
  void Checkpoint();

  const ShardContext shard_;
  const Parts parts_;
  std::vector<ShardTabletPtr> reading_;    // until no reader is left, then until the range is truncated
  std::vector<ShardTabletPtr> truncated_;  // until a checkpoint begun from now on is done
  bool checkpointing_ = false;             // for those that were truncated before
};

}  // namespace ebla::tabletserver
