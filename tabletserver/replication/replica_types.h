// tabletserver/replication/replica_types.h
// Inputs and outputs of the core of one replica: plain structs, no Thrift, no clock.
// Place:      replica_core.h decides on them; tablet_core.h passes them on; the host carries them out.
// Tests:      tabletserver/replication/replica_group_test.cc
// Threads:    values. A log entry is immutable once proposed and shared (EntryPtr), because the core, an append in
//             flight and messages to peers all hold it, and any of them may be destroyed last.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "tabletserver/storage/log/flush_mode.h"
#include "tabletserver/storage/log/log_entry.h"
#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

using EntryPtr = std::shared_ptr<const LogEntry>;
// Names a request of the outside; chosen by the host, answered exactly once.
using RequestToken = StrongId<struct RequestTokenTag>;
// Counts the flushes that a replica asks for.
using FlushNumber = StrongId<struct FlushNumberTag>;

struct LeaseTerms {
  Duration length = std::chrono::milliseconds(1000);
  Duration margin = std::chrono::milliseconds(50);  // two clocks' difference in rate over the length
};

// ---- inputs ---------------------------------------------------------------------------------------------------------

// A split that the catalog has, but none of the logs reported to the master.
struct LostSplit {
  TabletId child;
  std::string key;
};

// The master gives this server its role for the tablet in `epoch` (control.thrift, ConfigureTablet).
struct ConfigureReplica {
  RequestToken token;
  Epoch epoch;
  TableId table;
  KeyRange range;      // of a replica that this creates
  std::string schema;  // encoded; kept with the replica's state
  ServerName primary;
  std::vector<ServerName> voters;
  std::vector<ServerName> learners;
  bool fenced = false;         // the epoch was fenced at a majority; else a membership change (PROTOCOL 1)
  bool created_empty = false;  // who does not know the tablet starts complete and empty
  bool transfer = false;       // the former primary has transferred the epoch before this one to `primary`
  bool anew = false;           // no voter has the data of this memory tablet any more: the primary begins it, empty
  bool sole_log = false;       // of a memory tablet: no other log exists, so all of the primary's is committed
  bool loss_accepted = false;  // an operator accepts that the primary's disk lost a part of its log (PROTOCOL 5)
  std::vector<LostSplit>
      lost_splits;               // of a memory tablet: the primary logs them before its Barrier, children later last
  Version presumed;              // none: nothing is presumed of the primary's log
  std::optional<Merged> merged;  // who does not know the tablet, and has these two, makes it of them (PROTOCOL 14)
  TabletTime barrier_time;       // of the Barrier that the new primary appends
  MonotonicTime now;
};

struct FenceReplica {
  RequestToken token;
  Epoch epoch;
  MonotonicTime now;
  std::optional<Epoch> leap_from;  // the promise that the master knows of, where the epoch is far beyond it
  Version had;                     // other servers remember that this disk had the log through here; none: none does
};

// Transfers the leadership to `target`, which the catalog names for the next epoch already. The primary stops
// admitting, waits until its whole log is committed and flushed at `target`, steps down for good, and answers with the
// log's end. The master then configures `target`. If `target` is not level by `deadline`, the primary continues.
struct TransferReplica {
  RequestToken token;
  Epoch epoch;  // the one led
  ServerName target;
  MonotonicTime deadline;
};

struct DropReplica {
  RequestToken token;
  Epoch epoch;
  // Committed: one that is held unapplied is applied first, and COME_AGAIN said (PROTOCOL 9).
  std::vector<TabletId> splits;
};

// ---- splits (docs/design/split-and-merge.md) ------------------------------------------------------------------------

// The replica is created complete, as the child of a SPLIT that its parent here has applied: with what was promised for
// it so far, its log going on after the SPLIT.
struct BecomeChild {
  ReplicaState state;
  Version at;  // of the SPLIT
  ServerName primary;
  std::vector<ServerName> voters;
  bool lead = false;  // the parent's leader in this very epoch, which appended it: no Barrier is needed
  MonotonicTime now;
};

// Everything through here is known to be committed, under any primary.
struct KnownCommitted {
  Lsn upto;
};

// A SPLIT is committed, all before it is applied, and it is next. It changes no record, so followers hear of it before
// it is applied here, and apply it meanwhile: writes wait until they have.
struct SplitNext {
  Lsn at;
};

// A SPLIT has been applied: copies that began before it start again beyond it (PROTOCOL 9).
struct SplitApplied {};

// The log reaches a SPLIT that lies within what a copy brings: the copy crosses it, and is given up.
struct SplitInCopy {
  Lsn at;
};

// Every checkpoint from now on shows the replica with this range, or not at all: it is the place that it has without
// its applied state.
struct KeepPlace {
  KeyRange range;
};

// ---- merges (docs/design/split-and-merge.md) ------------------------------------------------------------------------

// The epoch's last entry is being logged: the lease ends now, and no confirmation succeeds any more.
struct EndLease {
  MonotonicTime now;
};

