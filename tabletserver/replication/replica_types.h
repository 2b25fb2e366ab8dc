// tabletserver/replication/replica_types.h
// What goes into and comes out of the core of one replica: plain structs, no Thrift, no clock.
// Place:      replica_core.h decides on them; tablet_core.h passes them on; the host carries them out.
// Threads:    values. A log entry is immutable once proposed and shared (EntryPtr), because the core, an append in
//             flight and, with several replicas, messages to peers all hold it, and none of them outlives the others by rule.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/status.h"
#include "tabletserver/storage/log_entry.h"
#include "tabletserver/storage/tablet_store.h"

namespace ebla::tabletserver {

using EntryPtr = std::shared_ptr<const LogEntry>;
// Names a request of the outside; chosen by the host, answered exactly once.
using RequestToken = StrongId<struct RequestTokenTag>;
// Counts the flushes that a replica asks for.
using FlushNumber = StrongId<struct FlushNumberTag>;

// ---- inputs ---------------------------------------------------------------------------------------------------------

// The master says what this server is to the tablet in `epoch` (control.thrift, ConfigureTablet).
struct ConfigureReplica {
  RequestToken token;
  Epoch epoch;
  TableId table;
  KeyRange range;                     // of a replica that this creates
  std::string schema;                 // encoded; kept with the replica's state
  ServerName primary;
  std::vector<ServerName> voters;
  std::vector<ServerName> learners;
  bool fenced = false;                // the epoch was fenced at a majority; else a membership change (PROTOCOL 1)
  bool born = false;                  // who does not know the tablet starts complete and empty
  Version presumed;                   // none: nothing is presumed of the primary's log
  TabletTime barrier_time;            // of the Barrier that the new primary appends
};

struct FenceReplica {
  RequestToken token;
  Epoch epoch;
};

struct DropReplica {
  RequestToken token;
  Epoch epoch;
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
  Lsn upto;
};

struct Tick {
  MonotonicTime now;
};

// ---- messages between replicas of one tablet; a tablet with one voter sends none ------------------------------------

struct AppendMessage {
  Epoch epoch;
  Version previous;  // the entry before entries[0]
  std::vector<EntryPtr> entries;
  Lsn committed;
  TabletTime time;
};

struct AppendAnswer {
  Epoch epoch;
  bool stored = false;
  Lsn flushed;       // stored: durable up to here
  Version conflict;  // not stored: where the sender should look next
  Epoch promised;
};

struct PeerMessage {
  ServerName peer;  // to whom, in an output; from whom, in an input
  std::variant<AppendMessage, AppendAnswer> body;
};

// ---- outputs --------------------------------------------------------------------------------------------------------

struct FlushRequest {
  FlushNumber number;
  FlushMode mode = FlushMode::kSync;
};

// To a Configure, Fence, Drop or Alter. What it says is durable already.
struct ControlReply {
  RequestToken token;
  Status status;          // STALE_EPOCH, CONDITION_FAILED (log shorter than presumed), UNAVAILABLE (incomplete): the
                          // master fences a higher epoch; COME_AGAIN: a dropped replica's data is not yet gone
  Epoch promised;
  Version last_appended;  // as flushed
  bool known = false;     // a replica exists here (a mere promise or a tombstone is none)
  bool incomplete = false;
  bool dropped = false;   // this Drop, or an earlier one, made a tombstone: the host removes what is left
  TabletTime time;        // filled by TabletCore; none: restarted since, knows none
};

enum class RoleKind : uint8_t {
  kAbsent = 0,    // no replica: nothing known, a mere promise, or a tombstone
  kFollower = 1,  // exists, does not lead
  kPrimary = 2,
};

struct ReplicaOutput {
  std::optional<ReplicaState> state;    // 1. to the store first,
  std::vector<EntryPtr> append;         // 2. then these, consecutive; then Stored or StoreFailed, before any other input
  std::optional<FlushRequest> flush;    // 3. begun after both; then Flushed
  Lsn commit;                           // entries up to here may be applied
  std::vector<PeerMessage> messages;    // may leave at once
  std::vector<ControlReply> replies;    // may leave at once
};

}  // namespace ebla::tabletserver
