// tabletserver/tablet/tablet_core.h
// All of one tablet, single-threaded: its replica (log, epoch, role), the overlay of what is not yet applied, the
// exactly-once window, tablet time, and the evaluation of writes. Pure but for two synchronous readers of the store.
//
// The host keeps this contract, per tablet (replica_core.h has the reasons):
//   1. Step() any number of inputs, then TakeOutput() once, for as many tablets as have HasOutput().
//   2. state:  store.PutReplicaState. append: store.Append, one call for all tablets. Then Step(Stored) or
//      Step(StoreFailed), before any other input of that tablet; skip both when the output has neither.
//   3. flush:  (unless StoreFailed) begin store.Flush with its mode or stricter, once for all tablets; Step(Flushed)
//      when it is done. If the flush fails: Step(StoreFailed) with its status, which is the end of this replica.
//   4. apply:  store.Apply, one call for all tablets; then Step(Applied{apply->state.applied.lsn}), or on failure
//      Step(ApplyFailed) with the batch. It borrows from the core: no other input of that tablet in between.
//   5. view:   publish it, before 6.
//   6. replies and messages: send.
//   7. Go on with 1 while HasOutput(): an Applied leads to replies, a replay to the next batch.
//   8. Step(Tick) every 100 ms or so.
//
// A restart: construct it from what the store recovered. It leads nothing, serves EVENTUAL reads of what is applied, and
// waits to be configured; the log beyond the applied position is committed by the next epoch's Barrier and then read
// back in pieces and applied; until that is done writes are asked to come again (COME_AGAIN).
//
// Place:      tabletserver/shard.h drives it; tests/sim drives the same host.
// Story:      tests/stories/*.txt
// Invariants: 1. A write is acknowledged only when its entry is committed and applied.
//             2. Each request token is answered exactly once (or dies with the core).
//             3. A write is executed at most once in its tablet's history (window.h), refusals included.
//             4. The view never shows a role, barrier or applied position that is not reached.
// Bounds:     overlay_bytes_max, the window's limits; pending requests by the overlay.
// Threads:    thread-compatible; only the owning shard calls it. The readers are called inside Step() and TakeOutput().
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "tabletserver/replication/replica_core.h"
#include "tabletserver/tablet/overlay.h"
#include "tabletserver/tablet/tablet_clock.h"
#include "tabletserver/tablet/tablet_types.h"
#include "tabletserver/tablet/window.h"
#include "tabletserver/tablet/write_evaluator.h"

namespace ebla::tabletserver {

struct TabletOptions {
  TabletId tablet;
  ServerName self;
  WindowLimits window;
  size_t overlay_bytes_max = 64 << 20;
  size_t apply_bytes_max = 4 << 20;  // of one ApplyBatch, about
};

// store.ReadLog of this tablet.
using LogReader = std::function<Result<std::vector<LogEntry>>(Lsn from, Lsn last, size_t bytes_max)>;

struct TabletReaders {
  RecordReader record;
  LogReader log;
};

// ---- inputs beyond those of replica_types.h -------------------------------------------------------------------------

// As control.thrift's ConfigureTablet. The core fills ConfigureReplica::table, schema and barrier_time.
struct ConfigureTablet {
  ConfigureReplica replica;
  TabletSchema schema;
  TabletTime learnt;          // the greatest that the fence's answers carried; none: every answerer has restarted
  int64_t time_of_day_ms = 0;  // of this server
  MonotonicTime now;
};

struct AlterTablet {
  RequestToken token;
  TabletSchema schema;        // an older version than the present one changes nothing
};

struct AdmitWrite {
  WriteRequest request;
  MonotonicTime now;
  bool disk_full = false;     // the store's health says that it refuses writes: OVERLOADED, unless it is a retry
};

// Asks for an entry with tablet time `reached` or later to be applied: what a STRONG read that found a record expired
// waits for (rule 21), and how expired records go. Keys whose newest record is not the version named stay.
struct Purge {
  RequestToken token;         // none: nobody waits
  TabletTime reached;         // none: now
  std::vector<ExpiredKey> keys;
  MonotonicTime now;
};

// The store refused the batch, which comes back with this. OVERLOADED or COME_AGAIN: it is offered again at a Tick. Else
// the replica is dead.
struct ApplyFailed {
  Status status;
  ApplyBatch batch;
};

struct TabletOutput {
  std::optional<ReplicaState> state;
  std::vector<EntryPtr> append;
  std::optional<FlushRequest> flush;
  std::optional<ApplyBatch> apply;
  std::shared_ptr<const TabletView> view;  // null: as before
  std::vector<WriteReply> writes;
  std::vector<PurgeReply> purges;
  std::vector<ControlReply> controls;
  std::vector<PeerMessage> messages;
};

class TabletCore {
 public:
  // `recovered`: what the store's Recover() said, or one with only `tablet` (and a kept `state`) set for a tablet that is
  // new here. `schema`: decoded from recovered.state.schema; ignored where no replica exists.
  TabletCore(TabletOptions options, RecoveredReplica recovered, TabletSchema schema, TabletReaders readers);

