// tabletserver/tablet/view_publisher.h
// The view of a tablet for readers on other threads and for reports to the master. Decides when a new one is due, and
// fills it.
// Place:      tablet_core.h takes one with an output. Every part marks the view dirty (TabletCommon) when it has news.
// Invariants: a view never shows a role, barrier or applied position that is not reached.
// Threads:    thread-compatible; a view is immutable.
#pragma once

#include <memory>

#include "tabletserver/tablet/freeze_state.h"
#include "tabletserver/tablet/split_state.h"
#include "tabletserver/tablet/tablet_common.h"
#include "tabletserver/tablet/waiters.h"

namespace ebla::tabletserver {

class ViewPublisher {
 public:
  ViewPublisher(TabletCommon& common, const SplitState& split, const FreezeState& freeze, const Waiters& waiters)
      : common_(common), split_(split), freeze_(freeze), waiters_(waiters) {}

  // The lease may have become longer.
  void OnLease();
  void OnTick();
  std::shared_ptr<const TabletView> Make() const;
  // Null: as before.
  std::shared_ptr<const TabletView> Take();

 private:
  TabletCommon& common_;
  const SplitState& split_;
  const FreezeState& freeze_;
  const Waiters& waiters_;
  struct {
    MonotonicTime at, lease_until;
    Version last_appended;
    Epoch promised;
  } published_;
};

}  // namespace ebla::tabletserver
