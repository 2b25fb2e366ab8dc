// tabletserver/tablet/freeze_state.h
// This tablet's part in a merge (PROTOCOL 14): it is frozen, and then exported, so that it can become part of another.
// FREEZE is the last entry of its epoch, so every replica that applies it has all that the merge combines.
// Place:   applier.h applies FREEZE through it; merge_result.h makes one tablet of two that are exported.
// Threads: thread-compatible.
#pragma once

#include <optional>
#include <vector>

#include "tabletserver/tablet/rules.h"
#include "tabletserver/tablet/split_state.h"
#include "tabletserver/tablet/tablet_common.h"
#include "tabletserver/tablet/tablet_io.h"
#include "tabletserver/tablet/tablet_replies.h"

namespace ebla::tabletserver {

class FreezeState {
 public:
  FreezeState(TabletCommon& common, TabletReplies& replies, const SplitState& split)
      : common_(common), replies_(replies), split_(split) {}

  void Order(const FreezeTablet& input);
  // To an order that a frozen tablet does not obey, as if it had asked for a freeze.
  void Answer(RequestToken token, Status status);
  // Nothing more is appended in this epoch.
  bool frozen() const {
    return pending_ || (!rules::BarrierThaws() && common_.replica.Leads() && common_.applied.freeze);
  }
  // FREEZE is logged, and this replica leads.
  bool pending() const { return pending_.has_value(); }
  Status Apply(const LogEntry& entry, ApplyBatch& batch) const;
  // Answers the order once every voter can apply FREEZE as soon as it learns of the commit.
  void Settle();
  // The primary of a later epoch admits at once: its Barrier ends FREEZE, whether its log has it or not.
  void GiveUp();
  // Resets the tablet.
  void Reset() { pending_.reset(); }

  // ---- to become part of `into`, frozen through `freeze` ----
  // OK: it is applied so far and no further, and nothing changes that. COME_AGAIN: not yet, though its log reaches so
  // far. Else it will never be: no complete replica of that history is here.
  Status Unready(Version freeze, TabletId into) const;
  FrozenTablet Export() const;

 private:
  struct Pending {
    Version version;
    TabletId into;
  };
  Status Check(const FreezeTablet& input) const;

  TabletCommon& common_;
  TabletReplies& replies_;
  const SplitState& split_;
  std::optional<Pending> pending_;    // logged by this leader in this epoch
  std::vector<RequestToken> orders_;  // that wait to be answered
};

}  // namespace ebla::tabletserver
