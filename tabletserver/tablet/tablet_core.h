// tabletserver/tablet/tablet_core.h
// All of one tablet, single-threaded: its replica (log, epoch, role), the writes that are not yet applied, the
// dedup window, tablet time, and the evaluation of writes. Pure but for two synchronous readers of the store.
//
// The host keeps this contract, per tablet (replica_core.h has the reasons):
//   1. Step() any number of inputs, then TakeOutput() once, for as many tablets as have HasOutput().
//   2. rolled_back: store.PutUnresolved. state: store.PutReplicaState. remove_from: store.RemoveSuffix. append: store.Append,
//      one call for all tablets. In this order; then Step(Stored) or Step(StoreFailed), before any other input of that
//      tablet; skip both when the output has none of them.
//   3. flush:  (unless StoreFailed) begin store.Flush with its mode or stricter, once for all tablets; Step(Flushed)
//      when it is done. If the flush fails: Step(StoreFailed) with its status, which is the end of this replica.
//   4. apply:  store.Apply, one call for all tablets; then Step(Applied{apply->state.applied}), or on failure
//      Step(ApplyFailed) with the batch. It borrows from the core: no other input of that tablet in between.
//   5. view:   publish it, before 6.
//   6. replies, answers and messages: send. A message is answered by one PeerReply, empty when it was lost.
//   7. Go on with 1 while HasOutput(): an Applied leads to replies, a replay to the next batch.
//   8. Step(Tick) every 100 ms or so, and at replica().wake_at(); Step(HeartbeatDue) every 150 ms or so.
//   9. split:  with an `apply` that ends in a SPLIT: PutReplicaState of the child, as its core's StateAtCreation() says,
//              before that Apply; the child's applied state and dedup window in the same Apply; then Step(BeginChild) into
//              the child's core, and the writes that the parent has parked for it; its view is published, and its place
//              in the directory taken, no later than the parent's next view.
//   10. merge: see tablet_merge.cc: of the two that are merged, ExportFrozen() once Unready() says that they can be; then,
//              in this order, PutReplicaState of the new tablet, as its core's StateAtMerge() says, PutReplicaState of a
//              tombstone for each of the two, one Apply; then Step(BeginMerged) into the new core, Step(BecomePart)
//              into the others.
//   11. copies: a StartCopy is carried out in the background, CopyNews told; prepare: discard what the replica had,
//      install the copy's start, Step(InstallCopy).
//
// A restart: construct it from what the store recovered. It leads nothing, serves EVENTUAL reads of what is applied,
// and waits to be configured or to hear from a primary; the log beyond the applied position is committed by the next
// epoch's Barrier and then read back in pieces and applied. Whoever begins to lead with entries not yet applied asks
// writes to be retried (COME_AGAIN) until they are, as neither unapplied writes nor dedup window covers them.
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

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "tabletserver/replication/replica_core.h"
#include "tabletserver/tablet/dedup_window.h"
#include "tabletserver/tablet/tablet_clock.h"
#include "tabletserver/tablet/tablet_types.h"
#include "tabletserver/tablet/unapplied_writes.h"
#include "tabletserver/tablet/write_evaluator.h"

