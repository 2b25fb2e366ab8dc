#include "client/core/operations/replica_round.h"

#include <algorithm>
#include <utility>

namespace ebla::client {

namespace {

std::string Joined(const std::vector<rpc::Endpoint>& endpoints) {
  std::string text;
  for (const rpc::Endpoint& endpoint : endpoints) text += (text.empty() ? "" : ", ") + endpoint.ToString();
  return text;
}

}  // namespace

const Replica* ReplicaRound::Choose(const Place& place, EligibleReplicas eligible) {
  asked_ = nullptr;
  if (eligible != EligibleReplicas::kPrimary && !to_primary_) {
    const auto chosen = ChooseReplica(place.replicas, passed_over_, network_.Now(), network_.executor().Random());
    if (chosen) asked_ = &place.replicas[*chosen];
  }
  if (asked_ == nullptr) asked_ = Primary(place);
  if (asked_ == nullptr) to_primary_ = false;
  return asked_;
}

const Replica* ReplicaRound::Primary(const Place& place) {
  if (!place.Usable()) return nullptr;
  for (const Replica& replica : place.replicas) {
    if (replica.server == place.primary && replica.endpoint == place.endpoint) return &replica;
  }
  primary_ = {place.primary, place.endpoint, true, 0, network_.GaugeOf(place.endpoint)};
  return &primary_;
}

bool ReplicaRound::HasUntriedReplica(const Place& place, EligibleReplicas eligible) const {
  if (eligible == EligibleReplicas::kPrimary) return false;
  return std::ranges::any_of(place.replicas, [&](const Replica& replica) {
    return replica.voter && replica.endpoint != asked_->endpoint &&
           std::ranges::find(passed_over_, replica.endpoint) == passed_over_.end();
  });
}

bool ReplicaRound::TryNextReplica(const Place& place, EligibleReplicas eligible, const Attempt& attempt) {
  if (eligible == EligibleReplicas::kPrimary) return false;
  if (std::ranges::find(in_vain_, asked_->endpoint) == in_vain_.end()) in_vain_.push_back(asked_->endpoint);
  const bool was_primary = asked_->endpoint == place.endpoint;
  if (attempt.status.code() == Code::kWrongTablet && (was_primary || attempt.hint_usable)) {
    return StartAgain(false);  // it is the place that is wrong: its other replicas know no better
  }
  passed_over_.push_back(asked_->endpoint);
  if (attempt.from_server) {
    to_primary_ = place.Usable() && std::ranges::find(passed_over_, place.endpoint) == passed_over_.end();
    if (to_primary_) return true;
    if (eligible == EligibleReplicas::kReplicas) return StartAgain(was_primary);
  }
  to_primary_ = false;
  return HasUntriedReplica(place, eligible) || StartAgain(false);
}

bool ReplicaRound::StartAgain(bool to_primary) {
  to_primary_ = to_primary;
  passed_over_.clear();
  return false;
}

void ReplicaRound::Began() {
  if (!asked_->gauge) return;
  sent_at_ = network_.Now();
  asked_->gauge->Chosen(sent_at_);
  asked_->gauge->Began();
}

void ReplicaRound::Ended(bool answered) {
  if (!asked_->gauge) return;
  const MonotonicTime now = network_.Now();
  if (answered) {
    asked_->gauge->Answered(now, now - sent_at_);
  } else {
    asked_->gauge->Silent(now);
  }
}

Status ReplicaRound::WithAllAsked(Status status) const {
  if (in_vain_.size() < 2) return status;
  return {status.code(), status.message() + "; without success at: " + Joined(in_vain_)};
}

}  // namespace ebla::client
