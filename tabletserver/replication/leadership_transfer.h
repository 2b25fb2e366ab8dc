// tabletserver/replication/leadership_transfer.h
// A transfer of the leadership that the master has asked for: the primary admits nothing more, and ends its leadership
// once the target has everything and everything is committed. Nothing is left then that could be rolled back.
// Place:   replica_role.h asks after each change whether the leadership ends with it.
// Tests:   tests/stories/rule_03_a_release_waits_for_the_target.txt, tabletserver/replication/replica_group_test.cc
// Threads: thread-compatible.
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "tabletserver/replication/leadership.h"
#include "tabletserver/replication/order_replies.h"
#include "tabletserver/replication/replica_common.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

class LeadershipTransfer {
 public:
  LeadershipTransfer(const ReplicaCommon& common, OrderReplies& replies) : common_(common), replies_(replies) {}

  bool under_way() const { return pending_.has_value(); }
  MonotonicTime deadline() const { return pending_ ? pending_->deadline : MonotonicTime::Max(); }
  Epoch epoch() const { return epoch_; }            // transferred in this process's life,
  const ServerName& target() const { return to_; }  // to this server

  void Begin(const TransferReplica& input) {
    if (pending_ && pending_->target != input.target) {
      return replies_.Reply(input.token,
                            Error(Code::kComeAgain, "a transfer to " + pending_->target + " is under way"));
    }
    if (pending_) replies_.Reply(pending_->token, Error(Code::kComeAgain, "the transfer was asked for again"));
    pending_ = input;
  }

  // The request to answer, if the leadership ends now. None: the leadership continues, because no transfer is under
  // way, or the target is not level yet, or was not in time.
  std::optional<RequestToken> Complete(const Leadership& lead) {
    if (!pending_) return std::nullopt;
    const Lsn last = common_.log.last().lsn;
    const bool level = common_.committed == last && lead.IsLevel(pending_->target, last);
    if (level || !rules::ReleaseNeedsLevelTarget()) {
      const TransferReplica done = *std::exchange(pending_, std::nullopt);
      epoch_ = common_.epoch;
      to_ = done.target;
      return done.token;
    }
    if (common_.now >= pending_->deadline) {
      const TransferReplica late = *std::exchange(pending_, std::nullopt);
      replies_.Reply(late.token,
                     Error(Code::kUnavailable, late.target + " did not catch up in time: the primary stays the same"));
    }
    return std::nullopt;
  }

  void GiveUp() {
    if (!pending_) return;
    const TransferReplica over = *std::exchange(pending_, std::nullopt);
    replies_.Reply(over.token, Error(Code::kStaleEpoch, "the epoch ended before the transfer"));
  }

 private:
  const ReplicaCommon& common_;
  OrderReplies& replies_;
  std::optional<TransferReplica> pending_;
  Epoch epoch_;
  ServerName to_;
};

}  // namespace ebla::tabletserver
