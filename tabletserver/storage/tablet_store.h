// tabletserver/storage/tablet_store.h
// All that a server stores: the log of its tablets, and their records. The order between the two is kept here.
// Place:      the hosts call it. It works on a log over a LogDisk (tablet_log.h, log/log_disk.h) and on a RecordStore
//             (records/record_store.h): those are the ports. WtStore makes one of a directory, SimulatedStore one of
//             memory that loses what was not flushed, and may stall or fail.
// Routes:     a table in memory has its records and its tablets' logs in the InMemoryStore, and on the disk no more
//             than its replicas' states (promises, leases, epochs led: PROTOCOL 1, 4 and 7 hold for them as for any)
//             and unresolved writes. All other tables are the RecordStore's, and their logs are in the log.
// Contract:   1. Append, PutReplicaState, RemoveSuffix, and unresolved writes put and discarded, are visible at once,
//                in order, and durable once a Flush that began after them is done. After a crash a prefix of them, in
//                their order, remains.
//             2. Apply is atomic over records, applied state and dedup window rows of a tablet. It is not durable by
//                itself: a crash takes records, applied state and dedup windows of all tablets back to one and the same
//                checkpoint, and the log from there on is still present (log is truncated only below a finished
//                checkpoint).
//             3. Before records change, the states that explain them are on the disk: TabletLog::SyncStates.
//             4. A checkpoint holds no more than the log on the disk does: it begins with a flush of the log.
//             5. Records are removed before the log that they were made of: ForgetReplica.
//             6. A call that changes something and fails has changed nothing (but see ReplaceInterval).
// Errors:     INTERNAL: the disk failed or lied. The store answers nothing else from then on, and health() has the
//             reason. Tables in memory fail too, because their promises could not be kept any more.
//             OVERLOADED: the disk is below its reserve, nothing was written, and reads continue. Only an Append with a
//             kWrite entry is refused so, and none of deletes alone or of a leader, as long as DiskRoom::kDeletes is
//             left. Barriers, purges, states, unresolved writes, Apply and checkpoints use the reserve.
// Threads:    all members from any thread, but those that change one tablet only from its shard. Reads never wait for
//             writes. Completions run on the executor given with them. The destructor waits for a flush and a
//             checkpoint in progress; what has not begun by then is dropped unanswered.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/log_feed.h"
#include "tabletserver/storage/log_feeder.h"
#include "tabletserver/storage/log_flusher.h"
#include "tabletserver/storage/lost_replicas.h"
#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/salvaged_replicas.h"
#include "tabletserver/storage/tablet_log.h"
#include "tabletserver/storage/task_gate.h"
#include "tabletserver/storage/unresolved_writes.h"

namespace ebla::tabletserver {

class InMemoryStore;
class StoreWatch;

// The applied position of each tablet of the log. Threads: any.
class AppliedPositions {
 public:
  void Note(std::span<const ApplyBatch> batches);  // once they are applied
  void NoteRecovered(const RecoveredReplica& replica);
  std::map<TabletId, Lsn> All() const;
  // The last position of this replica, also after its records are another's or it is dropped, until ForgetLast; none:
  // unknown. Followers of the log must find applied entries here or in the log's cut.
  Lsn Last(TabletId tablet) const;
  // Returns the last position.
  Lsn Forget(TabletId tablet);
  void ForgetLast(TabletId tablet);

 private:
  mutable Mutex mutex_;
  std::map<TabletId, Lsn> applied_ EBLA_GUARDED_BY(mutex_);
  std::map<TabletId, Lsn> gone_ EBLA_GUARDED_BY(mutex_);  // the same of those without an applied state
};

class TabletStore {
 public:
  struct Options {
    Executor* flusher = nullptr;                    // runs the syncs of the log
    Executor* background = nullptr;                 // runs checkpoints; may be busy for minutes
    Duration interval = std::chrono::seconds(1);    // FlushMode::kInterval: fsync at least this often
    int64_t log_followed_bytes = int64_t{4} << 30;  // of log that stays for followers, at most
    InMemoryStore* memory = nullptr;                // null: no tables in memory
    StoreWatch* watch = nullptr;                    // of a simulation; null: none
    // Not null: a damaged store is salvaged, and this gets what Recover has to leave out. Reads of damaged data there
    // are INTERNAL at once, as no other replica has it.
    SalvagedReplicas* salvage = nullptr;
    std::optional<LogLoss> loss;  // what a start found lost, and LostReplicas has not dealt with yet
  };
  // All of them outlive it.
  TabletStore(SharedLog& log, LogOwner& owner, RecordStore& records, Options options);
  ~TabletStore();
  // Before anything else: counts what earlier lives have kept.
  Status Open();
  // After everything else: waits for a checkpoint in progress, then syncs the log and marks its end. An error: the
  // store has failed, now or before.
  Status Close();

  // ---- tables ------------------------------------------------------------------------------------------------------
  Status EnsureTable(TableId table, TableCompression compression);
  Status DropTable(TableId table);  // COME_AGAIN while a reader or checkpoint still holds it
  // How long what was flushed at kInterval for this table may wait for its fsync; Duration::max(): no such flushes. All
  // tables share one log, so the shortest of them, and of the store's own, is the period of all. An older schema's word
  // is passed over, and so is that of a table which is not here.
  void SetFlushInterval(TableId table, int64_t schema_version, Duration interval);
  // In order; at once, without the disk.
  std::vector<TableId> Tables() const;
  // See RecordFiles. A table without a file has nothing to gain.
  Result<bool> Compact(TableId table, Duration limit);
  Result<int64_t> FileBytes(TableId table) const;