// The replica is made of the two that are merged, which are wholly applied here: with what was promised for it so far,
// its log going on after their `position`.
struct BecomeMerged {
  ReplicaState state;
  Version at;
  MonotonicTime now;
};

// It has become part of another tablet, and what it had with it. The store has its tombstone already.
struct BecomePart {
  Epoch epoch;  // of the tombstone
};

// The host has removed what a dropped replica left (records, applied state, log): a later epoch may create it anew.
struct ReplicaForgotten {};

// A new schema for a replica that exists; kept with its state.
struct AlterReplica {
  RequestToken token;
  std::string schema;
};

// State and entries of the output taken last are in the store (not necessarily durable).
struct Stored {};

// They are not. OVERLOADED: nothing of them is, and the very same are handed out again at a Tick (PROTOCOL 2). Anything
// else: the disk lies; the replica gives up for good.
struct StoreFailed {
  Status status;
};

// The flush with this number is done, and so is every one before it.
struct Flushed {
  FlushNumber number;
};

// Every entry up to here is applied.
struct Applied {
  Version upto;
};

struct Tick {
  MonotonicTime now;
};

// Time for the next heartbeat (every 150 ms or so).
struct HeartbeatDue {
  MonotonicTime now;
};

// A STRONG read without a lease: a majority is asked, in a round begun from now on, whether this replica still leads.
struct ConfirmLeadership {
  RequestToken token;
  MonotonicTime now;
};

// The store's log now begins with this entry.
struct LogTruncated {
  Version first;
};

// ---- messages between replicas of one tablet ------------------------------------------------------------------------
// Requests and answers. The host pairs them: it returns an answer with the number and the time of its request, and
// drops one of an earlier incarnation of the peer.

struct AppendMessage {
  Epoch epoch;
  Version previous;               // the entry before entries[0]; none: the log's beginning
  std::vector<EntryPtr> entries;  // none: a probe or a notice of what is committed
  Lsn committed;
  Lsn retain;        // a replica may still need the log from here on
  TabletTime time;   // filled by TabletCore
  Lsn acknowledged;  // an entry of this epoch that the receiver said its disk has: an honest disk cannot have less
};

enum class AppendResult : uint8_t {
  kStored = 0,      // durable through `flushed`
  kMismatch = 1,    // does not hold `previous`: look next at or before `conflict`
  kStaleEpoch = 2,  // promised `promised`
  kUnknown = 3,     // no replica is here
  kIncomplete = 4,  // wants a copy
  kBusy = 5,        // not now
};

struct AppendAnswer {
  Epoch epoch;  // of the request
  AppendResult result = AppendResult::kBusy;
  Lsn flushed;
  Version conflict;
  Epoch promised;
  bool granted = false;     // until a lease after it was received, no higher epoch is promised
  bool incomplete = false;  // stored, but must not be counted (PROTOCOL 5)
  uint64_t receiving = 0;   // the copy that it waits for when it answers; 0: none
  MonotonicTime clock;      // the follower's, when it received the request
  bool synced = false;      // stored so that a crash of the machine does not take it
};

struct HeartbeatMessage {
  Epoch epoch;
  Lsn committed;
  Lsn retain;
  uint64_t round = 0;        // of confirmation; the latest begun
  MonotonicTime echo_clock;  // the receiver's own, from an earlier answer; and what was committed then, under a lease
  Lsn echo_committed;
  TabletTime time;   // filled by TabletCore
  Lsn acknowledged;  // as in AppendMessage
  Lsn flushed;       // an entry of this epoch on the sender's disk
};

struct HeartbeatAnswer {
  Epoch epoch;
  uint64_t round = 0;
  Epoch promised;
  bool granted = false;
  bool known = true;
  Version last;  // of its log: a primary that has nothing to send sees whether it is behind
  MonotonicTime clock;
};

// From a peer, to be answered by one PeerAnswer with its token.
struct PeerRequest {
  RequestToken token;
  ServerName peer;
  std::variant<AppendMessage, HeartbeatMessage> body;
  MonotonicTime now;
};

struct PeerAnswer {
  RequestToken token;
  std::variant<AppendAnswer, HeartbeatAnswer> body;
};

// To a peer.
struct PeerMessage {
  ServerName peer;
  uint64_t number = 0;  // of this replica's messages in this process: never used again
  MonotonicTime sent;
  std::variant<AppendMessage, HeartbeatMessage> body;
};

// The outcome of a PeerMessage.
struct PeerReply {
  ServerName peer;
  uint64_t number = 0;
  MonotonicTime sent;
  MonotonicTime now;
  // None: it was lost, refused by the host, or not answered in time.
  std::variant<std::monostate, AppendAnswer, HeartbeatAnswer> body;
};

// The peer's process is another one now: what it said before may be forgotten.
struct PeerRestarted {
  ServerName peer;
};

// ---- copies (PROTOCOL 9) --------------------------------------------------------------------------------------------

// Brings a peer that the log cannot reach to `start`: chunks of records read at or past it, then the log from there on.
struct StartCopy {
  ServerName peer;
  uint64_t id = 0;  // grows from one copy to the next, and from epoch to epoch
  Epoch epoch;
  Version start;  // applied here when the copy began; the log from there on is kept for it
  Version line;   // who holds this entry (committed, and the first of the log here) refuses, and is sent the log
};

