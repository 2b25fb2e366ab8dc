// tabletserver/replication/replica_core.h
// Decides for one replica of one tablet: which epoch it obeys, whether it leads, what is in its log, what is committed.
// Raft's log with the vote replaced by the master's fence; docs/design/replication-rules.md has the rules by number,
// rules.h their names. Pure: Step() takes inputs and gives one output at a time; no clock, disk, network, lock or
// chance.
//
// The driver's contract is in tabletserver/tablet/tablet_core.h, which passes on this core's own inputs and outputs.
// After a crash: construct from what the store recovered. Nothing else survives, and nothing else has to.
//
//   the master's orders ----> replica_orders.h --+
//                                                +--> replica_role.h     absent, follower or primary, in which epoch
//   what a primary says ----> follower.h --------+      leadership.h     what a primary knows of the others
//                               followed_log.h          copy_receiver.h  a copy that comes in
//   the store's answers ----> here               all of them on replica_common.h: state, log, flushes, committed
//
// Place:      tabletserver/tablet/tablet_core.h composes it with evaluation, unapplied writes and dedup window.
// Story:      tests/stories/*.txt
// Invariants: 1. It leads an epoch at most once, and in one process only (PROTOCOL 1); stepping down is final
//                (PROTOCOL 3).
//             2. An entry handed out is handed out again identically, or the epoch is given up (PROTOCOL 2).
//             3. commit covers only what a majority has flushed, and nothing before this epoch's Barrier is flushed
//                there.
//             4. promised and led never fall, and nothing is answered or sent by them before they are durable.
//             5. A fenced replica reports the last entry it has appended, once flushed and its grants have run out; it
//                appends nothing of lower epochs after (PROTOCOL 4).
//             6. Promises for unknown ids are kept; a tombstone refuses every epoch up to its own (PROTOCOL 6).
//             7. It grants a lease only for the epoch it has promised, and only when that and the length are durable
//                (PROTOCOL 7).
//             8. While incomplete it is not counted, not chosen and does not apply; a copy is prepared only after the
//                mark is durable, and the mark is removed only after a checkpoint (PROTOCOL 5, 9).
// Tests:      tabletserver/replication/replica_group_test.cc
// Threads:    thread-compatible; only the owning shard calls it.
#pragma once

#include <algorithm>
#include <concepts>

#include "tabletserver/replication/copy_receiver.h"
#include "tabletserver/replication/followed_log.h"
#include "tabletserver/replication/follower.h"
#include "tabletserver/replication/lease_grants.h"
#include "tabletserver/replication/order_replies.h"
#include "tabletserver/replication/replica_common.h"
#include "tabletserver/replication/replica_orders.h"
#include "tabletserver/replication/replica_role.h"

namespace ebla::tabletserver {

// An input that this part of the core decides on.
template <class Input, class Part>
concept InputOf = requires(Part& part, const Input& input) { part.Step(input); };

class ReplicaCore {
 public:
  // Begins from a restart's findings: the store's log from `first` to `last` (none means empty), and the last applied
  // entry. A new replica has an empty state.
  ReplicaCore(ReplicaOptions options, ReplicaState state, Version first, Version last, Version applied,
              LogReader reader);
  ReplicaCore(const ReplicaCore&) = delete;  // its parts refer to each other

  // ---- inputs that one part decides on: the master's orders; what a primary or a copy brings; what only who leads
  // heeds (Leadership) ----
  template <InputOf<ReplicaOrders> Input>
  void Step(const Input& input) {
    common_.CheckStoreAnswered();
    common_.ObserveTimeOf(input);
    orders_.Step(input);
  }
  template <InputOf<Follower> Input>
  void Step(const Input& input) {
    common_.ObserveTimeOf(input);
    follower_.Step(input);
  }
  template <InputOf<Leadership> Input>
  void Step(const Input& input) {
    common_.ObserveTimeOf(input);
    if (Leadership* lead = role_.leadership()) lead->Step(input);
  }
  void Step(const ConfirmLeadership& input);
  void Step(const PeerReply& input);
  // ---- the store ----
  void Step(const Stored& input);
  void Step(const StoreFailed& input);
  void Step(const Flushed& input);
  void Step(const Applied& input);
  void Step(const LogTruncated& input) { common_.log.Truncated(input.first); }
  // ---- time, and what others know ----
  void Step(const Tick& input);
  void Step(const KnownCommitted& input) { common_.CommitTo(std::min(input.upto, common_.log.stored().lsn)); }
  // ---- clients: appends an entry whose version is NextVersion(). Only while Leads() and admitting(). ----
  void Propose(EntryPtr entry);

  bool HasOutput() const;
  ReplicaOutput TakeOutput();

  // ---- what it has decided ----
  RoleKind role() const { return role_.kind(); }
  bool Leads() const { return role_.Leads(); }
  bool admitting() const { return Leads() && !role_.transfer().under_way(); }  // else a transfer is under way
  Epoch epoch() const { return common_.epoch; }  // as last configured or followed; none since a restart
  // Its role in its epoch; its knowledge of its peers, if it leads.
  const ReplicaRole& standing() const { return role_; }
  const FollowedLog& followed() const { return followed_; }
  const ReplicaLog& log() const { return common_.log; }
  Version NextVersion() const { return {common_.epoch, common_.log.last().lsn.Next()}; }
  Version last_appended() const { return common_.log.last(); }  // proposed ones included
  Lsn committed() const { return common_.committed; }
  // The committed position up to which entries may be applied; entries that the store still refuses may be dropped
  // again.
  Lsn applicable() const { return std::min(common_.committed, common_.log.stored().lsn); }
  bool may_apply() const;  // false while a copy has not arrived
  // The log may be truncated below this, as far as the replicas are concerned.
  Lsn NeededFrom() const;
  const ReplicaState& state() const { return common_.state; }
  bool RestartsEmpty(const ConfigureReplica& input) const { return orders_.RestartsEmpty(input); }
  bool KeepsPlace(const KeyRange& range) const { return common_.flushes.durable().incomplete_range == range; }
  // The copy whose start the host is to install; the one whose chunks it takes. 0: none.
  uint64_t preparing() const { return copies_.preparing(); }
  uint64_t receiving() const { return copies_.receiving(); }
  bool store_stalled() const { return common_.flushes.store_stalled(); }  // it refused entries: they wait for a Tick
  const Status& failure() const { return common_.failure; }               // not OK: the store lied, the replica is dead
  MonotonicTime wake_at() const;                                          // when the next Tick is due at the latest
  void set_flush_mode(FlushMode mode) { common_.options.flush_mode = mode; }

 private:
  void AdvanceCommit();
  void TakeForStore(ReplicaOutput& output);

  ReplicaCommon common_;
  CopyReceiver copies_;
  FollowedLog followed_;
  OrderReplies replies_;
  LeaseGrants grants_;
  ReplicaRole role_;
  ReplicaOrders orders_;
  Follower follower_;
};

}  // namespace ebla::tabletserver
