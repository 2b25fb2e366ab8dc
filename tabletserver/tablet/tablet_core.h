// tabletserver/tablet/tablet_core.h
// All of one tablet, single-threaded: its replica (log, epoch, role), the writes that are not yet applied, the dedup
// window, tablet time, and the evaluation of writes. Pure but for two synchronous readers of the store. Each part has
// its own header; this one composes them, and states the contract with the host.
//
// The host keeps this contract, per tablet. `output.replica` is the output of the replica's core (ReplicaOutput); the
// rest is the tablet's own (TabletOutput).
//   1. Step() any number of inputs, then TakeOutput() once, for as many tablets as have HasOutput().
//   2. store.PutUnresolved of replica.rolled_back, store.PutReplicaState of replica.state, store.RemoveSuffix of
//      replica.remove_from, store.Append of replica.append, one call for all tablets. In this order; then Step(Stored)
//      or Step(StoreFailed), before any other input of that tablet; skip both when the output has none of them.
//   3. replica.flush: (unless StoreFailed) begin store.Flush with its mode or stricter, once for all tablets; then
//      Step(Flushed) with its number. Any number may be under way; completions arrive in any order. If the flush fails,
//      Step(StoreFailed) with its status, which is the end of this replica. A flush of kMemory is done at once, and so
//      is one that store.FlushAtOnce has done; Step then after 6.
//   4. apply:  store.Apply, one call for all tablets; then Step(Applied{apply->state.applied}), or on failure
//      Step(ApplyFailed) with the batch. It borrows from the core, so no other input of that tablet may be stepped in
//      between. After OVERLOADED, COME_AGAIN and UNAVAILABLE (files here are damaged) the core offers it again after a
//      Tick; log and votes continue meanwhile.
//   5. view:   publish it, before 6.
//   6. replica.replies, answers, confirms and messages, writes and purges: send, at once. The core has held back
//      everything that must be durable first. A PeerMessage is answered by one PeerReply, empty when it was lost; a
//      PeerRequest gets one PeerAnswer.
//   7. Continue with 1 while HasOutput(), because an Applied leads to replies, and a replay to the next batch.
//   8. Step(Tick) every 100 ms or so, and at replica().wake_at(); Step(HeartbeatDue) every 150 ms or so.
//   9. split:  with an `apply` that ends in a SPLIT: PutReplicaState of the child, with its core's StateAtCreation(),
//              before that Apply; the child's applied state and dedup window in the same Apply; then
//              Step(BeginChild) into the child's core, and the writes that the parent has parked for it; its view is
//              published, and its place in the directory taken, no later than the parent's next view.
//   10. merge: of the two merged tablets, ExportFrozen() once Unready() allows it, and MergeFrozen of both; then, in
//              this order, PutReplicaState of the new tablet, with its core's StateAtMerge(), PutReplicaState of a
//              tombstone for each of the two, one Apply; then Step(BeginMerged) into the new core, Step(BecomePart)
//              into the two old ones.
//   11. copies: a StartCopy is carried out in the background, and reported by CopyNews; for replica.prepare, discard
//              the replica's records, install the copy's start, Step(InstallCopy); for replica.checkpoint_for_copy,
//              take a checkpoint begun now, then Step(CopyCheckpointed).
//
// A restart: construct it from the store's recovered state; nothing else survives, or needs to. It leads nothing,
// serves EVENTUAL reads of applied records, and waits to be configured or for a message of a primary. The next epoch's
// Barrier commits the log beyond the applied position, which is then read back in pieces and applied. A new primary
// with entries not yet applied asks clients to retry writes (COME_AGAIN) until they are, because neither unapplied
// writes nor dedup window covers them.
//
//   writes, purges ------> write_admission.h --> waiters.h          answers that wait for the log
//   SPLIT, FREEZE -------> split_state.h, freeze_state.h            answers to orders of the master
//   committed entries ---> applier.h                                one batch at a time
//   all of it -----------> view_publisher.h                         the view for readers on other threads
//   all of them on tablet_common.h: replica, applied state, unapplied writes, dedup window, clock
//
// Place:      tabletserver/shard/shard.h drives it; tests/sim drives the same host.
// Story:      tests/stories/*.txt
// Invariants: 1. A write is acknowledged when its entry is applied (MAJORITY), and durable at all voters (ALL), or
//                durable here (PRIMARY).
//             2. Each request token is answered exactly once (or dies with the core).
//             3. A write is executed at most once in its tablet's history (dedup_window.h), refusals included.
//             4. The view never shows a role, barrier or applied position that is not reached.
// Bounds:     unapplied_bytes_max, the dedup window's limits; pending requests by the unapplied writes.
// Threads:    thread-compatible; only the owning shard calls it. The readers are called inside Step() and TakeOutput().
#pragma once

#include <concepts>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "tabletserver/tablet/applier.h"
#include "tabletserver/tablet/freeze_state.h"
#include "tabletserver/tablet/merge_result.h"
#include "tabletserver/tablet/split_state.h"
#include "tabletserver/tablet/tablet_common.h"
#include "tabletserver/tablet/tablet_io.h"
#include "tabletserver/tablet/tablet_replies.h"
#include "tabletserver/tablet/view_publisher.h"
#include "tabletserver/tablet/waiters.h"
#include "tabletserver/tablet/write_admission.h"

