// tabletserver/replication/order_replies.h
// The answers to the master's orders. Each is held back until all that was decided before it is durable, the refusals
// too: they name the promise. A fence's answer waits besides until the leases granted have run out (PROTOCOL 4).
// Place:      replica_orders.h and replica_role.h reply; replica_core.h releases and hands out.
// Invariants: 1. Replies leave in order; one that waits for grants to run out holds up those behind it.
//             2. Whoever hears of a drop discards what is left, so what it rolls back is kept first, even while the
//                store refuses that (PROTOCOL 22).
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
  // Those whose time has come, to Take().
  void Release();
  // The replica has failed: all are told.
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
