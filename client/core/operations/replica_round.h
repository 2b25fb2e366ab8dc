// client/core/operations/replica_round.h
// Whom an operation asks, attempt by attempt. Where any replica may answer, a round asks each of them once, in the
// order of the table in operation.h; then the next round begins.
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

// Who may answer an operation.
enum class Answerers {
  kPrimary,
  kReplicas,  // any replica, and the primary has the last word
  kAlike,     // any replica, each as good as the primary
};

class ReplicaRound {
 public:
  explicit ReplicaRound(Network& network) : network_(network) {}

  // The next attempt is for the primary, whoever else may answer.
  bool to_primary() const { return to_primary_; }

  // Whom the coming attempt asks, in *place or here; null when that is the primary and none is known.
  const Replica* Choose(const Place& place, Answerers answerers);
  // The one chosen last.
  const Replica& asked() const { return *asked_; }
  // Voters that this round has not asked yet.
  bool OthersLeft(const Place& place, Answerers answerers) const;
  // The one chosen has not answered the question: whether another may be asked at once.
  bool TurnElsewhere(const Place& place, Answerers answerers, const Attempt& attempt);

  // The call to the one chosen begins, and ends with an answer or without: what its gauge learns.
  void Began();
  void Ended(bool answered);

  // `status`, naming all that were asked in vain.
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
