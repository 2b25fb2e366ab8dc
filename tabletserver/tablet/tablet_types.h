// tabletserver/tablet/tablet_types.h
// A tablet's requests, answers and published view as its core knows them: plain structs, translated from and to Thrift
// by the request handlers.
// Threads: values; a TabletView is immutable once published and read by any thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/split_key.h"
#include "tabletserver/replication/replica_types.h"
#include "tabletserver/storage/log/flush_mode.h"
#include "tabletserver/tablet/tablet_clock.h"

namespace ebla::tabletserver {

inline constexpr size_t kBatchWritesMax = 1000;
inline constexpr size_t kBatchBytesMax = 4 << 20;
inline constexpr size_t kEpochStartsMax = 256;  // of one history; older versions are then taken to be in it

// The part of its table's schema that a tablet's core needs; `encoded` is the whole of it, as the replica's state keeps
// it.
struct TabletSchema {
  TableId table;
  int64_t version = 0;
  FlushMode durability = FlushMode::kSync;
  AckLevel default_level = AckLevel::kMajority;  // never kDefault
  int64_t default_ttl_ms = 0;                    // 0: records live until deleted
  bool last_write_wins = false;
  bool in_memory = false;  // alone: a start of the process has lost all that was applied and logged
  KeyGroupRule key_group;
  std::string encoded;
};

enum class WriteKind : uint8_t { kPut, kDelete, kIncrement, kCheck, kApply };

struct Condition {
  enum class Kind : uint8_t { kNone, kAbsent, kExists, kVersionIs };
  Kind kind = Kind::kNone;
  Version version;  // kVersionIs
};

// last_write_wins tables: when and at which server a write was accepted. The greater one wins; equal ones are one
// write.
struct WriteStamp {
  int64_t time_ms = 0;
  ServerName server;
  friend auto operator<=>(const WriteStamp&, const WriteStamp&) = default;
};

struct Write {
  WriteKind kind = WriteKind::kPut;
  std::string key;
  std::string value;              // put; of apply the function's arguments
  int64_t delta = 0;              // increment
  std::optional<int64_t> ttl_ms;  // put, increment; 0: lives for ever; none: put takes the table's default, increment
                                  // keeps what the record has
  std::optional<int64_t> new_ttl_ms;  // increment without ttl_ms, of what was not there; none: the table's default
  std::string function;               // apply: its name
  Condition condition;
  std::optional<WriteStamp> stamp;  // of a write that is being delivered: an unconditional put or delete
  TabletTime expires_at;            // put, in place of ttl_ms; none, of one that is being delivered: never
};

// Whether what it does depends on what there is.
inline bool IsConditional(const Write& write) {
  return write.condition.kind != Condition::Kind::kNone || write.kind == WriteKind::kIncrement ||
         write.kind == WriteKind::kApply;
}

// Its writes are a batch that CheckBatch (write_evaluator.h) passes. The request handler, or a delivering server,
// checks.
struct WriteRequest {
  RequestToken token;  // answered by exactly one WriteReply
  ClientId client;     // none: being delivered, and no dedup window knows it, as all its writes carry stamps
  Sequence sequence;
  Sequence first_incomplete;
  TabletTime learnt;  // tablet time known before the first attempt; none: not said
  AckLevel level = AckLevel::kDefault;
  std::vector<Write> writes;
  MonotonicTime deadline = MonotonicTime::Max();
  TabletId believed;  // which tablet the client takes it to be; none: not said
};

struct WriteReply {
  RequestToken token;
  // whose position `applied` is: a split's child answers what has waited for it at its parent
  TabletId tablet;
  // OK, CONDITION_FAILED, INVALID_ARGUMENT: final. NOT_PRIMARY, WRONG_TABLET, OVERLOADED, COME_AGAIN,
  // DEADLINE_EXCEEDED, INTERNAL: this attempt was not executed. UNKNOWN_OUTCOME: with retry_after_ms, this attempt may
  // yet take effect and a retry of the same sequence learns it; without, the write is older than the dedup window.
  Status status;
  Version version;  // none: the batch wrote nothing
  std::vector<int64_t> counters;
  std::string answers;  // of functions, as Outcome::message has them
  int32_t failed_index = -1;
  // the tablet's position, for session tokens; none: not known for the write's keys
  Version applied;
  // of that position, where tablet and epoch alone do not tell, as after a split, or believed wrong
  std::optional<KeyRange> range;
  Epoch epoch;  // with `range`, where a client may believe in both from now on
  TabletTime time;
  int64_t retry_after_ms = -1;  // -1: not said
  bool full = false;            // OVERLOADED: a table in memory has no room, and makes none by itself
};

// An expired record found by a read or a purge.
struct ExpiredKey {
  std::string key;
  Version version;
  bool evict = false;  // evicted before its expiry, because its table, in memory, is full
};

// Answers a purge (see TabletCore::Purge).
struct PurgeReply {
  RequestToken token;
  Status status;  // OK: an entry with a time at or after the one asked for is applied
  size_t purged = 0;
};

// The part of a primary's log above the applied position, for some range. A session that has reached it sees it on top
// of the records (PROTOCOL 16). Deletes are tombstones.
struct LoggedSlice {
  Epoch epoch;
  Lsn upto;
  std::map<std::string, StoredRecord, std::less<>> records;
};

// Everything that other threads need to serve reads of a tablet and to report on it.
struct TabletView {
  TabletId tablet;
  TableId table;
  KeyRange range;
  RoleKind role = RoleKind::kAbsent;
  Epoch epoch;         // as last configured
  ServerName primary;  // of that epoch: the hint for refusals
  bool incomplete = false;
  bool barrier_applied = false;  // STRONG reads may be served while `now` < lease_until
  MonotonicTime lease_until;
  // a follower: nothing committed by then (its own clock) is missing; zero: not known
  MonotonicTime fresh_as_of;
  Version applied;  // EVENTUAL sees up to here
  // of the last applied entry: what expired at or before it needs no waiting (PROTOCOL 21)
  TabletTime applied_time;
  Version last_appended;  // as of the last Tick, or later
  Lsn pending_primary;    // the last acknowledged PRIMARY entry not yet applied (PROTOCOL 15); none: none
  TabletTimeBasis time;
  // the log that a restart found is not wholly applied: writes are told to retry
  bool replaying = false;
  bool writes_stalled = false;  // the store refuses entries
  size_t pending_bytes = 0;     // of the unapplied writes
  Lsn splitting;                // a SPLIT that is logged and not applied; none: none is
  std::string split_key;        // what lies at this key and above waits for it (PROTOCOL 11)
  bool frozen = false;          // leads, and has logged FREEZE: no STRONG read is served any more (PROTOCOL 14)
  TabletId frozen_into;         // FREEZE is applied: it waits to become part of that tablet
  std::shared_ptr<const Merged> merged;            // the two of which it was made, up to its first epoch; else null
  std::shared_ptr<const AppliedSplit> last_split;  // null: it was never split
  std::vector<EpochStart> epoch_starts;
  std::shared_ptr<const FormerRanges> former;  // null: it was never merged
  std::shared_ptr<const TabletSchema> schema;  // shared, as readers keep the view past an alter
  // For the master's eyes (master.thrift, TabletLoad).
  Epoch promised;  // as of the last Tick, or later
  bool barrier_committed = false;
  Epoch refused_for;
  Epoch transferred_epoch;
  ServerName transferred_to;
  bool may_have_lost_writes = false;
  bool lost = false;  // its disk lost a part of the log (PROTOCOL 5)
  std::vector<PeerProgress> peers;
  std::string failure;  // not empty: the replica is dead, and why

