// tabletserver/replication/replica_orders.h
// Carries out the master's orders to a replica, and the effects of the tablet's splits and merges on it: create,
// configure, fence, transfer, drop, forget. Each order is checked against what was promised and led before it is
// obeyed.
// Place:      replica_core.h hands them in. replica_role.h carries the changes out; order_replies.h holds the answers.
// Invariants: 1. A replica leads only if it was fenced for the epoch, leads already, or is the target of a transfer
//             (PROTOCOL 1).
//             2. A fenced replica reports the last entry it has appended, once flushed and its grants have run out; it
//                appends nothing of lower epochs after (PROTOCOL 4).
//             3. Promises for unknown ids are kept; a tombstone refuses every epoch up to its own (PROTOCOL 6).
// Tests:      tests/stories/rule_01_a_log_shorter_than_presumed_refuses.txt,
//             tests/stories/rule_06_a_delayed_drop_is_ignored.txt
// Threads:    thread-compatible.
#pragma once

#include "tabletserver/replication/copy_receiver.h"
#include "tabletserver/replication/followed_log.h"
#include "tabletserver/replication/lease_grants.h"
#include "tabletserver/replication/order_replies.h"
#include "tabletserver/replication/replica_common.h"
#include "tabletserver/replication/replica_role.h"

namespace ebla::tabletserver {

class ReplicaOrders {
 public:
  ReplicaOrders(ReplicaCommon& common, ReplicaRole& role, OrderReplies& replies, FollowedLog& followed,
                CopyReceiver& copies, const LeaseGrants& grants);

  void Step(const ConfigureReplica& input);
  void Step(const FenceReplica& input);
  void Step(const DropReplica& input);
  void Step(const AlterReplica& input);
  void Step(const TransferReplica& input);
  void Step(const ReplicaForgotten& input);
  void Step(const KeepPlace& input);
  void Step(const BecomeChild& input);
  void Step(const BecomeMerged& input);
  void Step(const BecomePart& input);

  // Whether this Configure, which is obeyed, restarts the replica from nothing: it was in memory alone, this process
  // has lost it, and every voter has reported to the master that it has no log (PROTOCOL 5). The host discards what a
  // copy may have brought, before the replica is told.
  bool RestartsEmpty(const ConfigureReplica& input) const;

 private:
  Status CheckConfigure(const ConfigureReplica& input) const;
  // May this replica lead the epoch (PROTOCOL 1, 5, 6)?
  Status CheckLead(const ConfigureReplica& input) const;
  void Create(const ConfigureReplica& input);
  void Begin(const ConfigureReplica& input, bool complete);
  // This voter has been here before, as far as anything shows (PROTOCOL 6).
  bool HasForgotten(const ConfigureReplica& input) const;
  bool HasLostAll() const { return !absent() && state_.incomplete && state_.may_have_lost_writes; }
  void BeginAfter(const ReplicaState& state, Version at);
  bool absent() const { return role_.kind() == RoleKind::kAbsent; }

  ReplicaCommon& common_;
  ReplicaState& state_;  // of common_
  ReplicaRole& role_;
  OrderReplies& replies_;
  FollowedLog& followed_;
  CopyReceiver& copies_;
  const LeaseGrants& grants_;
  bool remains_;  // a tombstone whose data the host has not yet removed
};

}  // namespace ebla::tabletserver
