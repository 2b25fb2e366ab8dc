// tabletserver/replication/order_replies.h
// The answers to the master's orders. Each is held back until all earlier decisions are durable, refusals too, because
// they name the promise. A fence's answer also waits until the granted leases have expired (PROTOCOL 4).
// Place:      replica_orders.h and replica_role.h reply; replica_core.h releases and hands out.
// Invariants: 1. Replies leave in order; one that waits for grants to expire delays those behind it.
//             2. The host discards the replica's data after the answer to a drop, so rolled-back writes are stored
//                aside first, even while the store refuses that (PROTOCOL 22).
// Tests:      tests/stories/rule_04_a_fenced_follower_is_silent_first.txt,
//             tabletserver/replication/replica_group_test.cc
// Threads:    thread-compatible.
#pragma once

#include <deque>
#include <vector>

#include "tabletserver/replication/replica_common.h"

namespace ebla::tabletserver {

class OrderReplies {
 public:
  explicit OrderReplies(ReplicaCommon& common) : common_(common) {}

  void Reply(RequestToken token, Status status, MonotonicTime not_before = {});
  // Moves the replies that are due to Take().
  void Release();
  // The replica has failed: answers all.
  void FailAll();
  std::vector<ControlReply> Take() { return std::exchange(ready_, {}); }

  bool ready() const { return !ready_.empty(); }
  bool waiting() const { return !held_.empty(); }
  // When one could be released by time alone.
  MonotonicTime wake_at() const;

 private:
  struct Held {
    FlushNumber after;
    MonotonicTime not_before;
    ControlReply reply;
  };

  ReplicaCommon& common_;
  std::deque<Held> held_;
  std::vector<ControlReply> ready_;
};

}  // namespace ebla::tabletserver
