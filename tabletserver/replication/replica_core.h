// tabletserver/replication/replica_core.h
// Decides for one replica of one tablet: which epoch it obeys, whether it leads, what is in its log, what is committed.
// Raft's log with the vote replaced by the master's fence; docs/design/replication-rules.md has the rules by number.
// Pure: inputs go in through Step(), one Output at a time comes out; no clock, disk, network, lock or chance.
//
// The driver (TabletCore and its host) keeps this contract:
//   1. Step() any number of inputs, then TakeOutput() once.
//   2. When the output has a state, rolled-back or removed entries or new ones: put the state into the store, keep the
//      rolled-back ones, remove the suffix, append the entries, in this order, and Step(Stored) or Step(StoreFailed) before
//      any other input.
//   3. When the output asks for a flush and nothing failed: begin a store Flush of that mode, or of a stricter one, and
//      Step(Flushed) with its number when it is done. Any number may be under way; completions come in any order.
//   4. Messages and replies of an output may leave at once: whatever must be durable first has been held back.
//   5. Apply entries up to applicable(), in order, and Step(Applied).
//   6. Step(Tick) every 100 ms or so and at wake_at(); Step(HeartbeatDue) every 150 ms or so.
//   7. A PeerRequest is answered by one PeerAnswer; a PeerMessage by one PeerReply, empty when it was lost.
//   8. After a crash: construct from what the store recovered. Nothing else survives, and nothing else has to.
//
// Place:      tabletserver/tablet/tablet_core.h composes it with evaluation, unapplied writes and dedup window. replica_log.h holds
//             the log, leadership.h what a primary knows of the others; replica_core.cc obeys the master and hands out,
//             replica_follow.cc follows a primary.
// Story:      tests/stories/*.txt
// Invariants: 1. It leads an epoch at most once, and in one process only (PROTOCOL 1); a step-down is final (3).
//             2. An entry handed out is handed out again identically, or the epoch is given up (2).
//             3. commit covers only what a majority has flushed, and nothing before this epoch's Barrier is flushed
//             there.
//             4. promised and led never fall, and nothing is answered or sent by them before they are durable.
//             5. A fenced replica reports the last entry it has appended, once flushed and its grants have run out; it
//                appends nothing of lower epochs after (4).
//             6. Promises for unknown ids are kept; a tombstone refuses every epoch up to its own (6).
//             7. It grants a lease only for the epoch it has promised, and only when that and the length are durable
//             (7).
//             8. While incomplete it is not counted, not chosen and does not apply; a copy is prepared only after the
//                mark is durable, and the mark goes only after a checkpoint (5, 9).
// Threads:    thread-compatible; only the owning shard calls it.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <variant>
#include <vector>

#include "tabletserver/replication/leadership.h"
#include "tabletserver/replication/replica_log.h"
#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

struct ReplicaOptions {
  TabletId tablet;
  ServerName self;
  FlushMode flush_mode = FlushMode::kSync;  // of ordinary appends; what answers the master is always flushed kSync
  LeaseTerms lease;
  size_t held_bytes_max = 64 << 20;   // of entries a follower holds unapplied; beyond it appends are BUSY
  MonotonicTime started;              // when this process began to answer
  bool may_have_lost_writes = false;  // it may have lost what it acknowledged: noted until it has it again
};

class ReplicaCore {
 public:
  // What a restart found: the store's log from `first` to `last` (none: empty), the last applied entry. A replica that
  // is new here has an empty state.
  ReplicaCore(ReplicaOptions options, ReplicaState state, Version first, Version last, Version applied,
              LogReader reader);

  // ---- the master's orders
  // -------------------------------------------------------------------------------------------
  void Step(const ConfigureReplica& input);
  void Step(const FenceReplica& input);
  void Step(const DropReplica& input);
  void Step(const AlterReplica& input);
  void Step(const TransferReplica& input);
  void Step(const ReplicaForgotten& input);
  // ---- splits
  // --------------------------------------------------------------------------------------------------------
  void Step(const BecomeChild& input);
  void Step(const KnownCommitted& input) { CommitTo(std::min(input.upto, log_.stored().lsn)); }
  void Step(const SplitNext& input);
  void Step(const SplitApplied& input);
  void Step(const SplitInCopy& input);
  void Step(const KeepPlace& input);
  // ---- merges
  // --------------------------------------------------------------------------------------------------------
  void Step(const EndLease& input);
  void Step(const BecomeMerged& input);
  void Step(const BecomePart& input);
  // ---- the store
  // -----------------------------------------------------------------------------------------------------
  void Step(const Stored& input);
  void Step(const StoreFailed& input);
  void Step(const Flushed& input);
  void Step(const Applied& input);
  void Step(const LogTruncated& input) { log_.Truncated(input.first); }
  // ---- time
  // ----------------------------------------------------------------------------------------------------------
  void Step(const Tick& input);
  void Step(const HeartbeatDue& input);
  // ---- peers
  // ---------------------------------------------------------------------------------------------------------
  void Step(PeerRequest input);
  void Step(const PeerReply& input);
  void Step(const PeerRestarted& input);
  void Step(const CopyNews& input);
  void Step(const ReceiveCopy& input);
  void Step(const CopyPrepared& input);
  void Step(const CopyArrived& input);
  void Step(const CopyCheckpointed& input);
  // ---- clients
  // ------------------------------------------------------------------------------------------------------- Appends an
  // entry whose version is NextVersion(). Only while Leads() and admitting().
  void Propose(EntryPtr entry);
  void Step(const ConfirmLeadership& input);