namespace ebla::tabletserver {

struct TabletOptions {
  TabletId tablet;
  ServerName self;
  DedupLimits dedup_window;
  size_t unapplied_bytes_max = 64 << 20;
  size_t apply_bytes_max = 4 << 20;    // of one ApplyBatch, about
  int64_t tombstone_retention_ms = 0;  // last_write_wins: so long a delete is remembered, and a write may be on its way
  LeaseTerms lease;
  MonotonicTime started;              // when this process began to answer
  bool may_have_lost_writes = false;  // it may have lost what it acknowledged (PROTOCOL 5)
};

struct TabletReaders {
  RecordReader record;
  LogReader log;  // store.ReadLog of this tablet
};

// ---- inputs beyond those of replica_types.h -------------------------------------------------------------------------

// As control.thrift's ConfigureTablet. The core fills ConfigureReplica::table, schema and barrier_time.
struct ConfigureTablet {
  ConfigureReplica replica;
  TabletSchema schema;
  TabletTime learnt;           // the greatest that the fence's answers carried; none: every answerer has restarted
  int64_t time_of_day_ms = 0;  // then: the median of the answerers' clocks, or this server's where nobody was fenced
  MonotonicTime now;
};

struct AlterTablet {
  RequestToken token;
  TabletSchema schema;  // an older version than the present one changes nothing
};

struct AdmitWrite {
  WriteRequest request;
  MonotonicTime now;
  bool disk_full = false;       // the store's health says that it refuses writes: OVERLOADED, unless it is a retry
  bool conflicts_full = false;  // no more may be rolled back: PRIMARY is OVERLOADED (PROTOCOL 22)
};

// Asks for an entry with tablet time `reached` or later to be applied: what a STRONG read that found a record expired
// waits for (rule 21), and how expired records go, and deletes that were remembered long enough. Keys whose newest
// record is not the version named stay.
struct Purge {
  RequestToken token;  // none: nobody waits
  TabletTime reached;  // none: now
  std::vector<ExpiredKey> keys;
  MonotonicTime now;
  MonotonicTime deadline = MonotonicTime::Max();  // who waits is told no later than at the first Tick after it
};

// The master has this tablet split (control.thrift, SplitTablet). Answered once SPLIT is applied. STALE_EPOCH: it does
// not lead that epoch, or gave it up since.
struct SplitTablet {
  RequestToken token;
  Epoch epoch;
  std::string key;
  TabletId child;
  MonotonicTime now;
};

// The master has this tablet frozen, so that it can be merged (control.thrift, FreezeTablet). Answered once FREEZE is
// applied and durable at every voter. STALE_EPOCH: it does not lead that epoch, or gave it up since.
struct FreezeTablet {
  RequestToken token;
  Epoch epoch;
  TabletId into;
  MonotonicTime now;
};

// Into the core of a merged tablet, which knows at most a promise so far.
struct BeginMerged {
  std::shared_ptr<const MergeResult> merge_result;
  MonotonicTime now;
};

// Into the core of the child, which knows at most a promise or a tombstone so far.
struct BeginChild {
  std::shared_ptr<const SplitChild> split_child;
  MonotonicTime now;
};

// What a copy begins from: the primary's applied state at its start, and the dedup window of then.
struct InstallCopy {
  uint64_t id = 0;
  AppliedState applied;
  std::vector<DedupRow> dedup_window;
};

// The store refused the batch, which comes back with this. OVERLOADED or COME_AGAIN: it is offered again at a Tick.
// Else the replica is dead.
struct ApplyFailed {
  Status status;
  ApplyBatch batch;
};

struct TabletOutput {
  std::optional<ReplicaState> state;
  std::vector<EntryPtr> rolled_back;
  Lsn remove_from;
  std::vector<EntryPtr> append;
  std::optional<FlushRequest> flush;
  std::optional<ApplyBatch> apply;
  std::shared_ptr<const SplitChild> split;  // comes to be with `apply`; null: nobody does
  // the next output applies one: these `messages` say so, and are to leave before that is taken
  bool split_next = false;
  std::shared_ptr<const TabletView> view;  // null: as before
  std::vector<WriteReply> writes;
  std::vector<PurgeReply> purges;
  std::vector<ControlReply> controls;
  std::vector<PeerMessage> messages;
  std::vector<PeerAnswer> answers;
  std::vector<ConfirmReply> confirms;
  std::vector<StartCopy> copies;
  std::optional<ReceiveCopy> prepare;
  std::vector<CopyReply> copy_replies;
  uint64_t checkpoint_for_copy = 0;
};

class TabletCore {
 public:
  // `recovered`: what the store's Recover() said, or one with only `tablet` (and a kept `state`) set for a tablet that
  // is new here. `schema`: decoded from recovered.state.schema; ignored where no replica exists.
  TabletCore(TabletOptions options, RecoveredReplica recovered, TabletSchema schema, TabletReaders readers);

  void Step(const ConfigureTablet& input);
  void Step(const FenceReplica& input);
  void Step(const DropReplica& input);
  void Step(const TransferReplica& input);
  void Step(const AlterTablet& input);
  void Step(const ReplicaForgotten& input);
  void Step(const SplitTablet& input);
  void Step(const BeginChild& input);
  void Step(const FreezeTablet& input);
  void Step(const BeginMerged& input);
  void Step(const BecomePart& input);
  void Step(const KnownCommitted& input) { replica_.Step(input); }
  void Step(AdmitWrite input);
  void Step(const Purge& input);
  void Step(const Stored& input);
  void Step(const StoreFailed& input);
  void Step(const Flushed& input);
  void Step(const Applied& input);
  void Step(ApplyFailed input);
  void Step(const LogTruncated& input) { replica_.Step(input); }
  void Step(const Tick& input);
  void Step(const HeartbeatDue& input);
  void Step(PeerRequest input);
  void Step(const PeerReply& input);
  void Step(const PeerRestarted& input) { replica_.Step(input); }
  void Step(const ConfirmLeadership& input);
  void Step(const CopyNews& input) { replica_.Step(input); }
  void Step(const ReceiveCopy& input);
  void Step(const InstallCopy& input);
  void Step(const KeepPlace& input) { replica_.Step(input); }
  void Step(const CopyArrived& input) { replica_.Step(input); }
  void Step(const CopyCheckpointed& input) {
    replica_.Step(input);
    view_dirty_ = true;  // it serves reads now
  }