  // Null if the store keeps none. Only the states of their replicas are durable. A start finds no records, no applied
  // state, no window and no log (see tablet/memory_replicas.h).
  InMemoryStore* memory_tables() const { return options_.memory; }
  bool InMemory(TableId table) const;

  // ---- log ---------------------------------------------------------------------------------------------------------
  // For any number of tablets. A crash leaves all of it or none; of more than some MiB perhaps the first entries alone.
  Status Append(std::span<const AppendBatch> batches);
  Status PutReplicaState(TabletId tablet, const ReplicaState& state);
  // Everything appended or put before this call, which until then may stand in memory alone; calls of all tablets and
  // shards are grouped into one fsync.
  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) {
    flusher_.Flush(mode, executor, std::move(done));
  }
  // The same for kInterval, if that is a copy in memory. Returns its outcome. None: it would take longer, and is
  // Flush's work.
  std::optional<Status> FlushAtOnce() { return flusher_.FlushAtOnce(); }
  // Entries from `from` on, in order, until `last` or about bytes_max; at least one when there is one. UNAVAILABLE: the
  // first of them is damaged.
  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max);
  // The tablet's first entry, whether or not it can be read; none: its log is empty.
  Lsn FirstLogged(TabletId tablet) const;
  // Removes entries from `from` on (a divergent suffix; never what was applied).
  Status RemoveSuffix(TabletId tablet, Lsn from);
  // Forgets the entries below `below`. The caller knows that no checkpoint, voter or learner needs them.
  Status TruncateLog(TabletId tablet, Lsn below);
  // The committed entries of all tablets' logs, from a place on. Entries after the place, or after an earlier place
  // that the reader may return to, stay for a while in spite of truncation.
  Result<FeedPage> Follow(const FeedRequest& request);
  // Frees room of the log, and marks its end where it rests. To be called often; not two at once.
  void CleanLog(bool room);

  // Hinted and rolled-back writes (PROTOCOL 22): kept outside the tablets' data.
  UnresolvedWrites& unresolved() { return unresolved_; }

  // ---- records, as RecordStore says --------------------------------------------------------------------------------
  using Visitor = RecordStore::Visitor;
  using View = RecordStore::View;
  using ViewBody = RecordStore::ViewBody;
  using RangeSize = RecordStore::RangeSize;
  Status Apply(std::span<const ApplyBatch> batches);
  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position = nullptr);
  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string_view> keys,
                                                            size_t bytes_max, SnapshotPosition* position = nullptr);
  Status Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position = nullptr);
  Status Read(TableId table, SnapshotPosition* position, const ViewBody& body);
  Status TruncateRange(TableId table, const KeyRange& range);
  Status ReplaceInterval(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records);
  Result<std::vector<RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges);

  // ---- replicas ----------------------------------------------------------------------------------------------------
  // Forgets applied state, dedup window and log of a dropped replica; its ReplicaState (a tombstone by then) stays.
  Status ForgetReplica(TabletId tablet);
  // Every replica and tombstone on this disk; called once, before anything else but EnsureTable.
  Result<std::vector<RecoveredReplica>> Recover();
  // The log lacks a part, or did at an earlier start. A loss that is not dealt with yet is to be marked after Recover,
  // and settled once lineages are replayed.
  LostReplicas& lost_replicas() { return lost_replicas_; }

  // ---- scrub -------------------------------------------------------------------------------------------------------
  // The known damage on this disk. Damaged data is never returned: its reader gets UNAVAILABLE, and the rest is read as
  // before. A table's entry ends with its file, once every replica of it was dropped, and a log's with its replica.
  struct Damage {
    std::vector<TableId> tables;
    std::vector<TabletId> logs;
    bool Empty() const { return tables.empty() && logs.empty(); }
    bool Hits(TabletId tablet, TableId table) const;
  };
  Damage damage() const;
  // Reads all that counts on the disk, log and records, past every cache, and checks it; damage() tells what it finds.
  using ScrubPace = RecordFiles::Pace;
  Status Scrub(const ScrubPace& pace);

  // ---- checkpoints and health --------------------------------------------------------------------------------------
  // Takes a checkpoint of all tables. The result holds, for each tablet, what was applied before it began: the log up
  // to there is no longer needed for recovery. Tablets in memory are in it, too: of their logs recovery needs nothing.
  using CheckpointResult = std::map<TabletId, Lsn>;
  void Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done);

  struct Health : RecordStore::Figures {
    Status status;  // not OK: the store is dead
    int64_t flushes = 0;
    SyncTimes::Figures syncs;         // of the log
    int64_t log_bytes = 0;            // since the last checkpoint
    int64_t rolled_back_entries = 0;  // kept of tablets' logs, and their bytes
    int64_t rolled_back_bytes = 0;
    int64_t hinted_entries = 0;  // kept under no tablet
    int64_t hinted_bytes = 0;
  };
  Health health() const;
  std::optional<uint64_t> PagesReadByThisThread() const { return records_.PagesReadByThisThread(); }

 private:
  // The tablet's table, if that is in memory; none: its log is on the disk.
  TableId MemoryTableOf(TabletId tablet) const;

  const Options options_;
  LogOwner& owner_;
  RecordStore& records_;
  TabletLog log_;
  LogFlusher flusher_;
  UnresolvedWrites unresolved_;
  LostReplicas lost_replicas_;
  AppliedPositions positions_;
  LogFeeder feeder_;
  std::atomic<int64_t> covered_bytes_{0};  // logged before the last finished checkpoint began
  mutable SharedMutex mutex_;
  std::unordered_map<TabletId, TableId> tables_ EBLA_GUARDED_BY(mutex_);  // of the replicas here; with tables in memory
  const std::shared_ptr<TaskGate> checkpoints_ = std::make_shared<TaskGate>();
};

}  // namespace ebla::tabletserver
