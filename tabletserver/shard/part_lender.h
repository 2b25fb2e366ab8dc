// tabletserver/shard/part_lender.h
// The side of the two tablets in a merge (PROTOCOL 10, 13, 14). Reports when a tablet is applied through its FREEZE,
// lends it to the shard that makes the new tablet, and forgets its log once a checkpoint has the merge.
//
//     shard of C (merger.h)     shard of A                shard of B
//     Merge                     Await ..ready             Await ..ready
//                               Lend                      Lend
//     Commit                    Finish                    Finish
//     Configure                 its log is forgotten, once a checkpoint has the merge
//
// Place:      merger.h calls the first four, on whichever shard the tablet is. Orders and requests that name a lent
//             tablet are refused with COME_AGAIN.
// Invariants: 1. From its lending on nothing obeys or changes a tablet here, until it is given back, or has become part
//                of another.
// Threads:    Await, Lend, GiveBack and Finish from any, `done` runs on this shard's executor; the rest there alone.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class CopyTarget;
class LineageCheckpoints;
class OutgoingCopies;
class ReadWaiters;

// A part, as the new tablet needs it.
struct FrozenPart {
  FrozenTablet tablet;
  std::shared_ptr<TabletHandle> handle;
};

class PartLender {
 public:
  struct Parts {
    ReadWaiters& reads;
    OutgoingCopies& outgoing_copies;
    CopyTarget& copy_target;
    LineageCheckpoints& checkpoints;
  };
  PartLender(const ShardContext& shard, const Parts& parts) : shard_(shard), parts_(parts) {}

  // Says once the part can be lent: OK; or that it never can.
  void Await(MergedTablet part, TabletId into, std::move_only_function<void(Status)> done);
  // COME_AGAIN: it is busy for a moment.
  void Lend(MergedTablet part, TabletId into, std::move_only_function<void(Result<FrozenPart>)> done);
  void GiveBack(TabletId part);
  void Finish(TabletId part, TabletId into, Version position);

  // ---- executor only ----
  // Tells those that wait for nothing any more.
  void Wake(ShardTablet& tablet);
  // At a start: it became part of another, which no checkpoint of this process has yet.
  void AddRecovered(const ShardTabletPtr& tablet);
  // A start needs their logs until a checkpoint has what was made of them.
  void ForgetCheckpointed(const TabletStore::CheckpointResult& covered);
  // Forgets the logs of tables in memory, which no start needs.
  void ForgetInMemory();

 private:
  struct Waiter {
    MergedTablet part;
    TabletId into;
    std::move_only_function<void(Status)> done;
  };
  // A tablet that is part of another by now.
  struct Merged {
    ShardTabletPtr tablet;
    TabletId into;
    Lsn position;
  };
  void ForgetIf(const std::function<bool(const Merged&)>& covered);
  void OnForgotten(const ShardTabletPtr& tablet, const Status& status);

  const ShardContext shard_;
  const Parts parts_;
  std::vector<Waiter> waiters_;
  std::vector<Merged> merged_;  // until a checkpoint has that
};

}  // namespace ebla::tabletserver
