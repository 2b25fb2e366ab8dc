// tabletserver/replication/lease_grants.h
// The leases that this replica grants to its primary, and until when it is bound by them (PROTOCOL 4, 7).
// Place:      follower.h grants with its answers; a fence's answer waits for until() (replica_orders.h).
// Invariants: 1. A lease is granted only for the epoch that is promised, durably so.
//             2. Its length is durable first, so that the next process waits as long.
// Tests:      tests/stories/rule_04_grants_run_out_before_the_answer.txt,
//             tests/stories/rule_07_who_has_promised_more_grants_nothing.txt
// Threads:    thread-compatible.
#pragma once

#include <algorithm>

#include "tabletserver/replication/replica_common.h"
#include "tabletserver/replication/rules.h"

namespace ebla::tabletserver {

class LeaseGrants {
 public:
  // A primary may still read under a grant of the process before this one.
  explicit LeaseGrants(ReplicaCommon& common) : common_(common) {
    if (!rules::GrantsOutliveRestarts()) return;
    Duration longest = std::chrono::milliseconds(common.state.longest_lease_ms);
    // The note of a longer one may be lost.
    if (common.Forgotten()) longest = std::max(longest, common.options.lease.length);
    until_ = common.options.started + longest;
  }

  // No higher promise is answered before this time. A lost replica may lack the note of a longer lease.
  MonotonicTime until() const {
    if (!common_.state.lost || !rules::GrantsOutliveRestarts()) return until_;
    return std::max(until_, common_.options.started + common_.options.lease.length);
  }

  // Answers no promise of a higher epoch until a lease from `now`. False: nothing is granted.
  bool Grant(Epoch epoch, MonotonicTime now) {
    ReplicaState& state = common_.state;
    if (state.lost && rules::LostReplicaGrantsNothing()) return false;  // a higher promise may be lost
    const ReplicaState& durable = common_.flushes.durable();
    const Duration length = common_.options.lease.length;
    const int64_t lease_ms = std::chrono::duration_cast<std::chrono::milliseconds>(length).count();
    const bool promised = epoch == state.promised && durable.promised == epoch;
    const bool any = !rules::GrantsOnlyPromisedEpoch() || (!rules::FenceEndsGrants() && epoch == common_.epoch);
    if (!promised && !any) return false;
    if (state.longest_lease_ms < lease_ms) {
      state.longest_lease_ms = lease_ms;
      common_.state_dirty = true;
    }
    if (durable.longest_lease_ms < lease_ms) return false;  // after a restart it would not be remembered
    until_ = std::max(until_, now + length);
    return true;
  }

 private:
  ReplicaCommon& common_;
  MonotonicTime until_;
};

}  // namespace ebla::tabletserver
