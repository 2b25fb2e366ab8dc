// tabletserver/storage/tablet_store.h
// The port to the disk: every tablet's log and records on one server, behind one small interface. WiredTiger in
// production (wt_store.h); in the simulator memory that loses what was not flushed, and may stall or fail.
// Contract:   1. Append, PutReplicaState, RemoveSuffix, PutUnresolved and DiscardUnresolved are visible at once, in
//                order, and durable once a Flush that began after them is done. After a crash a prefix of them, in
//                their order, remains.
//             2. Apply is atomic over records, applied state and dedup window rows of a tablet. It is not durable by
//                itself: a crash takes records, applied state and dedup windows of all tablets back to one and the same
//                checkpoint, and the log from there on is still present (log is truncated only below a finished
//                checkpoint).
//             3. A read sees a snapshot: everything applied when it began.
//             4. One replica per table and key range (PROTOCOL 10): ranges of one table's tablets never overlap here.
//             5. A call that changes something and fails has changed nothing (but see ReplaceInterval).
// Errors:     INTERNAL: the disk failed or lied; the store answers nothing else from then on (health() says why).
//             OVERLOADED: below the disk reserve; nothing was written; reads go on. Only an Append with a kWrite entry
//             is refused so: barriers, purges, states, unresolved writes, Apply and checkpoints go on, living off the
//             reserve.
// Threads:    all members from any thread, but those that change one tablet only from its shard. Reads never wait for
//             writes. Completions run on the executor given with them.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"
#include "tabletserver/storage/log/log_entry.h"
#include "tabletserver/storage/log_feed.h"
#include "tabletserver/storage/memory_tables.h"
#include "tabletserver/storage/row_sample.h"

namespace ebla::tabletserver {

enum class TableCompression : uint8_t { kNone = 0, kSnappy = 1, kZlib = 2 };

struct StoredRecord {
  std::string value;
  Version version;
  TabletTime expires_at;      // none: never. Judged by the caller: the store returns expired records as they are
  int64_t write_time_ms = 0;  // last_write_wins tables: as its effect's
  std::string writer;
  // A timed delete: no record for any reader, kept so that an older write that comes later loses against it. The store
  // returns it as it is, and purges remove it.
  bool tombstone = false;
};

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

// What a replica must know of itself after any crash; durable before it answers by it ("State" in
// docs/design/replication-rules.md).
struct ReplicaState {
  TableId table;
  Epoch promised;
  Epoch led;                          // the greatest epoch it has led; it never leads that again
  int64_t longest_lease_ms = 0;       // granted to another
  bool incomplete = false;            // about to be, or being, copied (PROTOCOL 5)
  bool may_have_lost_writes = false;  // may have lost writes that it acknowledged (PROTOCOL 5)
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

// Where an epoch began in a range's history (PROTOCOL 17).
struct EpochStart {
  Epoch epoch;
  Lsn first;
};

// Of a part of a merged tablet's range: where epochs began there before the merge.
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
  // what came before that; shared, as every batch copies this. Null: nothing did
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

// Everything of a tablet's dedup window that one Apply changes. Erasures happen first, then puts.
struct DedupChange {
  std::vector<DedupRow> put;
  std::vector<std::pair<ClientId, Sequence>> erase;  // exactly these rows, before `put`; an absent one is no error
};

struct RecordChange {
  const Effect* effect;  // borrowed for the call
  Version version;
};

struct ApplyBatch {
  TabletId tablet;
  TableId table;
  std::vector<RecordChange> records;  // in order; a later change of the same key wins
  DedupChange dedup_window;
  AppliedState state;  // as after the batch
  // nothing of the above: the tablet's applied state and dedup window go, its records stay where they are
  bool forget = false;
};

struct AppendBatch {
  TabletId tablet;
  std::vector<const LogEntry*> entries;  // consecutive lsns after the last one stored; borrowed for the call
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

// Asks a read for the applied lsn of the very snapshot that it saw (PROTOCOL 16).
struct SnapshotPosition {
  TabletId tablet;  // in: whose
  Lsn applied;      // out: zero when the tablet has applied nothing
};

struct ScanBounds {
  KeyRange range;
  bool reverse = false;
  bool read_once = false;  // a pass over much: what it brings from the disk leaves the cache first
};

// An acknowledged write that is in no tablet's log here, kept until somebody settles it (PROTOCOL 22): of PRIMARY, what
// was discarded from the log; or a write of level ANY, under no tablet and a version made of this server's start and a
// count within it.
struct UnresolvedLogEntry {
  TabletId tablet;
  TableId table;
  LogEntry entry;
};

// Where a list of unresolved entries goes on: they are listed by tablet, then version.
struct UnresolvedPosition {
  TabletId tablet;
  Version version;
};

// Of ReplaceInterval: INVALID_ARGUMENT for records out of order or outside.
Status CheckInterval(const KeyRange& interval, std::span<const std::pair<std::string, StoredRecord>> records);

enum class FlushMode : uint8_t {
  kSync,      // to the disk
  kInterval,  // to the operating system; the store fsyncs after its interval (see SetFlushInterval)
  kMemory,    // nowhere, and no call: of a table in memory alone, what was appended is as durable as it ever will be
};

class TabletStore {
 public:
  virtual ~TabletStore() = default;

