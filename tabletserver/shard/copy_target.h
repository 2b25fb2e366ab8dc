// tabletserver/shard/copy_target.h
// The copies of tablets that arrive at this shard (PROTOCOL 9). Discards the replica's data once no reader is left
// (PROTOCOL 8), installs the copy's start, stores chunks, and takes the checkpoint that ends the copy (PROTOCOL 5).
// Place:      service/copy_handler.h hands in what the source sends; the cores' outputs say what is to be prepared and
//             when the copy is whole (round_driver.h). outgoing_copies.h is the other end.
// Invariants: 1. A replica's data is discarded only when no reader holds a view of it, a checkpoint has its last split
//                or merge, and its state names its present place.
//             2. Each request of a source is answered once.
// Threads:    Begin, Chunk and End from any; the rest on the shard's executor.
#pragma once

#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"
#include "tabletserver/transport/copy_types.h"

namespace ebla::tabletserver {

class LineageCheckpoints;

class CopyTarget {
 public:
  CopyTarget(const ShardContext& shard, LineageCheckpoints& checkpoints) : shard_(shard), checkpoints_(checkpoints) {}

  // The source's requests. Each follows the answer to the one before (copy_source.h). `done` runs on the executor.
  void Begin(CopyBegin begin, CopyDone done);
  void Chunk(CopyChunk chunk, CopyDone done);
  void End(TabletId tablet, uint64_t copy, Lsn upto, CopyDone done);

  // ---- executor only ----
  // Carries out the core's requests of this round.
  void Execute(TakenOutput& taken);
  // Looks again at the copies that wait to discard what is here.
  void Continue();
  void Abandon(const ShardTablet& tablet);

 private:
  // A source's request that waits for the core's answer.
  struct Pending {
    CopyDone done;
    std::shared_ptr<const CopyBase> base;  // of one that begins; shared with the work in the background
  };
  // A copy whose start is to be installed.
  struct Preparation {
    ShardTabletPtr tablet;
    uint64_t copy = 0;
    std::shared_ptr<const CopyBase> base;
  };
  // The dedup window of a copy that begins in several requests, as far as it has come.
  struct GatheredDedupRows {
    uint64_t copy = 0;
    std::vector<DedupRow> rows;
  };

  void FindRoom(const ShardTabletPtr& tablet, CopyBegin begin, CopyDone done);
  void Begin(const ShardTabletPtr& tablet, CopyBegin begin, CopyDone done);
  RequestToken Expect(CopyDone done, std::shared_ptr<const CopyBase> base);
  bool GatherDedupRows(CopyBegin& begin);
  void Prepare(const ShardTabletPtr& tablet, const ReceiveCopy& order);
  bool MayDiscard(const ShardTabletPtr& tablet);
  bool KeepsPlace(const ShardTabletPtr& tablet);
  void Install(const Preparation& preparation);
  void OnInstalled(const Preparation& begun, const Status& status);
  void Checkpoint(const ShardTabletPtr& tablet, uint64_t copy);
  void Complete(const ShardTabletPtr& tablet, uint64_t copy);

  const ShardContext shard_;
  LineageCheckpoints& checkpoints_;
  std::unordered_map<RequestToken, Pending> pending_;
  std::map<TabletId, GatheredDedupRows> gathered_;
  std::vector<Preparation> preparations_;  // waits for readers, then for the start; one of each tablet
};

}  // namespace ebla::tabletserver