  Lsn split_at() const { return last_split == nullptr ? Lsn{} : last_split->version.lsn; }
};

// A child's inheritance from a parent that applies SPLIT (PROTOCOL 11 to 13).
struct SplitChild {
  TabletId parent;
  AppliedSplit split;
  AppliedState applied;                // the child's
  std::vector<DedupRow> dedup_window;  // as of the SPLIT, the refusals among it
  TabletClock clock;
  std::shared_ptr<const TabletSchema> schema;
  bool lead = false;  // this replica appended it, and still leads that epoch: it leads the child, too
  bool lost = false;  // the parent's disk lost a part of the log, which may have been the child's (PROTOCOL 5)
};

// One of the two that are merged, as its core exports it: applied through its FREEZE.
struct FrozenTablet {
  TabletId tablet;
  ReplicaState state;
  AppliedState applied;
  std::vector<DedupRow> dedup_window;
  TabletClock clock;
  std::shared_ptr<const TabletSchema> schema;
};

// The result of merging both (PROTOCOL 14).
struct MergeResult {
  Merged merged;
  AppliedState applied;  // the new tablet's
  std::vector<DedupRow> dedup_window;
  TabletClock clock;
  std::shared_ptr<const TabletSchema> schema;
  bool lost = false;  // one of the two is (PROTOCOL 5)
};

}  // namespace ebla::tabletserver