  // ---- tables: one b-tree each -------------------------------------------------------------------------------------
  virtual Status EnsureTable(TableId table, TableCompression compression) = 0;
  virtual Status DropTable(TableId table) = 0;  // COME_AGAIN while a reader or checkpoint still holds it
  // How long what was flushed at kInterval for this table may wait for its fsync; Duration::max(): no such flushes. All
  // tables share one log, so the shortest of them, and of the store's own, is the period of all. An older schema's word
  // is passed over, and so is that of a table which is not here. Stores without a clock of their own need not listen.
  virtual void SetFlushInterval(TableId table, int64_t schema_version, Duration interval) {}
  // Those that have a b-tree here, in order; at once, without the disk.
  virtual std::vector<TableId> Tables() const { return {}; }
  // Gives room of deleted rows in the table's file back to the file system, for about so long and while everything else
  // goes on: true when there is no more to gain, false: the time was up. Not two at once. COME_AGAIN: not at present.
  // Stores without files have nothing to gain.
  virtual Result<bool> Compact(TableId table, Duration limit) { return true; }
  // Of the table's file; NO_SUCH_TABLE.
  virtual Result<int64_t> FileBytes(TableId table) const { return 0; }

  // Tables in memory alone: null where the store keeps none. Of their tablets nothing but the replicas' states is
  // durable: a start finds no records, no applied state, no window and no log (tablet/memory_replicas.h says what that
  // makes of them). Apply, Append and reads are as ever.
  virtual MemoryTables* memory_tables() const { return nullptr; }
  bool InMemory(TableId table) const {
    MemoryTables* const tables = memory_tables();
    return tables != nullptr && tables->Has(table);
  }

  // ---- log ---------------------------------------------------------------------------------------------------------
  // For any number of tablets. A crash leaves all of it or none; of more than some MiB perhaps the first entries alone.
  virtual Status Append(std::span<const AppendBatch> batches) = 0;
  virtual Status PutReplicaState(TabletId tablet, const ReplicaState& state) = 0;
  // Everything appended or put before this call, which until then may stand in memory alone; calls of all tablets and
  // shards are grouped into one fsync.
  virtual void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) = 0;
  // The same, of kInterval, where that is a copy in memory: what came of it. None: it would take longer, and is to be
  // asked for by Flush.
  virtual std::optional<Status> FlushAtOnce() = 0;
  // Entries from `from` on, in order, until `last` or about bytes_max; at least one when there is one. UNAVAILABLE: the
  // first of them is damaged.
  virtual Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) = 0;
  // The tablet's first entry, whether or not it can be read; none: its log is empty.
  virtual Lsn FirstLogged(TabletId tablet) const = 0;
  // Removes entries from `from` on, one by one, last first (a divergent suffix; never what was applied).
  virtual Status RemoveSuffix(TabletId tablet, Lsn from) = 0;
  // Forgets the entries below `below`, of which there is none before `from`; the caller knows that no checkpoint, voter
  // or learner needs them. Where `from` is a guess, zero at worst, finding the first one may take long.
  virtual Status TruncateLog(TabletId tablet, Lsn from, Lsn below) = 0;

  // What is committed of all tablets' logs, from a place on. What comes after the place, or after where
  // the reader may come back to, stays for a while, whatever is truncated.
  virtual Result<FeedPage> Follow(const FeedRequest& request) {
    return Error(Code::kUnavailable, "this store has no log that could be followed");
  }

