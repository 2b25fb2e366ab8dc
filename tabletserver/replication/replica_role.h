// tabletserver/replication/replica_role.h
// Which epoch a replica obeys, and what it is in it: absent, follower or primary. Every change of role happens here,
// because it ends the copies, transfers, answers and confirmations of the role before.
// Place:      replica_orders.h (the master's orders) and follower.h (what primaries say) change it; replica_core.h asks
//             it.
// Invariants: 1. It leads an epoch at most once, and in one process only (PROTOCOL 1); stepping down is final
//                (PROTOCOL 3).
//             2. A promise never falls.
//             3. A failed replica leads nothing and obeys nothing but a drop.
// Tests:      tests/stories/rule_01_a_restarted_primary_leads_its_epoch_no_more.txt,
//             tests/stories/rule_03_a_step_down_is_final.txt
// Threads:    thread-compatible.
#pragma once

#include <optional>
#include <vector>

#include "tabletserver/replication/copy_receiver.h"
#include "tabletserver/replication/followed_log.h"
#include "tabletserver/replication/leadership.h"
#include "tabletserver/replication/leadership_transfer.h"
#include "tabletserver/replication/order_replies.h"
#include "tabletserver/replication/replica_common.h"

namespace ebla::tabletserver {

class ReplicaRole {
 public:
  ReplicaRole(ReplicaCommon& common, OrderReplies& replies, FollowedLog& followed, CopyReceiver& copies)
      : common_(common), replies_(replies), followed_(followed), copies_(copies), transfer_(common, replies) {}

  // ---- what it is ----
  RoleKind kind() const {
    return leadership_ ? RoleKind::kPrimary : common_.state.present() ? RoleKind::kFollower : RoleKind::kAbsent;
  }
  bool Leads() const { return leadership_.has_value(); }
  Leadership* leadership() { return leadership_ ? &*leadership_ : nullptr; }  // null: it does not lead
  const Leadership* leadership() const { return leadership_ ? &*leadership_ : nullptr; }
  const ServerName& primary() const { return primary_; }  // of its epoch
  const std::vector<ServerName>& voters() const { return voters_; }
  const LeadershipTransfer& transfer() const { return transfer_; }
  // Nothing is sent before it is durable that this replica leads (PROTOCOL 1).
  bool LeadIsDurable() const {
    return common_.flushes.durable().led >= common_.epoch || led_by_split_ == common_.epoch;
  }

  // ---- what a primary knows; nothing, while it does not lead ----
  Lsn barrier() const { return leadership_ ? leadership_->barrier() : Lsn{}; }
  bool BarrierApplied() const;  // and serves STRONG reads
  bool BarrierCommitted() const { return leadership_ && common_.committed >= leadership_->barrier(); }
  // Durable at every voter.
  Lsn all_flushed() const { return leadership_ ? leadership_->AllFlushed(common_.log.flushed()) : Lsn{}; }
  // Voters that have not made it durable, as far as is known.
  std::vector<ServerName> Missing(Lsn lsn) const;
  // Until when reads at this primary need no confirmation.
  MonotonicTime lease_until() const { return leadership_ ? leadership_->lease_until() : MonotonicTime{}; }
  // A peer has promised this higher epoch.
  Epoch refused_for() const { return leadership_ ? leadership_->refused_for() : Epoch{}; }
  std::vector<PeerProgress> Progress() const;
  // The peers have yet to learn that this SPLIT is committed.
  bool AnnouncesSplit(Lsn at) const { return leadership_ && leadership_->AnnouncesSplit(at); }

  // ---- how it changes ----
  void SetMembers(ServerName primary, std::vector<ServerName> voters, std::vector<ServerName> learners);
  void Lead(const ConfigureReplica& input);
  // Leads as the child of a SPLIT that its parent here, leading, has appended (PROTOCOL 1, 11).
  void LeadAsChild(Version split);
  // Whether this peer's messages as the epoch's primary are to be believed. The primary of the present epoch may also
  // announce a later one; any other peer must be named by the master first. After a restart, any peer may lead the
  // promised epoch.
  bool AcceptsPrimary(const ServerName& peer, Epoch epoch) const;
  // Obeys an epoch's primary from now on; false: it is not the present one.
  bool Follow(const ServerName& peer, Epoch epoch, MonotonicTime now);
  // Other servers remember that the disk here had the log through `had`. Notes a loss if the log ends before it.
  void CompareWith(Version had);
  // PROTOCOL 3: for good. Entries that the store never got are given up, unless `keep_log`; the rest stays in the log
  // for the next primary.
  void StepDown(bool keep_log = false);
  void Promise(Epoch epoch);
  // Gives up the entries that the store has refused so far.
  void DropUnstored();
  // The replica has gone: a drop, or a merge.
  void Leave();
  void Fail(Status status);

  // ---- transfers and confirmations ----
  void Transfer(const TransferReplica& input);
  void CheckTransfer();
  void Confirm(const ConfirmLeadership& input);
  bool confirmed() const { return !confirms_.empty(); }
  std::vector<ConfirmReply> TakeConfirms();

 private:
  void LogLostSplits(const ConfigureReplica& input);

  ReplicaCommon& common_;
  OrderReplies& replies_;
  FollowedLog& followed_;
  CopyReceiver& copies_;
  std::optional<Leadership> leadership_;
  LeadershipTransfer transfer_;
  ServerName primary_;
  std::vector<ServerName> voters_;
  std::vector<ServerName> learners_;
  Epoch led_by_split_;     // a SPLIT in the parent's log says that this replica leads the epoch
  uint64_t messages_ = 0;  // sent to peers by the leaderships that are over
  std::vector<ConfirmReply> confirms_;
};

}  // namespace ebla::tabletserver