  bool HasOutput() const;
  ReplicaOutput TakeOutput();

  // ---- what it has decided
  // -------------------------------------------------------------------------------------------
  RoleKind role() const;
  bool Leads() const { return role() == RoleKind::kPrimary; }
  bool admitting() const { return Leads() && !transfer_; }  // else a transfer is under way
  Epoch epoch() const { return configured_; }               // as last configured or followed; none since a restart
  const ServerName& primary() const { return primary_; }    // of that epoch
  const std::vector<ServerName>& voters() const { return voters_; }
  Version NextVersion() const { return {configured_, log_.last().lsn.Next()}; }
  Version last_appended() const { return log_.last(); }  // proposed ones included
  Lsn committed() const { return committed_; }
  // Of what is committed, what may be applied: what the store still refuses may be dropped from the log again.
  Lsn applicable() const { return std::min(committed_, log_.stored().lsn); }
  Lsn applied() const { return log_.applied().lsn; }
  Lsn flushed() const { return log_.flushed(); }
  Lsn all_flushed() const;                         // by every voter; only while it leads
  std::vector<ServerName> Missing(Lsn lsn) const;  // voters that have not made it durable, as far as is known
  bool BarrierApplied() const;                     // leads, and serves STRONG reads
  bool BarrierCommitted() const;
  bool TellsOfSplit(Lsn at) const;  // leads, and the others are yet to hear that this SPLIT is committed
  Lsn barrier() const;              // of the epoch it leads; none otherwise
  // Until when reads at this primary need no confirmation; zero while it does not lead.
  MonotonicTime lease_until() const;
  // A follower has applied all that was committed by then (its own clock); zero: not known.
  MonotonicTime fresh_as_of() const { return fresh_as_of_; }
  // A follower last heard from the primary of its epoch; zero: never.
  MonotonicTime heard() const { return heard_; }
  Epoch refused_for() const;  // leads, but somebody has promised this higher epoch; none: nobody has
  Epoch transferred_epoch() const { return transferred_epoch_; }        // transferred in this process's life,
  const ServerName& transferred_to() const { return transferred_to_; }  // to this server
  std::vector<PeerProgress> Progress() const;
  // The log may be truncated below this, as far as the replicas are concerned.
  Lsn NeededFrom() const;
  bool may_apply() const;  // false while a copy has not arrived
  bool incomplete() const { return state_.incomplete; }
  bool KeepsPlace(const KeyRange& range) const { return durable_.incomplete_range == range; }
  // The copy whose start the host is to install; the one whose chunks it takes. 0: none.
  uint64_t preparing() const { return copy_ && copy_->stage == CopyStage::kPreparing ? copy_->order.id : 0; }
  uint64_t receiving() const { return copy_ && copy_->stage == CopyStage::kReceiving ? copy_->order.id : 0; }
  bool store_stalled() const { return store_failed_; }  // the store refused entries: they wait for a Tick
  bool store_behind() const { return log_.HasWork(); }  // it has yet to remove or append something
  const Status& failure() const { return failure_; }    // not OK: the store lied, the replica is dead
  const ReplicaState& state() const { return state_; }
  MonotonicTime wake_at() const;  // when the next Tick is due at the latest
  void set_flush_mode(FlushMode mode) { options_.flush_mode = mode; }

  // Of the entry there; none: the log does not reach that far, or does not know any more.
  Result<std::optional<Epoch>> EpochAt(Lsn lsn) const { return log_.EpochAt(lsn); }

  // Entries of this process's life not yet applied; older unapplied ones are in the store's log alone: then null.
  EntryPtr Held(Lsn lsn) const { return log_.Held(lsn); }