namespace ebla::tabletserver {

template <class T, class... Options>
concept OneOf = (std::same_as<T, Options> || ...);

// Inputs that the replica alone decides on (replica_types.h); the tablet follows the changes of its role and log.
template <class Input>
concept PassedOn =
    OneOf<Input, FenceReplica, BecomePart, KeepPlace, KnownCommitted, Stored, Flushed, LogTruncated, HeartbeatDue,
          ConfirmLeadership, PeerRequest, PeerReply, PeerRestarted, CopyNews, CopyArrived, CopyCheckpointed>;

class TabletCore {
 public:
  // `recovered`: what the store's Recover() said, or one with only `tablet` (and a kept `state`) set for a tablet that
  // is new here. `schema`: decoded from recovered.state.schema; ignored where no replica exists.
  TabletCore(TabletOptions options, RecoveredReplica recovered, TabletSchema schema, TabletReaders readers);

  template <PassedOn Input>
  void Step(const Input& input);
  void Step(const ConfigureTablet& input);
  void Step(const AlterTablet& input);
  void Step(const TransferReplica& input);
  void Step(const DropReplica& input);
  void Step(const ReplicaForgotten& input);
  void Step(const RaiseTime& input);
  void Step(const SplitTablet& input);
  void Step(const BeginChild& input);
  void Step(const FreezeTablet& input);
  void Step(const BeginMerged& input);
  template <OneOf<AdmitWrite, Purge> Input>
  void Step(Input input) {
    common_.ObserveTimeOf(input);
    writes_.Admit(std::move(input));
  }
  void Step(const StoreFailed& input);
  void Step(const Applied& input);
  void Step(ApplyFailed input);
  void Step(const Tick& input);
  void Step(const ReceiveCopy& input);
  void Step(const InstallCopy& input);

  bool HasOutput() const;
  TabletOutput TakeOutput();
  // The part of an output that is to be applied; for the replay of a lineage before anything else runs
  // (lineage_replay.h). Answered by Step(Applied), too. No value: nothing is left, or see replica().failure().
  struct Replay {
    ApplyBatch apply;
    std::shared_ptr<const SplitChild> split;
  };
  std::optional<Replay> TakeReplay();
  // The view of the next output.
  std::shared_ptr<const TabletView> CurrentView() const { return views_.Make(); }

  // ---- splits and merges ---- The state of this core's replica for the store, before the Apply that makes it.
  ReplicaState StateAtCreation(const SplitChild& child) const;
  ReplicaState StateAtMerge(const MergeResult& result) const;
  // Writes that have waited for a SPLIT, once that is applied: the child's core is stepped with them after its
  // BeginChild.
  std::vector<AdmitWrite> TakeParked() { return split_.TakeParked(); }
  const FreezeState& freeze() const { return freeze_; }

  // ---- for the host's bounds and reports ----
  const ReplicaCore& replica() const { return common_.replica; }
  const AppliedState& applied_state() const { return common_.applied; }
  // Includes the writes that wait for a split.
  size_t unapplied_bytes() const { return writes_.pending_bytes(); }
  size_t waiting() const { return waiters_.count(); }  // requests that wait for an entry
  // The logged records of the range, up to `upto`. COME_AGAIN: it does not lead, or not all of it is durable, or a
  // restart's log is still to be applied; OVERLOADED: more than `records_max` keys.
  Result<LoggedSlice> Logged(const KeyRange& range, Lsn upto, size_t records_max);
  // The version under which a client's write is known here; none: it is not.
  Version Remembered(ClientId client, Sequence sequence) const;
  // The rows of a copy that starts at what is applied now.
  std::vector<DedupRow> DedupRows() const;

 private:
  // The facts of the replica that an input may change, and that the view shows.
  struct Seen {
    explicit Seen(const ReplicaCore& replica)
        : led(replica.Leads()),
          epoch(replica.epoch()),
          fresh_as_of(replica.followed().fresh_as_of()),
          incomplete(replica.state().incomplete),
          may_have_lost_writes(replica.state().may_have_lost_writes),
          failed(!replica.failure().ok()) {}
    bool led;
    Epoch epoch;
    MonotonicTime fresh_as_of;
    bool incomplete;
    bool may_have_lost_writes;
    bool failed;
    bool operator==(const Seen&) const = default;
  };
  // Follows what an input did to the replica's role and log.
  void After(const Seen& before);
  template <class Input>
  void StepReplica(const Input& input) {
    const Seen before(common_.replica);
    common_.replica.Step(input);
    After(before);
  }
  void ResetState(AppliedState applied, std::vector<DedupRow> remembered, TabletClock clock);
  std::optional<ApplyBatch> TakeBatch();
  // A SPLIT that is wanted is applied first: the order is refused for now.
  bool AppliesSplitFirst(const SplitState::Wanted& wanted);
  void Die(const Status& status);

  TabletCommon common_;
  TabletReplies replies_;
  SplitState split_;
  FreezeState freeze_;
  Waiters waiters_;
  WriteAdmission writes_;
  Applier applier_;
  ViewPublisher views_;
};

template <PassedOn Input>
void TabletCore::Step(const Input& input) {
  common_.ObserveTimeOf(input);
  if constexpr (std::same_as<Input, PeerRequest>) common_.AdvanceClockTo(input);
  StepReplica(input);
  if constexpr (OneOf<Input, Flushed, PeerReply>) {  // what is durable, here or there
    waiters_.Settle();
    freeze_.Settle();
  }
  if constexpr (std::same_as<Input, PeerReply>) views_.OnLease();
  if constexpr (std::same_as<Input, CopyCheckpointed>) common_.KeepPlaceInMemory();
}

}  // namespace ebla::tabletserver