  bool HasOutput() const;
  TabletOutput TakeOutput();
  // Of an output, only what is to be applied; for the replay of a lineage before anything else runs (lineage_replay.h).
  // Answered by Step(Applied), too. None: nothing is left, or failure() says why not.
  struct Replay {
    ApplyBatch apply;
    std::shared_ptr<const SplitChild> split;
  };
  std::optional<Replay> TakeReplay();
  // What the store is to hold of this core's replica before the parent's Apply: what was promised for it so far stays.
  ReplicaState StateAtCreation(const SplitChild& split_child) const;
  // Writes that have waited for a SPLIT, once that is applied: the child's core is stepped with them after its
  // BeginChild.
  std::vector<AdmitWrite> TakeParked();
  // ---- to become part of `into`, frozen through `freeze` (tablet_merge.cc) ----
  // OK: it is applied so far and no further, and nothing changes that. COME_AGAIN: not yet, though its log reaches so
  // far. Else it will never be: no complete replica of that history is here.
  Status Unready(Version freeze, TabletId into) const;
  FrozenTablet ExportFrozen() const;
  // What the store is to hold of this core's replica before the merge's Apply: what was promised for it so far stays.
  ReplicaState StateAtMerge(const MergeResult& merge_result) const;
  // As the next output would have it.
  std::shared_ptr<const TabletView> CurrentView() const { return MakeView(); }

  // ---- for the host's bounds and reports
  // ------------------------------------------------------------------------------
  const ReplicaCore& replica() const { return replica_; }
  const AppliedState& applied_state() const { return applied_; }
  const Status& failure() const { return failure_; }
  const KeyRange& range() const { return applied_.range; }
  // What waits for a split among it.
  size_t unapplied_bytes() const { return unapplied_.bytes() + parked_bytes_; }
  size_t window_bytes() const { return dedup_window_.bytes(); }
  size_t waiting() const { return waiting_; }  // requests that wait for an entry
  // Of the range, up to `upto`. COME_AGAIN: it does not lead, or not all of it is durable, or a restart's
  // log is still to be applied; OVERLOADED: more
  // than `records_max` keys.
  Result<LoggedSlice> Logged(const KeyRange& range, Lsn upto, size_t records_max) const;
  // The version under which a client's write is known here; none: it is not.
  Version Remembered(ClientId client, Sequence sequence) const {
    const DedupRow* row = dedup_window_.Find(client, sequence);
    return row == nullptr ? Version{} : row->version;
  }
  // The rows of a copy that starts at what is applied now.
  std::vector<DedupRow> DedupRows() const;

 private:
  struct Waiter {
    RequestToken token;
    AckLevel level = AckLevel::kMajority;  // the stronger of what was asked and logged
    MonotonicTime deadline = MonotonicTime::Max();
    bool purge = false;
    EntryPtr entry;     // what it waits for
    TabletId believed;  // as of WriteRequest
  };
  using Waiters = std::map<Lsn, std::vector<Waiter>>;

  // Each answers the request, or has it wait, and says so; or leaves it to the next.
  bool RefuseEarly(const WriteRequest& request, MonotonicTime now);
  bool AnswerFromDedupWindow(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now);
  bool RefuseForRoom(const AdmitWrite& input, AckLevel level);
  void Execute(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now);
  Result<Evaluation> EvaluateInRange(const WriteRequest& request, TabletTime now);
  bool LiesWithin(const WriteRequest& request) const;
  AckLevel LevelOf(const WriteRequest& request) const;
  Status CheckDelivered(const WriteRequest& request) const;
  Result<std::vector<Effect>> PurgeEffects(const Purge& input, TabletTime now);

  EntryPtr Append(LogEntry entry, MonotonicTime now);
  void Wait(Waiter waiter);
  void Settle();
  void SettleUpTo(Waiters& waiters, Lsn reached);
  void Answer(const Waiter& waiter);
  void AnswerWrite(RequestToken token, const Outcome& outcome, Version version, TabletId believed);
  void RefuseWrite(RequestToken token, Status status, int64_t retry_after_ms = -1);
  void GiveUp(const Waiter& waiter);
  void GiveUpAll();
  void ExpireWaiters(MonotonicTime now);

  struct Before {
    bool led = false;
    Epoch epoch;
    Lsn last;
  };
  Before Now() const { return {replica_.Leads(), replica_.epoch(), replica_.last_appended().lsn}; }
  Result<TabletTime> LastLoggedTime() const;
  Result<TabletTime> BarrierTime(const ConfigureTablet& input);
  void After(const Before& before);
  void PublishLease();
  void BeginAnew(const KeyRange& range);
  void Observe(MonotonicTime now) { now_ = std::max(now_, now); }

