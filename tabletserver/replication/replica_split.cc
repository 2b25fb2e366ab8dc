// What a split asks of the replica (PROTOCOL 9, 11 to 13): to be created as its child, to begin copies anew, to give one
// up.
#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/replication/replica_core.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

void ReplicaCore::Step(const BecomeChild& input) {
  CHECK(!awaiting_store_ && role() == RoleKind::kAbsent) << "a split's child is here already";
  now_ = std::max(now_, input.now);
  state_ = input.state;
  state_dirty_ = true;
  log_.Reset(input.at);
  committed_ = input.at.lsn;
  if (state_.tombstone) {  // dropped before the split was applied here: the host removes what it is given
    remains_ = true;
    return;
  }
  role_ = Follower{};
  if (state_.promised > input.at.epoch) return;  // fenced before it was created
  configured_ = input.at.epoch;
  primary_ = input.primary;
  voters_ = input.voters;
  learners_.clear();
  if (!input.lead) return;
  led_by_split_ = configured_;
  Leadership::Start start{options_.self, options_.lease, configured_, input.at.lsn, messages_, input.at.lsn.Next()};
  role_.emplace<Leadership>(std::move(start), voters_, learners_);
}

bool ReplicaCore::TellsOfSplit(Lsn at) const {
  const auto* lead = std::get_if<Leadership>(&role_);
  return lead != nullptr && lead->TellsOfSplit(at);
}

void ReplicaCore::Step(const SplitNext& input) {
  if (auto* lead = std::get_if<Leadership>(&role_)) lead->TellOfSplit(input.at);
}

void ReplicaCore::Step(const SplitApplied&) {
  auto* lead = std::get_if<Leadership>(&role_);
  if (lead != nullptr && rules::CopyStopsAtSplit()) lead->BeginCopiesAnew();
}

void ReplicaCore::Step(const SplitInCopy& input) {
  if (copy_ && copy_->stage >= CopyStage::kApplying && copy_->upto >= input.at) AbandonCopy();
}

void ReplicaCore::Step(const KeepPlace& input) {
  CHECK(!awaiting_store_);
  if (state_.incomplete_range == input.range) return;  // on its way
  state_.incomplete_range = input.range;
  state_dirty_ = true;
}

}  // namespace ebla::tabletserver
