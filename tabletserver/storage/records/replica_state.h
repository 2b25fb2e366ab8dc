// tabletserver/storage/records/replica_state.h
// The states of a replica, as a server stores them: its promises, which the log keeps; its applied state and its dedup
// window, which stay consistent with the records.
// Threads: values.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "tabletserver/storage/log/log_entry.h"

namespace ebla::tabletserver {

// One of the two that a merge combines, and its FREEZE: all there is of its log (PROTOCOL 14).
struct MergedTablet {
  TabletId tablet;
  KeyRange range;
  Version freeze;
};

// How a merged tablet begins: with all of both applied, at `position`.
struct Merged {
  MergedTablet left;
  MergedTablet right;
  Version position;
};

// A replica's memory of itself after any crash; durable before the replica answers by it ("State" in
// docs/design/replication-rules.md).
struct ReplicaState {
  TableId table;
  Epoch promised;
  Epoch led;                          // the greatest epoch it has led; it never leads that again
  int64_t longest_lease_ms = 0;       // granted to another
  bool incomplete = false;            // about to be, or being, copied (PROTOCOL 5)
  bool may_have_lost_writes = false;  // may have lost writes that it acknowledged (PROTOCOL 5)
  bool lost = false;                  // the disk lost a part of the log: promises may lack, too (PROTOCOL 5)
  bool tombstone = false;             // dropped, at `promised`
  KeyRange incomplete_range;          // what it will cover when complete (PROTOCOL 10)
  TabletId lineage_parent;            // split off this one: PROTOCOL 13, its log is committed through the SPLIT at
  Epoch lineage_epoch;                // this place, and replayed that far before this replica's own
  Lsn lineage_lsn;
  std::optional<Merged> merged;  // merged of these two: PROTOCOL 13, both logs are committed through their FREEZE
  std::string schema;            // the table's schema, encoded, as last configured

  // There is a replica; else a promise, or what a dropped one leaves.
  bool present() const { return table && !tombstone; }
};

// The place in a range's history at which an epoch began (PROTOCOL 17).
struct EpochStart {
  Epoch epoch;
  Lsn first;
};

// A part of a merged tablet's range, with the places at which epochs began there before the merge.
struct FormerRange {
  KeyRange range;
  std::vector<EpochStart> epoch_starts;
};
using FormerRanges = std::vector<FormerRange>;  // by growing start, disjoint

// The FREEZE that a tablet has applied, with no Barrier since.
struct AppliedFreeze {
  TabletId into;
  Version version;  // of the entry
};

// The latest SPLIT that a tablet has applied.
struct AppliedSplit {
  TabletId child;
  std::string key;  // the child begins here
  std::string end;  // and ends here
  Version version;  // of the entry
  ServerName primary;
  std::vector<ServerName> voters;
};

// Changes only with Apply; consistent with the records.
struct AppliedState {
  Version applied;  // the last applied entry
  KeyRange range;
  TabletTime time;  // of the last applied entry
  TabletTime dedup_floor;
  std::vector<EpochStart> epoch_starts;  // of a merged tablet: since it was merged
  // the history before that; shared, as every batch copies this. Null: there is none
  std::shared_ptr<const FormerRanges> former;
  std::optional<AppliedFreeze> freeze;
  std::optional<AppliedSplit> last_split;  // kept until the next one: the catalog is completed from it (PROTOCOL 12)
};

// One client's remembered write.
struct DedupRow {
  ClientId client;
  Sequence sequence;
  Sequence first_incomplete;  // what the write said then: below the greatest of a client's, nothing is executed
  TabletTime time;
  uint64_t request_digest = 0;
  Version version;  // of its log entry
  AckLevel level = AckLevel::kMajority;
  Outcome outcome;
};

struct RecoveredReplica {
  TabletId tablet;
  ReplicaState state;
  // None: created but nothing applied before the last checkpoint. May be there for a tombstone: a crash rolled back
  // ForgetReplica and TruncateRange, and its records (of applied->range) and rows have to be removed again.
  std::optional<AppliedState> applied;
  Version first_logged;  // none: the log is empty; truncation may have left nothing of it, and lsns
  Version last_logged;   // then go on after applied->applied
  std::vector<DedupRow> dedup_window;
  bool replayed = false;  // by a start, for a lineage's sake, beyond the last checkpoint (not the store's to say)
};

}  // namespace ebla::tabletserver