  // tablet_split.cc
  struct PendingSplit {
    Lsn lsn;
    SplitDetail detail;
  };
  Status CheckSplit(const SplitTablet& input) const;
  // A SPLIT that this leader has logged and not applied takes the key to its child.
  bool GoesToChild(std::string_view key) const { return pending_split_ && key >= pending_split_->detail.key; }
  bool ParkWhileSplitting(AdmitWrite& input);
  void ExpireParked(MonotonicTime now);
  bool LeadsChildOf(Version split) const;
  Status ApplySplit(const LogEntry& entry, ApplyBatch& batch);
  bool TellsOfSplit(const LogEntry& entry);
  bool HoldsSplit(const LogEntry& entry);
  void FinishSplit();
  void GiveUpSplit();
  void AnswerSplit(RequestToken token, Status status);
  void NameRange(Lsn entry, TabletId believed, WriteReply& reply) const;
  Result<Lsn> LastUnappliedSplit(const std::function<bool(const LogEntry&, const SplitDetail&)>& wanted);
  bool AppliesSplitFirst(const std::function<bool(const LogEntry&, const SplitDetail&)>& wanted);

  // tablet_merge.cc
  struct PendingFreeze {
    Version version;
    TabletId into;
  };
  bool Frozen() const;
  Status CheckFreeze(const FreezeTablet& input) const;
  bool RefuseWhileFrozen(const WriteRequest& request);
  Status ApplyFreeze(const LogEntry& entry, ApplyBatch& batch) const;
  void SettleFreeze();
  void AnswerFreeze(RequestToken token, Status status);
  void GiveUpFreeze();

  bool CanApply() const;
  std::optional<ApplyBatch> NextBatch();
  Result<EntryPtr> EntryToApply(Lsn lsn);
  Status AddToBatch(const LogEntry& entry, ApplyBatch& batch);
  void Die(const Status& status);
  std::shared_ptr<const TabletView> MakeView() const;

  const TabletOptions options_;
  const TabletReaders readers_;
  ReplicaCore replica_;
  UnappliedWrites unapplied_;
  DedupWindow dedup_window_;
  TabletClock clock_;
  AppliedState applied_;
  std::shared_ptr<const TabletSchema> schema_;
  Lsn replay_upto_;    // entries up to here are in neither unapplied writes nor dedup window
  MonotonicTime now_;  // the greatest seen

  Waiters until_flushed_;  // PRIMARY: durable here
  Waiters until_applied_;  // MAJORITY, and purges
  Waiters until_all_;      // ALL: applied, and durable at every voter
  size_t waiting_ = 0;
  Lsn pending_primary_;  // the last acknowledged PRIMARY entry
  struct {
    MonotonicTime at, lease_until;
    Version last_appended;
    Epoch promised;
  } published_;
  MonotonicTime next_deadline_ = MonotonicTime::Max();

  // The batch being applied: its entries live here until Applied. Refused ones wait for a Tick.
  std::deque<EntryPtr> read_ahead_;  // of the replay, consecutive from the next to apply
  std::vector<EntryPtr> batch_entries_;
  AppliedState batch_state_;
  bool batch_out_ = false;
  bool split_next_ = false;
  std::optional<ApplyBatch> refused_batch_;
  bool apply_stalled_ = false;

  std::optional<PendingSplit> pending_split_;  // logged and led by this replica
  std::vector<RequestToken> split_waiters_;
  std::vector<AdmitWrite> parked_;  // for the child of pending_split_, or of the split just applied
  size_t parked_bytes_ = 0;
  std::shared_ptr<SplitChild> split_child_;      // of the batch that is out or refused
  Lsn held_split_;                               // not to be applied while the replica is incomplete
  std::optional<PendingFreeze> pending_freeze_;  // logged by this leader in this epoch
  std::vector<RequestToken> freeze_waiters_;

  bool view_dirty_ = true;
  Status failure_;
  std::vector<WriteReply> write_replies_;
  std::vector<PurgeReply> purge_replies_;
  std::vector<ControlReply> control_replies_;
  std::vector<CopyReply> copy_refusals_;
};

// Of two frozen tablets (PROTOCOL "Merge"): the later tablet time, the dedup windows merged, epoch starts kept per former range.
MergeResult MergeFrozen(const FrozenTablet& left, const FrozenTablet& right, const Merged& merged, MonotonicTime now);
// The part of former ranges that lies within this one.
std::shared_ptr<const FormerRanges> Clip(const std::shared_ptr<const FormerRanges>& former, const KeyRange& range);
// What the store is to hold of one that has become part of another.
ReplicaState StateAsPart(ReplicaState state, const Merged& merged);

}  // namespace ebla::tabletserver
