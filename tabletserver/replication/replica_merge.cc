// What a merge asks of the replica (PROTOCOL 14): to end its lease, to be made of two others, to become part of
// another.
#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/replication/replica_core.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

void ReplicaCore::Step(const EndLease& input) {
  now_ = std::max(now_, input.now);
  auto* lead = std::get_if<Leadership>(&role_);
  if (lead != nullptr && rules::FreezeEndsLease()) lead->EndLease(now_);
}

void ReplicaCore::Step(const BecomeMerged& input) {
  CHECK(!awaiting_store_ && role() == RoleKind::kAbsent && !state_.tombstone) << "a merged tablet is here already";
  now_ = std::max(now_, input.now);
  state_ = input.state;
  state_dirty_ = true;  // stored by now; this asks for its flush
  log_.Reset(input.at);
  committed_ = input.at.lsn;
  role_ = Follower{};
}

void ReplicaCore::Step(const BecomePart& input) {
  CHECK(!awaiting_store_ && role() != RoleKind::kAbsent);
  StepDown();
  state_.promised = std::max(state_.promised, input.epoch);
  state_.tombstone = true;
  state_.may_have_lost_writes = false;
  remains_ = true;  // the log, until a checkpoint has the merge
  AbandonCopy();
  RefuseAppends(AppendResult::kUnknown);
  role_ = Absent{};
}

}  // namespace ebla::tabletserver