 private:
  struct Absent {};
  struct Follower {
    Lsn matched;  // the log is that of the present epoch's primary through here
  };
  struct HeldReply {
    FlushNumber after;
    MonotonicTime not_before;
    ControlReply reply;
  };
  struct HeldAnswer {
    RequestToken token;
    AppendAnswer answer;  // once `answer.flushed` is durable
  };
  struct PendingFlush {
    FlushNumber number;
    FlushMode mode;
    std::optional<ReplicaState> state;
  };
  struct Transfer {
    RequestToken token;
    ServerName target;
    MonotonicTime deadline;
  };
  enum class CopyStage : uint8_t { kMarking, kPreparing, kReceiving, kApplying, kCheckpointing };
  struct Copy {
    ReceiveCopy order;
    FlushNumber marked_by;  // vouches for the mark, and for what was kept
    CopyStage stage = CopyStage::kMarking;
    bool announced = false;  // the host has been told what this stage wants of it
    Lsn upto;
  };
  struct Echo {
    MonotonicTime clock;
    Lsn committed;
  };

  // replica_core.cc
  Status CheckConfigure(const ConfigureReplica& input) const;
  Status CheckLead(const ConfigureReplica& input) const;
  void Create(const ConfigureReplica& input);
  void Lead(const ConfigureReplica& input);
  void StepDown(bool keep_log = false);
  void DropUnstored();
  void Promise(Epoch epoch);
  void Reply(RequestToken token, Status status, MonotonicTime not_before = {});
  void AdvanceCommit();
  void CommitTo(Lsn lsn);
  void ReleaseHeld();
  void CheckTransfer();
  void Fail(Status status);
  FlushMode NextFlushMode(bool with_state) const;
  void TakeForStore(ReplicaOutput& output);
  bool CopyNeedsHost() const {
    return copy_ && !copy_->announced &&
           (copy_->stage == CopyStage::kPreparing || copy_->stage == CopyStage::kCheckpointing);
  }
  bool LeadIsDurable() const { return durable_.led >= configured_ || led_by_split_ == configured_; }

  // replica_follow.cc
  // What an epoch's primary says is obeyed; false: it is not the present one.
  bool Follow(const ServerName& peer, Epoch epoch, MonotonicTime now);
  bool Grant(Epoch epoch, MonotonicTime now);
  void OnAppend(RequestToken token, const ServerName& peer, const AppendMessage& append, MonotonicTime now);
  void OnHeartbeat(RequestToken token, const ServerName& peer, const HeartbeatMessage& heartbeat, MonotonicTime now);
  Status CheckHistory(Version entry) const;
  Result<std::optional<Version>> Conflict(Version previous) const;
  Status Take(const AppendMessage& append);
  void CommitMatched();
  void AnswerAppends();
  // Those of entries above `above`, still to be made durable.
  void RefuseAppends(AppendResult result, Lsn above = {});
  uint64_t awaited_copy() const { return copy_ && copy_->stage <= CopyStage::kReceiving ? copy_->order.id : 0; }
  void Remember();
  void Freshen();
  void AdvanceCopy();
  void AbandonCopy();

  ReplicaOptions options_;
  ReplicaState state_;
  ReplicaState durable_;  // as far as a flush has vouched for it
  std::variant<Absent, Follower, Leadership> role_;
  ReplicaLog log_;
  Epoch configured_;
  Epoch led_by_split_;  // a SPLIT in the parent's log says that this replica leads the epoch
  ServerName primary_;
  std::vector<ServerName> voters_;
  std::vector<ServerName> learners_;
  MonotonicTime now_;           // the greatest seen
  MonotonicTime grants_until_;  // nobody is told of a higher promise before
  MonotonicTime heard_;
  MonotonicTime fresh_as_of_;
  std::deque<Echo> echoes_;  // that wait to be applied
  Epoch transferred_epoch_;
  ServerName transferred_to_;
  Lsn retain_;  // as the primary says
  std::optional<Transfer> transfer_;
  std::optional<Copy> copy_;
  uint64_t latest_copy_ = 0;  // obeyed; a begin of an older one came late
  uint64_t messages_ = 0;     // sent to peers by the leaderships that are over

  Lsn committed_;
  Lsn told_committed_;  // by the primary of this epoch
  std::vector<EntryPtr> rolled_back_;
  bool state_dirty_ = false;     // state_ differs from what the store was last given
  bool awaiting_store_ = false;  // an output with state or entries is out
  bool store_failed_ = false;    // its store refused it; handed out again at the next Tick
  Status failure_;
  bool remains_ = false;  // a tombstone whose data the host has not yet removed

  FlushNumber next_flush_{1};   // what the next output's flush will be
  FlushNumber flushed_number_;  // the latest that is done
  bool flush_wanted_ = false;
  std::deque<PendingFlush> flushes_;
  std::deque<HeldReply> held_replies_;
  std::deque<HeldAnswer> held_answers_;
  std::vector<ControlReply> ready_replies_;
  std::vector<PeerAnswer> ready_answers_;
  std::vector<ConfirmReply> ready_confirms_;
  std::vector<CopyReply> ready_copies_;
  bool commit_news_ = false;
};

}  // namespace ebla::tabletserver
