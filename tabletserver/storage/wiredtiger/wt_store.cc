#include "tabletserver/storage/wiredtiger/wt_store.h"

#include <glog/logging.h>

#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/log_feeder.h"
#include "tabletserver/storage/store_log.h"
#include "tabletserver/storage/unresolved_writes.h"
#include "tabletserver/storage/wiredtiger/format_conversion.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/thread_reads.h"
#include "tabletserver/storage/wiredtiger/wt_checkpoints.h"
#include "tabletserver/storage/wiredtiger/wt_ranges.h"
#include "tabletserver/storage/wiredtiger/wt_records.h"
#include "tabletserver/storage/wiredtiger/wt_scrub.h"
#include "tabletserver/storage/wiredtiger/wt_tables.h"
#include "tabletserver/storage/wiredtiger/wt_watcher.h"
#include "tabletserver/storage/wiredtiger/wt_young_cache.h"

namespace ebla::tabletserver {

// Closed in the reverse order: tasks, flusher, sessions, connection, the directory's lock last.
struct WtStore::Parts {
  // What is there before the database is opened, and after it has been closed.
  struct Files {
    Files(const WtStoreOptions& options, StoreDirectory locked)
        : directory(std::move(locked)),
          recycler(directory.path()),
          reserve(directory.path(), options.disk_reserve_bytes, options.disk_space) {}

    StoreDirectory directory;
    FileRecycler recycler;
    DiskReserve reserve;
    std::unique_ptr<PosixLogDisk> log_disk;
    std::unique_ptr<SharedLog> log;
  };
  struct Database {
    Database(std::unique_ptr<WtConnection> opened, int sessions_max)
        : connection(std::move(opened)), sessions(std::make_shared<WtSessions>(*connection, sessions_max)) {}
    ~Database() { sessions->Close(); }  // a thread that ends just now may keep the pool a little longer

    std::unique_ptr<WtConnection> connection;
    std::shared_ptr<WtSessions> sessions;
  };

  struct Owner final : LogOwner {
    Owner(WtConnection& connection, DiskReserve& reserve) : connection(connection), reserve(reserve) {}
    Status status() const override { return connection.status(); }
    Status Fail(Status reason) override { return connection.Fail(std::move(reason)); }
    bool writes_refused() const override { return reserve.writes_refused(); }
    void NoteWritten(int64_t bytes) override { reserve.NoteWritten(bytes); }

    WtConnection& connection;
    DiskReserve& reserve;
  };

  Parts(WtStoreOptions given, std::unique_ptr<Files> held, std::unique_ptr<WtConnection> opened)
      : options(std::move(given)), files(std::move(held)), database(std::move(opened), options.sessions_max) {}