  void Step(const ConfigureTablet& input);
  void Step(const FenceReplica& input, MonotonicTime now);
  void Step(const DropReplica& input);
  void Step(const AlterTablet& input);
  void Step(const ReplicaForgotten& input);
  void Step(AdmitWrite input);
  void Step(const Purge& input);
  void Step(const Stored& input);
  void Step(const StoreFailed& input);
  void Step(const Flushed& input);
  void Step(const Applied& input);
  void Step(ApplyFailed input);
  void Step(const Tick& input);

  bool HasOutput() const;
  TabletOutput TakeOutput();

  // ---- for the host's bounds and reports ------------------------------------------------------------------------------
  const ReplicaCore& replica() const { return replica_; }
  const AppliedState& applied_state() const { return applied_; }
  const KeyRange& range() const { return applied_.range; }
  size_t overlay_bytes() const { return overlay_.bytes(); }
  size_t window_bytes() const { return window_.bytes(); }
  size_t waiting() const { return waiting_; }  // requests that wait for an entry

 private:
  struct Waiter {
    RequestToken token;
    AckLevel level = AckLevel::kMajority;  // the stronger of what was asked and logged
    MonotonicTime deadline = MonotonicTime::Max();
    bool purge = false;
  };

  // Each answers the request, or has it wait, and says so; or leaves it to the next.
  bool RefuseEarly(const WriteRequest& request, MonotonicTime now);
  bool AnswerFromWindow(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now);
  bool RefuseForRoom(const WriteRequest& request, bool disk_full);
  void Execute(const WriteRequest& request, uint64_t digest, AckLevel level, TabletTime now);
  Result<Evaluation> EvaluateInRange(const WriteRequest& request, TabletTime now);
  AckLevel LevelOf(const WriteRequest& request) const;
  Result<std::vector<Effect>> PurgeEffects(const Purge& input, TabletTime now);

  Lsn Append(LogEntry entry, MonotonicTime now);
  void Wait(Lsn lsn, Waiter waiter);
  void Answer(const Waiter& waiter, const LogEntry& entry);
  void AnswerWrite(RequestToken token, const Outcome& outcome, Version version);
  void RefuseWrite(RequestToken token, Status status, int64_t retry_after_ms = -1);
  void GiveUp(const Waiter& waiter);
  void ExpireWaiters(MonotonicTime now);

  Result<TabletTime> LastLoggedTime() const;
  void AfterMaster(bool led_before, Epoch epoch_before);
  void BeginAnew(const KeyRange& range);
  void Observe(MonotonicTime now) { now_ = std::max(now_, now); }

  bool CanApply() const;
  std::optional<ApplyBatch> NextBatch();
  Result<EntryPtr> EntryToApply(Lsn lsn);
  Status AddToBatch(const LogEntry& entry, ApplyBatch& batch);
  void Die(const Status& status);
  std::shared_ptr<const TabletView> MakeView() const;

  const TabletOptions options_;
  const TabletReaders readers_;
  ReplicaCore replica_;
  Overlay overlay_;
  Window window_;
  TabletClock clock_;
  AppliedState applied_;
  std::shared_ptr<const TabletSchema> schema_;
  Lsn replay_upto_;               // the log as the restart found it: in the store alone, not in overlay and window
  MonotonicTime now_;             // the greatest seen

  std::map<Lsn, std::vector<Waiter>> waiters_;
  size_t waiting_ = 0;
  MonotonicTime next_deadline_ = MonotonicTime::Max();

  // The batch being applied: its entries live here until Applied. Refused ones wait for a Tick.
  std::deque<EntryPtr> read_ahead_;   // of the replay, consecutive from the next to apply
  std::vector<EntryPtr> batch_entries_;
  AppliedState batch_state_;
  bool batch_out_ = false;
  std::optional<ApplyBatch> refused_batch_;
  bool apply_stalled_ = false;

  bool view_dirty_ = true;
  Status failure_;
  std::vector<WriteReply> write_replies_;
  std::vector<PurgeReply> purge_replies_;
  std::vector<ControlReply> control_replies_;
};

}  // namespace ebla::tabletserver
