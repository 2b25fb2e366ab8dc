// tabletserver/shard/log_truncator.h
// Truncates the logs of one shard's tablets below a finished checkpoint, because a start needs nothing below it. Works
// in small pieces, because clients wait for each piece, and a busy minute leaves hundreds of MB.
// Place:      maintenance/checkpointer.h calls it after each checkpoint; log_retention.h says how much stays for
//             replicas that are behind.
// Invariants: 1. A log loses its pieces from its old end on: a crash between two leaves no gap.
//             2. The core is told before the first piece is removed, and looks for none of them any more.
// Threads:    Truncate from any; the rest on the shard's executor.
#pragma once

#include <map>
#include <memory>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

class LineageCheckpoints;

class LogTruncator {
 public:
  LogTruncator(const ShardContext& shard, LineageCheckpoints& checkpoints, PartLender& part_lender)
      : shard_(shard), checkpoints_(checkpoints), part_lender_(part_lender) {}

  // Logs up to and including these positions are superfluous for a start, because a checkpoint has finished or because
  // the tables are in memory. Only a finished checkpoint is told to the classes that wait for one.
  enum class Cause { kCheckpointed, kInMemory };
  void Truncate(const TabletStore::CheckpointResult& covered, Cause cause = Cause::kCheckpointed);

 private:
  struct Truncation {
    std::weak_ptr<ShardTablet> tablet;
    uint64_t logs_discarded = 0;  // of the tablet by then: the log that a copy begins with is not the one to be cut
    Lsn recoverable;              // a start needs nothing below it
    Lsn next, below;              // what is still to go; none: yet to be found
  };
  void Continue();
  Result<bool> TruncateSome(const ShardTablet& tablet, Truncation& truncation);
  Status Begin(const ShardTablet& tablet, Truncation& truncation);
  Result<Lsn> RetainedFor(const ShardTablet& tablet, Lsn needed) const;

  const ShardContext shard_;
  LineageCheckpoints& checkpoints_;
  PartLender& part_lender_;
  std::map<TabletId, Truncation> truncations_;  // a slice is to come if there are any
  TabletId last_;                               // of them
  bool late_ = false;                           // a checkpoint has come while the one before it had some left
  uint64_t piece_ = 256;                        // entries at once, by how long the last took
};

}  // namespace ebla::tabletserver
