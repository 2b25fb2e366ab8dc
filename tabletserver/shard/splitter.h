// tabletserver/shard/splitter.h
// Splits (PROTOCOL 11 to 13), as a shard has its part in them. When a tablet's core applies a SPLIT, the child's state
// is stored before the records show that it exists. Parent and child change in one transaction and in one step of the
// directory. The child's core, on this same shard (common/base/lineage.h), continues from there.
// Place:      a round prepares the children with the batch that it applies, and creates them after it
//             (round_driver.h). Until a checkpoint has the split, neither of the two discards anything
//             (lineage_checkpoints.h).
// Invariants: 1. The child's view is published before its place in the directory is, and both no later than the
//                parent's next view.
//             2. The child takes its parent's waiting writes and its own early calls before its first messages leave.
// Threads:    the shard's executor.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tabletserver/shard/shard_context.h"
#include "tabletserver/shard/shard_tablet.h"

namespace ebla::tabletserver {

class PeerExchange;
class Remover;

class Splitter {
 public:
  Splitter(const ShardContext& shard, PeerExchange& peers, Remover& remover)
      : shard_(shard), peers_(peers), remover_(remover) {}

  // A child that the batch of its parent creates.
  struct Creation {
    ShardTabletPtr child;
    std::shared_ptr<const SplitChild> split_child;
    TakenOutput* parent = nullptr;
  };
  // Adds the children's batches to those that are to be applied at once.
  Status Prepare(std::span<TakenOutput*> taken, std::vector<ApplyBatch>& batches, std::vector<Creation>& creations);
  // Once they are applied.
  void Create(Creation& creation);
  // Stores the child's former state, because the batches could not be applied. If the parent is dropped before the
  // split succeeds, no log can make the child, and a start must not look for it.
  void Withdraw(const Creation& creation);
  // Names in the server's log what was created since: as slow as a write, it can wait for a tick.
  void LogNew();

 private:
  Status PrepareChild(TakenOutput& parent, std::vector<Creation>& creations);
  void StepSoon(const ShardTabletPtr& child, Duration after);

  const ShardContext shard_;
  PeerExchange& peers_;
  Remover& remover_;
  std::vector<std::shared_ptr<const SplitChild>> unlogged_;
};

}  // namespace ebla::tabletserver
