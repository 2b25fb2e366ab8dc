// master/procedures/tablet_needs.h
// What a tablet needs, by the catalog, by the servers' last reports, and by what this master knows beyond them. It
// decides and does nothing: tablet_reconciler.h acts.
// When:       A primary is failed over when its liveness node is gone and a majority of its voters live, when a
//             majority of its followers report it silent, when it was refused for a higher promise, or when it does not
//             lead what the catalog says. A primary that leads an older epoch is told of the change it missed.
//             One that has released its epoch is asked again for whom and how far, and the transfer is completed.
// Invariants: 1. A tablet that has lost the majority of its voters waits for them, also while it is still being
//                created: its primary may lead, and have acknowledged writes, before the catalog says that it serves.
//             2. A tablet of which somebody reports a later epoch than the catalog's is not touched (PROTOCOL 24), and
//                a promise of more than the epoch after the catalog's is not outbid before all who live have reported.
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
  kComplete,   // a transfer that its primary has begun
};

// What this master knows of a tablet beyond the catalog and the reports.
struct TabletKnowledge {
  Epoch fence_floor;
  // The last epoch that this master put into the catalog or saw obeyed, for which incarnation and since when.
  Epoch epoch;
  Incarnation incarnation;
  bool led = false;
  bool refused = false;  // the primary will not lead it
  Epoch fenced_from;     // in this epoch its primary is done without, though it lives
  MonotonicTime since;
  Mandate mandate;  // what to say when that Configure is to be repeated
};

// Of the catalog's tablets, for metrics. A tablet counts once: where it first fits.
struct LackingTablets {
  size_t majority = 0;  // most of its voters do not live
  size_t primary = 0;   // no live primary says that it leads it as the catalog has it
  size_t replicas = 0;  // fewer live voters than its table wants
  // Beside these: how often tablets of tables in memory, of those in the catalog now, have begun anew, as nobody had
  // their data any more.
  int64_t times_emptied = 0;
};

class TabletNeeds {
 public:
  explicit TabletNeeds(const Context& context) : context_(context) {}

  Need Of(const TabletEntry& tablet, const TabletKnowledge& known) const;
  bool PrimarySilent(const TabletEntry& tablet, const TabletKnowledge& known) const;
  // The greatest epoch that anybody is known to have promised.
  Epoch FenceFloor(const TabletEntry& tablet, const TabletKnowledge& known) const;
  // Above that, and above the catalog's.
  Epoch NextEpoch(const TabletEntry& tablet, const TabletKnowledge& known) const {
    return std::max(tablet.epoch(), FenceFloor(tablet, known)).Next();
  }
  size_t LiveVoters(const TabletEntry& tablet) const;
  bool MajorityLives(const TabletEntry& tablet) const {
    return LiveVoters(tablet) > tablet.node.info.voters.size() / 2;
  }
  // What its primary has lately reported, if it leads the catalog's epoch, has its Barrier committed and a majority of
  // the voters lives; else null.
  const idl::TabletLoad* LeaderLoad(const TabletEntry& tablet) const;
  LackingTablets CountLacking() const;

 private:
  bool AllReported() const;
  Need ByReports(const TabletEntry& tablet, const TabletKnowledge& known) const;
  Need OfCreating(const TabletEntry& tablet, const TabletKnowledge& known) const;
  Need OfServing(const TabletEntry& tablet, const TabletKnowledge& known, const Server& primary) const;

  const Context context_;
};

}  // namespace ebla::master
