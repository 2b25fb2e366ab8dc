// tabletserver/tablet/tablet_io.h
// Inputs and outputs of a tablet's core, beyond those of its replica's core (replica_types.h): plain structs, no
// Thrift, no clock.
// Place:   tablet_core.h decides on them; the host carries them out.
// Threads: values.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tabletserver/replication/replica_types.h"
#include "tabletserver/storage/records/disk_room.h"
#include "tabletserver/tablet/tablet_types.h"

namespace ebla::tabletserver {

// ---- inputs ---------------------------------------------------------------------------------------------------------

// control.thrift's ConfigureTablet. The core fills ConfigureReplica::table, schema and barrier_time.
struct ConfigureTablet {
  ConfigureReplica replica;
  TabletSchema schema;
  TabletTime learnt;           // the greatest that the fence's answers carried; none: every answerer has restarted
  int64_t time_of_day_ms = 0;  // then: the median of the answerers' clocks, or this server's without a fence
  MonotonicTime now;
  // Whether the order's master may still give orders: it may have waited behind other work. Null: an order of this
  // server itself.
  std::function<Status()> check_term;
};

struct AlterTablet {
  RequestToken token;
  TabletSchema schema;  // an older version than the present one changes nothing
};

// The room that this server has for writes. The core decides which writes are OVERLOADED because of it: no retry of a
// write that is done.
struct Room {
  DiskRoom disk = DiskRoom::kAll;  // for what reaches the disk
  bool rolled_back_full = false;   // no more may be rolled back, so PRIMARY has to wait (PROTOCOL 22)
  Status memory;                   // why a table in memory has none left for what takes memory; OK: it has some
  bool evicts = false;             // such a table soon has some again
};

struct AdmitWrite {
  WriteRequest request;
  MonotonicTime now;
  Room room;
};

// Asks for an entry with tablet time `reached` or later to be applied: what a STRONG read that found a record expired
// waits for (PROTOCOL 21), and how expired records go, and deletes that were remembered long enough. Keys whose newest
// record is not the version named stay.
struct Purge {
  RequestToken token;  // none: no request waits
  TabletTime reached;  // none: now
  std::vector<ExpiredKey> keys;
  MonotonicTime now;
  MonotonicTime deadline = MonotonicTime::Max();  // who waits is told no later than at the first Tick after it
};

// Tablet time is at least this: an operator has accepted the clock that was doubted when this replica began to lead
// (PROTOCOL 21). It changes nothing in a replica that does not lead.
struct RaiseTime {
  TabletTime to;
  MonotonicTime now;
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

// The beginning of a copy: the primary's applied state at its start, and the dedup window of then.
struct InstallCopy {
  uint64_t id = 0;
  AppliedState applied;
  std::vector<DedupRow> dedup_window;
};

// The store refused the batch, which this returns. OVERLOADED, COME_AGAIN or UNAVAILABLE: it is offered again at a
// Tick. Else the replica is dead.
struct ApplyFailed {
  Status status;
  ApplyBatch batch;
};

// ---- outputs --------------------------------------------------------------------------------------------------------

// The host's tasks, in the order that tablet_core.h states.
struct TabletOutput {
  // The replica's. Its messages and replies carry tablet time, and its replies are those to splits and freezes, too.
  ReplicaOutput replica;
  std::optional<ApplyBatch> apply;
  std::shared_ptr<const SplitChild> split;  // the child that `apply` creates; null: none
  // The next output applies one: these messages say so, and are to leave before that is taken.
  bool split_next = false;
  std::shared_ptr<const TabletView> view;  // null: as before
  std::vector<WriteReply> writes;
  std::vector<PurgeReply> purges;
};

}  // namespace ebla::tabletserver
