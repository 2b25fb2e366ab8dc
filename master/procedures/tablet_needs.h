// master/procedures/tablet_needs.h
// Decides the next action for a tablet, from the catalog, the servers' last reports, and this master's further
// knowledge. It only decides; tablet_reconciler.h acts.
// When:       A primary is failed over when its liveness node is gone and a majority of its voters live, when a
//             majority of its followers report it silent, when it was refused for a higher promise, or when it does not
//             lead as in the catalog. A primary that leads an older epoch is told of the change it missed.
//             The catalog names a transfer's target before the previous primary is told. The master asks the previous
//             primary until it releases the tablet; if the target dies or does not become level, the master takes the
//             tablet back.
// Invariants: 1. A tablet that has lost the majority of its voters waits for them, also while it is still being
//                created, because its primary may lead, and have acknowledged writes, before the catalog marks it
//                SERVING.
//             2. A tablet whose merge is open is left to merge_tablets.h.
//             3. A tablet with a report of a later epoch than the catalog's is not touched (PROTOCOL 24), and a promise
//                of more than the epoch after the catalog's is not outbid before all live servers have reported.
// Tests:      master/host/master_failover_test.cc, master/host/master_transfer_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <algorithm>

#include "master/procedures/context.h"
#include "master/procedures/tablet_batch.h"

namespace ebla::master {

enum class Need {
  kNothing,
  kWait,       // until more is known
  kConfigure,  // its primary is to be told
  kFence,      // another is to lead
  kTransfer,   // its previous primary is to release it to the one that the catalog names
  kTakeBack,   // the catalog is to name the previous primary again
};

// How far the transfer is that put the catalog's primary there.
enum class TransferStage {
  kOver,      // no transfer did, its target was told, or the previous primary can release nothing any more
  kUnknown,   // the previous primary has not reported to this master
  kOpen,      // the previous primary leads
  kReleased,  // the previous primary has released the tablet, and the target may not have been told
};

// This master's knowledge of a tablet beyond the catalog and the reports.
struct TabletKnowledge {
  Epoch fence_floor;
  // The last epoch that this master put into the catalog or saw obeyed, for which incarnation and since when.
  Epoch epoch;
  Incarnation incarnation;
  bool led = false;
  bool refused = false;  // the primary will not lead it
  Epoch fenced_from;     // in this epoch its primary is done without, though it lives
  // The epoch of the target that this master last had a primary asked to release the tablet to, and when it first did.
  Epoch released_for;
  MonotonicTime asked_since;
  MonotonicTime since;
  Mandate mandate;  // what to say when that Configure is to be repeated
};

// Counts of the catalog's tablets, for metrics. A tablet counts once, in the first field that fits.
struct LackingTablets {
  size_t majority = 0;  // most of its voters do not live
  size_t primary = 0;   // no live primary reports that it leads as in the catalog
  size_t replicas = 0;  // fewer live voters than its table wants
  // Beside these: how often tablets of tables in memory, of those in the catalog now, have started empty, because no
  // replica had their data any more.
  int64_t times_emptied = 0;
};

class TabletNeeds {
 public:
  explicit TabletNeeds(const Context& context) : context_(context) {}

  Need Of(const TabletEntry& tablet, const TabletKnowledge& known) const;
  // Whether the tablet would be failed over, were no merge of it open.
  bool WantsFailover(const TabletEntry& tablet, const TabletKnowledge& known) const {
    return ByReports(tablet, known) == Need::kFence;
  }
  TransferStage StageOf(const TabletEntry& tablet, const TabletKnowledge& known) const;
  // The previous primary until it releases the tablet, else the primary that the catalog names.
  PrimaryAt PrimaryOf(const TabletEntry& tablet, const TabletKnowledge& known) const;
  // The primary that followers know: the previous one until a transfer's target was told, by this master or, as a voter
  // reports, by an earlier one.
  ServerName FollowedOf(const TabletEntry& tablet, const TabletKnowledge& known) const;
  bool PrimarySilent(const TabletEntry& tablet, const TabletKnowledge& known) const;
  // The greatest epoch that any replica is known to have promised.
  Epoch FenceFloor(const TabletEntry& tablet, const TabletKnowledge& known) const;
  // Above that, and above the catalog's.
  Epoch NextEpoch(const TabletEntry& tablet, const TabletKnowledge& known) const {
    return std::max(tablet.epoch(), FenceFloor(tablet, known)).Next();
  }
  size_t LiveVoters(const TabletEntry& tablet) const;
  bool MajorityLives(const TabletEntry& tablet) const {
    return LiveVoters(tablet) > tablet.node.info.voters.size() / 2;
  }
  // The primary's latest report of the tablet, if it leads that epoch, has its Barrier committed and a majority of the
  // voters lives; else null.
  const idl::TabletLoad* LeaderLoad(const TabletEntry& tablet, const PrimaryAt& primary) const;
  LackingTablets CountLacking() const;

 private:
  bool AllReported() const;
  Need ByReports(const TabletEntry& tablet, const TabletKnowledge& known) const;
  Need OfCreating(const TabletEntry& tablet, const TabletKnowledge& known) const;
  Need OfTransfer(const TabletEntry& tablet, const TabletKnowledge& known, TransferStage stage) const;
  Need OfServing(const TabletEntry& tablet, const TabletKnowledge& known, const Server& primary) const;

  const Context context_;
};

}  // namespace ebla::master
