// tabletserver/replication/follower.h
// What a replica does that follows: obeys the primary of its epoch, takes its appends and heartbeats, receives its
// copies. Appends go as in Raft: one whose `previous` the log holds is taken, and what contradicts it is removed.
// Place:      replica_core.h hands it what peers say; followed_log.h keeps what it learns.
// Invariants: 1. Only the present epoch's one primary is obeyed (replica_role.h, Follow()).
//             2. What is committed is never replaced: a primary that would do so has another history, and the replica
//                fails.
// Threads:    thread-compatible.
#pragma once

#include <optional>

#include "tabletserver/replication/copy_receiver.h"
#include "tabletserver/replication/followed_log.h"
#include "tabletserver/replication/lease_grants.h"
#include "tabletserver/replication/replica_common.h"
#include "tabletserver/replication/replica_role.h"

namespace ebla::tabletserver {

class Follower {
 public:
  Follower(ReplicaCommon& common, ReplicaRole& role, FollowedLog& followed, CopyReceiver& copies, LeaseGrants& grants)
      : common_(common), role_(role), followed_(followed), copies_(copies), grants_(grants) {}

  void Step(const PeerRequest& input);
  void Step(const ReceiveCopy& input);
  void Step(const CopyPrepared& input);
  void Step(const CopyArrived& input);
  void Step(const CopyCheckpointed& input) { copies_.OnCheckpointed(input); }
  void Step(const SplitInCopy& input) { copies_.OnSplit(input); }

 private:
  void OnAppend(const PeerRequest& request, const AppendMessage& append);
  void OnHeartbeat(const PeerRequest& request, const HeartbeatMessage& heartbeat);
  // Why nothing is taken now; none: it is.
  std::optional<AppendResult> CannotTake();
  Result<std::optional<Version>> Conflict(Version previous) const;
  Status Take(const AppendMessage& append);

  ReplicaCommon& common_;
  ReplicaRole& role_;
  FollowedLog& followed_;
  CopyReceiver& copies_;
  LeaseGrants& grants_;
};

}  // namespace ebla::tabletserver