// How a copy fares, told at its source.
struct CopyNews {
  enum class Kind : uint8_t {
    kAccepted,   // the peer has discarded what it had: the log may follow
    kArrived,    // every chunk is in the peer's store
    kHoldsLine,  // refused: the log can reach it after all
    kFailed,
  };
  ServerName peer;
  uint64_t id = 0;
  Kind kind = Kind::kFailed;
  MonotonicTime now;
};

// At the peer: a copy begins, continues, has arrived.
struct ReceiveCopy {
  RequestToken token;
  ServerName peer;
  uint64_t id = 0;
  Epoch epoch;
  Version start;
  Version line;
  MonotonicTime now;
  std::vector<EpochStart> history;  // of the source, as of `start`: a SPLIT held here that is part of it is committed
};

// The host has discarded log, records and applied state, and installed those of the copy's start.
struct CopyPrepared {
  uint64_t id = 0;
};

// Every chunk is in the store; complete once applied through `upto`, and after a checkpoint begun then.
struct CopyArrived {
  RequestToken token;
  uint64_t id = 0;
  Lsn upto;
};

// The checkpoint that `checkpoint_for_copy` asked for is done.
struct CopyCheckpointed {
  uint64_t id = 0;
};

// ---- outputs --------------------------------------------------------------------------------------------------------

struct FlushRequest {
  FlushNumber number;
  FlushMode mode = FlushMode::kSync;
};

// To an order of the master. Its facts are durable already.
struct ControlReply {
  RequestToken token;
  Status status;  // STALE_EPOCH, CONDITION_FAILED (log shorter than presumed), UNAVAILABLE (incomplete): the
                  // master fences a higher epoch; COME_AGAIN: a dropped replica's data is not yet gone
  Epoch promised;
  Version last_appended;  // as flushed
  bool known = false;     // a replica exists here (a mere promise or a tombstone is none)
  bool incomplete = false;
  bool may_have_lost_writes = false;      // may have lost what it acknowledged (PROTOCOL 5)
  bool lost = false;                      // its disk lost a part of the log: it neither votes nor offers its log
  std::map<ServerName, Version> vouched;  // others' disks had the log through there, they said in that epoch
  bool dropped = false;               // this Drop, or an earlier one, made a tombstone: the host removes what is left
  std::optional<AppliedSplit> split;  // to a SplitTablet that is applied
  Version freeze;                     // to a FreezeTablet that is applied, and durable at every voter
  TabletTime time;                    // filled by TabletCore; none: restarted since, knows none
  // Filled by TabletCore of a complete replica in memory: where its log leaves it to end, unapplied SPLITs included.
  std::optional<std::string> logged_end;
};

// To a ConfirmLeadership. NOT_PRIMARY: it leads no more, or another epoch.
struct ConfirmReply {
  RequestToken token;
  Status status;
};

// To a ReceiveCopy or CopyArrived. OK: go on. CONDITION_FAILED: holds the line, send the log. Else it has ended.
struct CopyReply {
  RequestToken token;
  Status status;
};

enum class RoleKind : uint8_t {
  kAbsent = 0,    // no replica: nothing known, a mere promise, or a tombstone
  kFollower = 1,  // exists, does not lead
  kPrimary = 2,
};

// How the primary sees another replica.
struct PeerProgress {
  ServerName peer;
  bool voter = false;
  bool copying = false;
  bool incomplete = false;
  Lsn flushed;          // durable there, as far as is known in this epoch
  MonotonicTime heard;  // of the latest answer; zero: none in this epoch
  Lsn acknowledged;     // an entry of this epoch on its disk, as it said, whatever its process is now
};

struct ReplicaOutput {
  // 1. acknowledged PRIMARY writes about to be discarded: kept elsewhere first (PROTOCOL 22);
  std::vector<EntryPtr> rolled_back;
  std::optional<ReplicaState> state;  // 2. then to the store;
  Lsn remove_from;                    // 3. the log's suffix from here on is removed; none: nothing is;
  // 4. then these, consecutive; then Stored or StoreFailed, before any other input
  std::vector<EntryPtr> append;
  std::optional<FlushRequest> flush;   // 5. begun after all of them; then Flushed
  Lsn commit;                          // entries up to here may be applied
  std::vector<PeerMessage> messages;   // may leave at once
  std::vector<PeerAnswer> answers;     // may leave at once
  std::vector<ControlReply> replies;   // may leave at once
  std::vector<ConfirmReply> confirms;  // may leave at once
  std::vector<StartCopy> copies;       // to be begun
  std::optional<ReceiveCopy> prepare;  // discard what is here, install the copy's start; then CopyPrepared
  std::vector<CopyReply> copy_replies;
  uint64_t checkpoint_for_copy = 0;  // not 0: take a checkpoint begun now, then CopyCheckpointed with this
};

}  // namespace ebla::tabletserver
