// client/core/operations/replica_round.h
// Chooses the replica for each attempt of an operation. If any replica may answer, a round asks each of them once, in
// the order of the table in operation.h; then the next round begins.
// Place:   Operation has one. replica_choice.h chooses among the replicas of a round that were not asked yet.
// Threads: compatible.
#pragma once

#include <string>
#include <vector>

#include "client/core/calls/retry_policy.h"
#include "client/core/routing/network.h"
#include "client/core/routing/replica_choice.h"
#include "client/core/routing/routing_cache.h"

namespace ebla::client {

// The replicas that may answer an operation.
enum class EligibleReplicas {
  kPrimary,
  kReplicas,  // any replica, and the primary has the last word
  kAny,       // any replica, each as good as the primary
};

class ReplicaRound {
 public:
  explicit ReplicaRound(Network& network) : network_(network) {}

  // The next attempt is for the primary, even if other replicas may answer.
  bool to_primary() const { return to_primary_; }

  // The replica for the next attempt, owned by *place or this object; null if it is the primary and none is known.
  const Replica* Choose(const Place& place, EligibleReplicas eligible);
  // The replica chosen last.
  const Replica& asked() const { return *asked_; }
  // Whether this round has voters left to ask.
  bool HasUntriedReplica(const Place& place, EligibleReplicas eligible) const;
  // The chosen replica has not answered the request: whether another one may be asked at once.
  bool TryNextReplica(const Place& place, EligibleReplicas eligible, const Attempt& attempt);

  // Tell the chosen replica's gauge that the call begins, and that it ends with or without an answer.
  void Began();
  void Ended(bool answered);

  // `status` with the names of all replicas that were asked in vain.
  Status WithAllAsked(Status status) const;

 private:
  const Replica* Primary(const Place& place);
  bool StartAgain(bool to_primary);

  Network& network_;
  std::vector<rpc::Endpoint> passed_over_;  // in this round
  std::vector<rpc::Endpoint> in_vain_;      // in all rounds
  bool to_primary_ = false;
  const Replica* asked_ = nullptr;
  Replica primary_;  // of a place that does not list its replicas
  MonotonicTime sent_at_;
};

}  // namespace ebla::client