  // ---- unresolved writes (PROTOCOL 22) ----------------------------------------------------------------------------
  // Stores entries outside the tablet's data, before they leave its log or without ever being in one: nothing but
  // DiscardUnresolved removes them. One that is stored already stays as it is.
  virtual Status PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) = 0;
  // Those of a table (none: of all) that come after a place, `entries_max` at most, and none past those that exceed
  // `bytes_max` in memory.
  virtual Result<std::vector<UnresolvedLogEntry>> ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                 size_t entries_max, size_t bytes_max) = 0;
  virtual Status DiscardUnresolved(TabletId tablet, Version version) = 0;  // an absent one is no error

  // ---- records -----------------------------------------------------------------------------------------------------
  // One transaction. A split is two batches in one call: the parent's, and the child's first state and dedup window; a
  // merge is three: the new tablet's, and two that forget.
  virtual Status Apply(std::span<const ApplyBatch> batches) = 0;
  virtual Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key,
                                                  SnapshotPosition* position = nullptr) = 0;
  // One snapshot over the keys, in their order: from the first key on, as many as have values of bytes_max together,
  // one at least. The result is so long; of the keys past it nothing is known.
  virtual Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table,
                                                                    std::span<const std::string_view> keys,
                                                                    size_t bytes_max,
                                                                    SnapshotPosition* position = nullptr) = 0;
  // Visits records of one snapshot in order until the visitor returns false. What it is shown is valid during the
  // visit only; the visitor must not call the store. `position` is set before the first visit.
  using Visitor = std::function<bool(std::string_view key, const StoredRecord& record)>;
  virtual Status Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor,
                      SnapshotPosition* position = nullptr) = 0;
  // Removes every record of the range. Only for a range that nothing reads or writes any more (PROTOCOL 8, 10).
  virtual Status TruncateRange(TableId table, const KeyRange& range) = 0;
  // The interval holds exactly these records afterwards, which come in order and lie in it (else INVALID_ARGUMENT, and
  // nothing has changed). Only for a replica that is being copied to and that nobody reads (PROTOCOL 8, 9): when more
  // than a thousand records go, it is done in pieces, and a failure in between leaves some of them removed.
  virtual Status ReplaceInterval(TableId table, const KeyRange& interval,
                                 std::span<const std::pair<std::string, StoredRecord>> records) = 0;
  // Bytes and records of a range. Counted where the table is small, or the range has about a thousand records and
  // fewer; else an estimate from a few hundred random records of the table, the same for all the ranges that are asked
  // about at once (wt_ranges.cc says how far off it may be).
  struct RangeSize {
    int64_t bytes = 0;
    int64_t records = 0;
    // Some of its rows, random ones, each as likely as another; or, where all of it was walked, spread evenly over its
    // bytes.
    std::vector<SampledRow> sample = {};
    bool whole = false;
  };
  // In the order of the ranges.
  virtual Result<std::vector<RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges) = 0;
  Result<RangeSize> EstimateSize(TableId table, const KeyRange& range) {
    EBLA_ASSIGN(std::vector<RangeSize> sizes, EstimateSizes(table, {&range, 1}));
    return std::move(sizes.front());
  }

  // ---- replicas ----------------------------------------------------------------------------------------------------
  // Forgets applied state, dedup window and log of a dropped replica; its ReplicaState (a tombstone by then) stays.
  virtual Status ForgetReplica(TabletId tablet) = 0;
  // Every replica and tombstone on this disk; called once, before anything else but EnsureTable.
  virtual Result<std::vector<RecoveredReplica>> Recover() = 0;

  // ---- scrub -------------------------------------------------------------------------------------------------------
  // What is damaged on this disk, as far as it is known. Nothing of it is ever returned: whoever reads it gets
  // UNAVAILABLE, and the rest is read as before. A table's entry goes with its file, once every replica of it was
  // dropped; a log's with its replica.
  struct Damage {
    std::vector<TableId> tables;
    std::vector<TabletId> logs;
    bool Empty() const { return tables.empty() && logs.empty(); }
    bool Hits(TabletId tablet, TableId table) const;
  };
  virtual Damage damage() const { return {}; }
  // Reads all that counts on the disk, past every cache, and checks it; damage() tells what it finds. After each piece
  // it says how many bytes that had, and goes on when that returns: false ends it there. One at a time. Stores without
  // files have nothing to read.
  using ScrubPace = std::function<bool(int64_t bytes)>;
  virtual Status Scrub(const ScrubPace& pace) { return {}; }

  // ---- checkpoints and health --------------------------------------------------------------------------------------
  // Takes a checkpoint of all tables. The result holds, for each tablet, what was applied before it began: the log up
  // to there is no longer needed for recovery.
  using CheckpointResult = std::map<TabletId, Lsn>;
  virtual void Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) = 0;
  virtual int64_t LogBytesSinceCheckpoint() const = 0;

  struct Health {
    Status status;                // not OK: the store is dead
    bool writes_refused = false;  // below the disk reserve (PROTOCOL 25)
    int64_t disk_free_bytes = 0;
    int64_t disk_total_bytes = 0;
    int64_t cache_bytes = 0;
    int64_t cache_misses = 0;  // pages read into cache since the start
    int64_t flushes = 0;
    int64_t rolled_back_entries = 0;  // kept of tablets' logs, and their bytes
    int64_t rolled_back_bytes = 0;
    int64_t hinted_entries = 0;  // kept under no tablet
    int64_t hinted_bytes = 0;
  };
  virtual Health health() const = 0;
  // How many pages the calling thread has had to read from files since its beginning: over a read, what the cache
  // lacked of it. As dear as a short read. None: not known. Stores without files read none.
  virtual std::optional<uint64_t> PagesReadByThisThread() const { return 0; }
};

}  // namespace ebla::tabletserver
