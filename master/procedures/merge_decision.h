// master/procedures/merge_decision.h
// Decides the next step of a merge whose intents are in the catalog (PROTOCOL 14), and computes the merged tablet.
// Pure: no clock, no message, no catalog.
//
//   intents written by           this master                     an earlier master
//   the catalog gives it up      kEnd                            kEnd
//   Configure was sent           kForward                        kForward
//   both are frozen              kForward                        kForward
//   servers report the tablet    kForward                        kForward
//   nothing speaks against it    kFreeze                         kFreeze
//   it fails, or is not wanted   kThaw: ahead of the catalog,    kExclude, until a majority has promised: kGiveUp
//                                from then on                    a voter has the tablet: kAwaitReport
//
// Why:        The master that wrote the intents knows that no server was told of the merged tablet, as long as it has
//             told none. Every other master must learn that from a majority, which then refuses the orders of earlier
//             masters. After both have answered a FREEZE of this master's term, they refuse an earlier master's thaw
//             (PROTOCOL 28), and each master computes the same merged tablet.
//             Intents in the old form are decided in the catalog alone: kForward and kGiveUp change it first.
// Place:      merge_tablets.h collects the facts, and carries the step out.
// Tests:      master/procedures/merge_decision_test.cc
// Threads:    functions of their arguments.
#pragma once

#include <map>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "idl/control_types.h"
#include "idl/master_types.h"

namespace ebla::master {

struct MergeFacts {
  bool ahead = false;      // the intents allow servers to be ahead of the catalog
  bool mine = false;       // this master's term wrote them
  bool given_up = false;   // in the catalog
  bool told = false;       // this master has sent the merged tablet's Configure, or its Multi
  bool thawed = false;     // this master has sent an order that ends a freeze; never after `told`
  bool changed = false;    // the two are not as they were when the intents were written
  bool cancelled = false;  // by an operator
  bool failing = false;    // a primary refuses to freeze, is late or gone
  bool frozen = false;     // both have answered this master
  bool reported = false;   // a voter reports the merged tablet, and a majority of reports agree with that
  bool found = false;      // a fence of the merged tablet met a voter that has it
  bool excluded = false;   // a majority has promised not to make it, and has not made it
};

enum class MergeStep {
  kFreeze,       // order both to freeze
  kForward,      // configure the merged tablet, and write it to the catalog
  kThaw,         // end both freezes, then write that to the catalog
  kExclude,      // fence the merged tablet
  kAwaitReport,  // of the voter that has the merged tablet
  kGiveUp,       // in the catalog
  kEnd,          // take both to later epochs, as the catalog says
};

MergeStep NextMergeStep(const MergeFacts& facts);

// The length of a wait, measured by frequent looks. A clock that leaps, or a process that was stopped, adds one look at
// most.
class Patience {
 public:
  void Begin(MonotonicTime now) {
    waited_ = {};
    looked_ = now;
  }
  void Look(MonotonicTime now) {
    waited_ += std::min(now - looked_, kLook);
    looked_ = now;
  }
  Duration waited() const { return waited_; }

 private:
  static constexpr Duration kLook = std::chrono::milliseconds(150);
  Duration waited_{};
  MonotonicTime looked_;
};

// The merged tablet as the catalog is to have it, of two nodes with open intents. A function of its arguments alone, so
// that every master means the same: its primary is the left one's.
idl::TabletNode MergedNode(const idl::TabletNode& left, const idl::TabletNode& right, idl::Merged merged);
// How it begins, by the answers of both to FREEZE.
idl::Merged MergedOf(const idl::TabletNode& left, const idl::TabletNode& right, const idl::FreezeResult& left_frozen,
                     const idl::FreezeResult& right_frozen);
// Whether that is a merge of the two as their intents say.
bool IsMergeOf(const idl::Merged& merged, const idl::TabletNode& left, const idl::TabletNode& right);

}  // namespace ebla::master
