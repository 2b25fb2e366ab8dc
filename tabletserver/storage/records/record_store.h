// tabletserver/storage/records/record_store.h
// The port to the records of a server: sorted rows of tables, and with them each tablet's applied state and dedup
// window. Atomic by call, durable by checkpoint. The log (../tablet_log.h) tells a start what the last checkpoint
// lacks.
// Place:      ../tablet_store.h calls it. WiredTiger implements it (../wiredtiger), and tables in memory
//             (../in_memory).
// Contract:   1. Apply is atomic over records, applied state and dedup window rows of all its batches. A crash takes
//                them, of all tablets, back to one and the same checkpoint.
//             2. A read sees a snapshot: everything applied when it began. All reads of a view see one.
//             3. One replica per table and key range (PROTOCOL 10): ranges of one table's tablets never overlap.
//             4. A call that changes something and fails has changed nothing (but see ReplaceInterval).
//             5. Before a call that changes records, the states that explain them are on the disk. The caller sees to
//                it.
// Batches:    Apply gets all that a round commits, of all tablets, in one call: a store may sort it before it writes.
// Errors:     NO_SUCH_TABLE. UNAVAILABLE: a damaged block. INTERNAL: the disk failed, and the store with it.
// Threads:    any, but those that change one tablet only from its shard. Reads never wait for writes.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/key_range.h"
#include "common/base/status.h"
#include "tabletserver/storage/records/disk_room.h"
#include "tabletserver/storage/records/replica_state.h"
#include "tabletserver/storage/records/row_sample.h"

namespace ebla::tabletserver {

enum class TableCompression : uint8_t { kNone = 0, kSnappy = 1, kZlib = 2 };

struct StoredRecord {
  std::string value;
  Version version;
  TabletTime expires_at;      // none: never. The caller judges: the store returns expired records as they are
  int64_t write_time_ms = 0;  // last_write_wins tables: as its effect's
  std::string writer;
  // A timed delete: no record for any reader, kept so that an older write that arrives later loses against it. The
  // store returns it as it is, and purges remove it.
  bool tombstone = false;
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

// INVALID_ARGUMENT if records are out of order or outside the interval.
Status CheckInterval(const KeyRange& interval, std::span<const std::pair<std::string, StoredRecord>> records);

// A store that keeps each table in a file of its own.
class RecordFiles {
 public:
  virtual ~RecordFiles() = default;

  // Gives room of deleted rows in the table's file back to the file system, for about so long, while other calls
  // continue. True if no more can be gained, false if the time was up. Not two at once. COME_AGAIN: not at present.
  virtual Result<bool> Compact(TableId table, Duration limit) = 0;
  virtual Result<int64_t> FileBytes(TableId table) const = 0;  // NO_SUCH_TABLE
  // Reads all that counts, past every cache, and checks it; Damaged() tells the tables in which damage was found, until
  // they are dropped. After each piece the pace gets the number of its bytes, and the pass continues when the pace
  // returns; false ends it. One pass at a time.
  using Pace = std::function<bool(int64_t bytes)>;
  virtual Status Scrub(const Pace& pace) = 0;
  virtual std::vector<TableId> Damaged() const = 0;
};

class RecordStore {
 public:
  virtual ~RecordStore() = default;

  // ---- tables ------------------------------------------------------------------------------------------------------
  virtual Status EnsureTable(TableId table, TableCompression compression) = 0;
  virtual Status DropTable(TableId table) = 0;      // COME_AGAIN while a reader or checkpoint still holds it
  virtual std::vector<TableId> Tables() const = 0;  // in order; at once, without the disk
  virtual RecordFiles* files() { return nullptr; }  // null: it has none

  // ---- records -----------------------------------------------------------------------------------------------------
  // One transaction. A split is two batches in one call, the parent's, and the child's first state and dedup window. A
  // merge is three, the new tablet's and two that forget.
  virtual Status Apply(std::span<const ApplyBatch> batches) = 0;
  virtual Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position) = 0;
  // One snapshot over the keys, in their order: from the first key on, as many as have values of bytes_max together,
  // one at least. The result is so long; of the keys past it nothing is known.
  virtual Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table,
                                                                    std::span<const std::string_view> keys,
                                                                    size_t bytes_max, SnapshotPosition* position) = 0;
  // Several reads of one snapshot.
  using Visitor = std::function<bool(std::string_view key, const StoredRecord& record)>;
  class View {
   public:
    virtual ~View() = default;
    virtual Result<std::optional<StoredRecord>> Get(std::string_view key) = 0;
    // Visits records in order until the visitor returns false. Its arguments are valid during the visit only; the
    // visitor must call neither the view nor the store.
    virtual Status Scan(const ScanBounds& bounds, const Visitor& visitor) = 0;
  };
  // Calls `body`, which must not call the store but through the view, and returns its error as it is. `position` is set
  // before. If the body fails because the store could not keep the snapshot, it is called again, on another one: what
  // it has found before does not count then. Tables in memory are not changed meanwhile.
  using ViewBody = std::function<Status(View& view)>;
  virtual Status Read(TableId table, SnapshotPosition* position, const ViewBody& body) = 0;
  // A view's only scan. OVERLOADED: the snapshot was lost after the first visit.
  Status Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position);
  // The interval holds exactly these records afterwards. They are in order and lie in it (else INVALID_ARGUMENT, and
  // nothing has changed). Only for a range that nothing reads or writes (PROTOCOL 8, 9, 10). Without records the call
  // removes the whole range, also of a damaged table, whose file is to be dropped. With records it removes more than a
  // thousand rows in several pieces, and a failure in between leaves some of them removed.
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

  // ---- replicas ----------------------------------------------------------------------------------------------------
  // The rows of a tablet beside its records, as a start finds them.
  struct TabletRows {
    std::optional<AppliedState> applied;
    std::vector<DedupRow> dedup_window;
  };
  virtual Result<TabletRows> Recover(TabletId tablet) = 0;
  virtual Result<std::vector<TabletId>> Tablets() = 0;  // that have an applied state
  // Removes these rows.
  virtual Status Forget(TabletId tablet) = 0;

  // ---- checkpoints and health --------------------------------------------------------------------------------------
  // When it returns, what was applied before it began survives a crash. Blocks; one at a time.
  virtual Status Checkpoint() = 0;
  struct Figures {
    DiskRoom room = DiskRoom::kAll;  // for clients' writes
    int64_t disk_free_bytes = 0;
    int64_t disk_total_bytes = 0;
    int64_t cache_bytes = 0;
    int64_t cache_misses = 0;               // pages read into cache since the start
    int64_t kept_for_checkpoint_bytes = 0;  // of files that count no more, once the next checkpoint is done
    int64_t buffer_bytes = 0;               // of applied writes that are in no file yet
    int64_t runs = 0;                       // of all sorted tables
    int64_t filter_bytes = 0;               // in memory, of these runs
    int64_t merge_bytes_left = 0;           // of runs that are being merged
  };
  virtual Figures figures() const { return {}; }  // no disk access
  // How many pages the calling thread has had to read from files since its beginning. The difference over a read is
  // what the cache lacked. The call costs as much as a short read. Empty: not known.
  virtual std::optional<uint64_t> PagesReadByThisThread() const { return 0; }
};

}  // namespace ebla::tabletserver