  const WtStoreOptions options;
  const std::unique_ptr<Files> files;
  Database database;
  WtSessions& sessions = *database.sessions;
  Owner owner{*database.connection, files->reserve};
  StoreLog log{*files->log, owner};
  WtFlusher flusher{log, *options.flusher, options.interval};
  WtTables tables{options, sessions, flusher};
  WtDedupRows dedup_rows;
  WtTabletStates states{sessions, log, dedup_rows};
  WtRecords records{sessions, states, dedup_rows};
  WtRanges ranges{sessions};
  UnresolvedWrites unresolved{log};
  LogFeeder feeder{*files->log, log, [this](TabletId tablet) { return states.LastApplied(tablet); },
                   options.log_followed_bytes};
  WtCheckpoints checkpoints{sessions, log, states, dedup_rows, files->reserve, *options.background};
  WtScrub scrub{sessions, log, tables};
  WtWatcher watcher{options, sessions, files->reserve, files->recycler, log, feeder, *files->log_disk};
};

WtStore::WtStore(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

WtStore::~WtStore() {
  Hurry();
  parts_->checkpoints.PrepareLast(*parts_->database.connection);
}

Result<std::unique_ptr<WtStore>> WtStore::Open(WtStoreOptions options) {
  CHECK(options.flusher != nullptr && options.background != nullptr && options.watcher != nullptr)
      << "the store owns no threads";
  EBLA_ASSIGN(StoreDirectory directory, StoreDirectory::Open(options.directory));
  auto files = std::make_unique<Parts::Files>(options, std::move(directory));
  files->reserve.BeforeOpen();
  if (files->directory.found_format() < StoreDirectory::format()) EBLA_TRY(ConvertStore(options, files->directory));
  const auto discard = [store = options.directory](const std::string& file) {
    return FileRecycler::Remove(file, store);
  };
  EBLA_ASSIGN(files->log_disk, PosixLogDisk::Open(LogDirectory(options.directory), discard));
  EBLA_ASSIGN(files->log, SharedLog::Open(*files->log_disk, LogOptions(options)));
  EBLA_ASSIGN(std::unique_ptr<WtConnection> connection, WtConnection::Open(options));
  EBLA_TRY(RemoveFormerFiles(*connection, options.directory));
  EBLA_TRY(AgeCache(*connection, options.cache_bytes));
  auto parts = std::make_unique<Parts>(std::move(options), std::move(files), std::move(connection));
  EBLA_TRY(parts->tables.Open());
  EBLA_TRY(parts->unresolved.Open());
  EBLA_TRY(parts->feeder.Open());
  parts->watcher.Watch();
  return std::unique_ptr<WtStore>(new WtStore(std::move(parts)));
}

void WtStore::Hurry() { parts_->checkpoints.Hurry(); }

Status WtStore::EnsureTable(TableId table, TableCompression compression) {
  return parts_->tables.Ensure(table, compression);
}

Status WtStore::DropTable(TableId table) {
  EBLA_TRY(parts_->log.SyncStates());
  return parts_->tables.Drop(table);
}

void WtStore::SetFlushInterval(TableId table, int64_t schema_version, Duration interval) {
  parts_->tables.SetFlushInterval(table, schema_version, interval);
}

std::vector<TableId> WtStore::Tables() const { return parts_->tables.Ids(); }

Result<bool> WtStore::Compact(TableId table, Duration limit) {
  EBLA_TRY(parts_->database.connection->status());
  EBLA_ASSIGN([[maybe_unused]] const int64_t before, FileBytes(table));
  return parts_->checkpoints.Compact(table, limit);
}

Result<int64_t> WtStore::FileBytes(TableId table) const { return parts_->tables.FileBytes(table); }

Status WtStore::Append(std::span<const AppendBatch> batches) { return parts_->log.Append(batches); }

Status WtStore::PutReplicaState(TabletId tablet, const ReplicaState& state) {
  return parts_->states.Put(tablet, state);
}

void WtStore::Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) {
  parts_->flusher.Flush(mode, executor, std::move(done));
}

std::optional<Status> WtStore::FlushAtOnce() { return parts_->flusher.FlushAtOnce(); }

Result<std::vector<LogEntry>> WtStore::ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  return parts_->log.Read(tablet, from, last, bytes_max);
}

Lsn WtStore::FirstLogged(TabletId tablet) const { return parts_->log.Bounds(tablet).first; }

Status WtStore::RemoveSuffix(TabletId tablet, Lsn from) { return parts_->log.RemoveSuffix(tablet, from); }

Status WtStore::TruncateLog(TabletId tablet, Lsn from, Lsn below) { return parts_->log.Truncate(tablet, below); }

Status WtStore::PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  return parts_->unresolved.Put(tablet, table, entries);
}

Result<std::vector<UnresolvedLogEntry>> WtStore::ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                size_t entries_max, size_t bytes_max) {
  return parts_->unresolved.List(table, after, entries_max, bytes_max);
}

Status WtStore::DiscardUnresolved(TabletId tablet, Version version) {
  return parts_->unresolved.Discard(tablet, version);
}

Status WtStore::Apply(std::span<const ApplyBatch> batches) {
  EBLA_TRY(parts_->log.SyncStates(batches));
  return parts_->records.Apply(batches);
}

