// tabletserver/replication/follower.h
// The work of a follower: obeys the primary of its epoch, takes its appends and heartbeats, receives its copies.
// Appends work as in Raft. The follower accepts one whose `previous` its log holds, and removes entries that contradict
// it.
// Place:      replica_core.h passes peers' messages to it; followed_log.h keeps its knowledge.
// Invariants: 1. Only the present epoch's one primary is obeyed (replica_role.h, Follow()).
//             2. A committed entry is never replaced. If a primary tries, its history differs, and the replica fails.
// Tests:      tabletserver/replication/replica_group_test.cc
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
  // The reason to accept nothing now; none: it accepts.
  std::optional<AppendResult> CannotTake();
  Result<std::optional<Version>> Conflict(Version previous) const;
  Status Take(const AppendMessage& append);
  // The primary remembers that this replica had the log through there on its disk.

  ReplicaCommon& common_;
  ReplicaRole& role_;
  FollowedLog& followed_;
  CopyReceiver& copies_;
  LeaseGrants& grants_;
};

}  // namespace ebla::tabletserver
