// tabletserver/replication/replica_core.h
// Decides for one replica of one tablet: which epoch it obeys, whether it leads, what is in its log, what is committed.
// Raft's log with the vote replaced by the master's fence; docs/protocol.md has the rules by number. Pure: inputs go in
// through Step(), one Output at a time comes out; no clock, disk, network, lock or chance.
//
// The driver (TabletCore and its host) keeps this contract:
//   1. Step() any number of inputs, then TakeOutput() once.
//   2. When the output has a state or entries: put the state into the store, then append the entries, and Step(Stored)
//      or Step(StoreFailed) before any other input.
//   3. When the output asks for a flush and nothing failed: begin a store Flush of that mode, or of a stricter one, and
//      Step(Flushed) with its number when it is done. Any number may be under way; completions come in any order.
//   4. Messages and replies of an output may leave at once: whatever must be durable first has been held back.
//   5. Apply entries up to `commit`, in order, and Step(Applied).
//   6. Step(Tick) every 100 ms or so.
//   7. After a crash: construct from what the store recovered. Nothing else survives, and nothing else has to.
//
// Place:      tabletserver/tablet/tablet_core.h composes it with evaluation, overlay and window.
// Story:      tests/stories/*.txt
// Invariants: 1. It leads an epoch at most once, and in one process only (PROTOCOL 1); a step-down is final (3).
//             2. An entry handed out is handed out again identically, or the epoch is given up (2).
//             3. commit covers only flushed entries, and none before this epoch's Barrier is flushed.
//             4. promised and led never fall, and nothing is answered by them before they are durable.
//             5. A fenced replica reports the last entry it has appended, once flushed; it appends nothing after (4).
//             6. Promises for unknown ids are kept; a tombstone refuses every epoch up to its own (6).
//             7. It always grants itself its lease while it leads, and a lone voter needs nobody else's (7).
// Threads:    thread-compatible; only the owning shard calls it.
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <span>
#include <variant>
#include <vector>

#include "tabletserver/replication/replica_types.h"

namespace ebla::tabletserver {

struct ReplicaOptions {
  TabletId tablet;
  ServerName self;
  FlushMode flush_mode = FlushMode::kSync;  // of ordinary appends; what answers the master is always flushed kSync
};

class ReplicaCore {
 public:
  // What a restart found: `last_logged` none when the log is empty. A replica that is new here has an empty state.
  ReplicaCore(ReplicaOptions options, ReplicaState state, Version last_logged, Lsn applied);

  // ---- inputs --------------------------------------------------------------------------------------------------------
  void Step(const ConfigureReplica& input);
  void Step(const FenceReplica& input);
  void Step(const DropReplica& input);
  void Step(const AlterReplica& input);
  void Step(const ReplicaForgotten& input);
  void Step(const Stored& input);
  void Step(const StoreFailed& input);
  void Step(const Flushed& input);
  void Step(const Applied& input);
  void Step(const Tick& input);
  // Appends an entry whose version is NextVersion(). Only while Leads().
  void Propose(EntryPtr entry);

  bool HasOutput() const;
  ReplicaOutput TakeOutput();

  // ---- what it has decided -------------------------------------------------------------------------------------------
  RoleKind role() const;
  bool Leads() const { return role() == RoleKind::kPrimary; }
  Epoch epoch() const { return configured_; }             // as last configured; none since a restart
  const ServerName& primary() const { return primary_; }  // of that epoch
  Version NextVersion() const;
  Version last_appended() const;   // proposed ones included
  Lsn committed() const { return committed_; }
  Lsn applied() const { return applied_; }
  bool BarrierApplied() const;     // leads, and serves STRONG reads
  // Until when reads at this primary need no confirmation: for ever while a lone voter leads, else not at all.
  MonotonicTime lease_until() const;
  bool store_stalled() const { return store_failed_; }  // the store refused entries: they wait for a Tick
  const Status& failure() const { return failure_; }    // not OK: the store lied, the replica is dead
  const ReplicaState& state() const { return state_; }
  void set_flush_mode(FlushMode mode) { options_.flush_mode = mode; }

  // Entries of this process's life not yet applied, from the log positions (applied, last_appended]; older unapplied
  // ones are in the store's log alone. Null when the entry is not held.
  EntryPtr Held(Lsn lsn) const;

 private:
  struct Absent {};
  struct Follower {};
  struct Primary {
    Lsn barrier;                          // the first entry of its epoch
    std::map<ServerName, Lsn> flushed;    // by voter
  };
  struct HeldReply {
    FlushNumber after;
    ControlReply reply;
  };
  struct PendingFlush {
    FlushNumber number;
    Lsn upto;
    FlushMode mode;
  };

  Status CheckConfigure(const ConfigureReplica& input) const;
  Status CheckLead(const ConfigureReplica& input) const;
  void Create(const ConfigureReplica& input);
  void Lead(const ConfigureReplica& input);
  void StepDown();
  void Promise(Epoch epoch);
  void Reply(RequestToken token, Status status);
  void AdvanceCommit();
  FlushMode NextFlushMode() const;

  ReplicaOptions options_;
  ReplicaState state_;
  std::variant<Absent, Follower, Primary> role_;
  Epoch configured_;
  ServerName primary_;
  std::vector<ServerName> voters_;
  std::vector<ServerName> learners_;

  // The log: everything up to stored_ is in the store; held_ ends at last_appended().
  Version stored_;
  Lsn flushed_;
  Lsn committed_;
  Lsn applied_;
  std::deque<EntryPtr> held_;     // consecutive
  bool state_dirty_ = false;      // state_ differs from what the store was last given
  bool awaiting_store_ = false;   // an output with state or entries is out
  bool store_failed_ = false;     // its store refused it; handed out again at the next Tick
  Version handed_out_;            // the last entry of the output that is out
  Status failure_;
  bool remains_ = false;          // a tombstone whose data the host has not yet removed

  FlushNumber next_flush_{1};     // what the next output's flush will be
  bool flush_wanted_ = false;
  std::deque<PendingFlush> flushes_;
  std::deque<HeldReply> held_replies_;
  std::vector<ControlReply> ready_replies_;
  bool commit_news_ = false;
};

}  // namespace ebla::tabletserver