Result<std::optional<StoredRecord>> WtStore::Get(TableId table, std::string_view key, SnapshotPosition* position) {
  return parts_->records.Get(table, key, position);
}

Result<std::vector<std::optional<StoredRecord>>> WtStore::MultiGet(TableId table,
                                                                   std::span<const std::string_view> keys,
                                                                   size_t bytes_max, SnapshotPosition* position) {
  return parts_->records.MultiGet(table, keys, bytes_max, position);
}

Status WtStore::Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position) {
  return parts_->records.Scan(table, bounds, visitor, position);
}

Status WtStore::TruncateRange(TableId table, const KeyRange& range) {
  EBLA_TRY(parts_->log.SyncStates());
  return parts_->ranges.Truncate(table, range);
}

Status WtStore::ReplaceInterval(TableId table, const KeyRange& interval,
                                std::span<const std::pair<std::string, StoredRecord>> records) {
  EBLA_TRY(parts_->log.SyncStates());
  return parts_->ranges.Replace(table, interval, records);
}

Result<std::vector<TabletStore::RangeSize>> WtStore::EstimateSizes(TableId table, std::span<const KeyRange> ranges) {
  return parts_->ranges.EstimateSizes(table, ranges);
}

// The log last: while an applied state is there, so is the log that goes with it.
Status WtStore::ForgetReplica(TabletId tablet) {
  EBLA_TRY(parts_->log.SyncStates());
  EBLA_ASSIGN(const Lsn applied, parts_->states.Forget(tablet));
  EBLA_TRY(parts_->log.Forget(tablet, applied.Next()));
  parts_->states.ForgetLast(tablet);
  for (const TableId table : parts_->sessions.damaged().All()) {
    EBLA_ASSIGN(const bool present, parts_->states.AnyPresent(table));
    if (present) continue;
    EBLA_TRY(parts_->tables.Drop(table));
    LOG(WARNING) << "the damaged file of table " << table << " is removed, as no replica is left in it";
  }
  return {};
}

Result<FeedPage> WtStore::Follow(const FeedRequest& request) {
  EBLA_TRY(parts_->owner.status());
  return parts_->feeder.Read(request);
}

Status WtStore::Scrub(const ScrubPace& pace) { return parts_->scrub.Run(pace); }

TabletStore::Damage WtStore::damage() const {
  return {.tables = parts_->sessions.damaged().All(), .logs = parts_->log.Damaged()};
}

Result<std::vector<RecoveredReplica>> WtStore::Recover() {
  EBLA_ASSIGN(std::vector<RecoveredReplica> replicas, parts_->states.Recover());
  for (RecoveredReplica& replica : replicas) EBLA_TRY(parts_->log.Recover(replica));
  return replicas;
}

void WtStore::Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) {
  parts_->checkpoints.Start(executor, std::move(done));
}

int64_t WtStore::LogBytesSinceCheckpoint() const { return parts_->checkpoints.LogBytesSince(); }

std::optional<uint64_t> WtStore::PagesReadByThisThread() const { return ThreadReads(); }

TabletStore::Health WtStore::health() const {
  const DiskReserve& reserve = parts_->files->reserve;
  const DiskSpace space = reserve.last();
  const UnresolvedWrites& unresolved = parts_->unresolved;
  return {.status = parts_->database.connection->status(),
          .writes_refused = reserve.writes_refused(),
          .disk_free_bytes = space.free_bytes,
          .disk_total_bytes = space.total_bytes,
          .cache_bytes = parts_->watcher.cache_bytes(),
          .cache_misses = parts_->watcher.cache_misses(),
          .flushes = parts_->log.syncs(),
          .rolled_back_entries = unresolved.rolled_back().entries,
          .rolled_back_bytes = unresolved.rolled_back().bytes,
          .hinted_entries = unresolved.hinted().entries,
          .hinted_bytes = unresolved.hinted().bytes};
}

}  // namespace ebla::tabletserver
