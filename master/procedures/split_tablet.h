// master/procedures/split_tablet.h
// Splits a tablet in two (PROTOCOL 11 to 13). Its znode names the key and the child's id, its primary logs SPLIT, and
// one Multi then gives the parent the lower half and creates the child's znode as in SPLIT.
//
//   znode of 7 is [a, z) epoch 3          intent drawn by compare-and-set, with key m, child 71, epoch 3
//   order to 7's primary of epoch 3       SPLIT logged, committed, applied; 7 serves [a, m), 71 serves [m, z)
//   any replica's report that it applied  znode of 7 is [a, m), of 71 is [m, z) epoch 3, primary and voters of SPLIT
//
// If the answer to the order is lost, a report that arrives meanwhile does as well.
// Resumption: the intent describes the whole split. A new master asks for the same SPLIT again, which has no effect if
//             it is logged, or finds in the reports that it is applied.
// Invariants: 1. The child's znode is created only from a report or an answer that its SPLIT is applied somewhere,
//                because it is then committed.
//             2. An intent is given up only when a later epoch's Barrier is applied and that SPLIT is not, because the
//                SPLIT then never will be. If the primary refuses the order, or there is no result for a while, the
//                tablet is taken to a later epoch for that.
// Tests:      master/host/master_split_test.cc
// Threads:    thread-compatible; the master's executor.
#pragma once

#include <optional>
#include <string>

#include "master/procedures/procedure.h"
#include "master/procedures/request_origin.h"
#include "master/procedures/tablet_reconciler.h"

namespace ebla::master {

std::string SplitTabletName(TabletId tablet);

// The tablet from which the tablet that begins at the key was split off, if both exist. A repeated request for that
// split is answered with its result. None: there is no such pair.
std::optional<TabletId> SplitOffAt(const Image& image, TableId table, const std::string& key);

// Whether the key can part the table there: INVALID_ARGUMENT with the reason, NOT_FOUND no such tablet.
Status CheckSplit(const Image& image, TabletId tablet, const std::string& key);

// The change that begins it, if `tablet` is settled; none where it is being split there already, or has been.
// UNAVAILABLE: not at present.
Result<Change> BeginSplit(const Image& image, const TabletReconciler& reconciler, TabletId tablet,
                          const std::string& key, const RequestOrigin& origin);

class SplitTablet final : public Procedure {
 public:
  SplitTablet(const Context& context, TabletReconciler& reconciler, TabletId tablet);
  void Step(coordination::Callback<Progress> done) override;
  void OnWake() override;

 private:
  struct Proof {
    bool applied = false;  // by the replicas in `split`
    bool never = false;    // and it never will be
    idl::AppliedSplit split;
  };
  Proof Look(const TabletEntry& tablet) const;
  bool CannotTell(const TabletEntry& tablet) const;
  void Order(const TabletEntry& tablet, coordination::Callback<Progress> done);
  void OnOrdered(Result<std::map<TabletId, idl::SplitResult>> results, coordination::Callback<Progress> done);
  void Complete(const idl::AppliedSplit& split, coordination::Callback<Progress> done);
  void GiveUp(coordination::Callback<Progress> done);

  const Context context_;
  TabletReconciler& reconciler_;
  const TabletId tablet_;
  const MonotonicTime began_;
  TabletId child_;                            // once seen in the catalog
  coordination::Callback<Progress> ordered_;  // the step under way, while it waits for the answer to its order
  uint64_t orders_ = 0;
  bool refused_ = false;  // by the primary, for good
  Status refusal_;
  CallbackGuard if_alive_;
};

}  // namespace ebla::master
