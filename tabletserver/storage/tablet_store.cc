#include "tabletserver/storage/tablet_store.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/store_watch.h"

namespace ebla::tabletserver {

namespace {

// The damaged tables of which no replica is left here.
Result<std::vector<TableId>> AbandonedTables(TabletLog& log, RecordStore& records) {
  RecordFiles* const files = records.files();
  std::vector<TableId> damaged = files == nullptr ? std::vector<TableId>() : files->Damaged();
  for (std::string at; !damaged.empty();) {
    EBLA_ASSIGN(const std::optional<TabletLog::Value> value, log.Next(kReplicaStateKeys, at));
    if (!value) break;
    at = value->first;
    EBLA_ASSIGN(const ReplicaState state, DecodeReplicaState(value->second));
    if (state.present()) std::erase(damaged, state.table);
  }
  return damaged;
}

RecordStore& RecordsOf(const TabletStore& store, RecordStore& on_disk, TableId table) {
  return store.InMemory(table) ? static_cast<RecordStore&>(*store.memory_tables()) : on_disk;
}

// No other replica has the data of a store that is salvaged, so that waiting for one is of no use.
Status Told(Status read, bool salvaged) {
  if (!salvaged || read.code() != Code::kUnavailable) return read;
  return {Code::kInternal, read.message()};
}

}  // namespace

// ---- what is applied ------------------------------------------------------------------------------------------------

void AppliedPositions::Note(std::span<const ApplyBatch> batches) {
  MutexLock lock(mutex_);
  for (const ApplyBatch& batch : batches) {
    if (batch.forget) {
      if (const auto applied = applied_.extract(batch.tablet)) gone_[batch.tablet] = applied.mapped();
    } else {
      applied_[batch.tablet] = batch.state.applied.lsn;
    }
  }
}

void AppliedPositions::NoteRecovered(const RecoveredReplica& replica) {
  if (!replica.applied) return;
  MutexLock lock(mutex_);
  (replica.state.tombstone ? gone_ : applied_)[replica.tablet] = replica.applied->applied.lsn;
}

std::map<TabletId, Lsn> AppliedPositions::All() const {
  MutexLock lock(mutex_);
  return applied_;
}

Lsn AppliedPositions::Last(TabletId tablet) const {
  MutexLock lock(mutex_);
  if (const auto applied = applied_.find(tablet); applied != applied_.end()) return applied->second;
  const auto gone = gone_.find(tablet);
  return gone == gone_.end() ? Lsn{} : gone->second;
}

Lsn AppliedPositions::Forget(TabletId tablet) {
  const Lsn last = Last(tablet);
  MutexLock lock(mutex_);
  applied_.erase(tablet);
  gone_[tablet] = last;
  return last;
}

void AppliedPositions::ForgetLast(TabletId tablet) {
  MutexLock lock(mutex_);
  gone_.erase(tablet);
}

// ---- the store ------------------------------------------------------------------------------------------------------

TabletStore::TabletStore(SharedLog& log, LogOwner& owner, RecordStore& records, Options options)
    : options_(options),
      owner_(owner),
      records_(records),
      log_(log, owner),
      flusher_(log_, *options.flusher, options.interval,
               [&records](TableId table) { return std::ranges::binary_search(records.Tables(), table); }),
      unresolved_(log_, options.watch),
      lost_replicas_(log_, records, options.loss),
      feeder_(log, log_, [this](TabletId tablet) { return positions_.Last(tablet); }, options.log_followed_bytes) {}

TabletStore::~TabletStore() { checkpoints_->Close(); }

Status TabletStore::Close() {
  checkpoints_->Close();
  return log_.MarkEnd();
}

Status TabletStore::Open() {
  EBLA_TRY(unresolved_.Open());
  return feeder_.Open();
}

bool TabletStore::InMemory(TableId table) const { return options_.memory != nullptr && options_.memory->Has(table); }

TableId TabletStore::MemoryTableOf(TabletId tablet) const {
  if (options_.memory == nullptr) return {};
  const ReaderLock lock(mutex_);
  const auto found = tables_.find(tablet);
  return found != tables_.end() && options_.memory->Has(found->second) ? found->second : TableId{};
}

// ---- tables ---------------------------------------------------------------------------------------------------------

Status TabletStore::EnsureTable(TableId table, TableCompression compression) {
  return records_.EnsureTable(table, compression);
}

Status TabletStore::DropTable(TableId table) {
  if (!InMemory(table)) EBLA_TRY(log_.SyncStates());
  EBLA_TRY(RecordsOf(*this, records_, table).DropTable(table));
  flusher_.ForgetTable(table);
  return {};
}

void TabletStore::SetFlushInterval(TableId table, int64_t schema_version, Duration interval) {
  flusher_.SetInterval(table, schema_version, interval);
}

std::vector<TableId> TabletStore::Tables() const {
  std::vector<TableId> tables = records_.Tables();
  if (options_.memory != nullptr) std::ranges::copy(options_.memory->Tables(), std::back_inserter(tables));
  std::ranges::sort(tables);
  return tables;
}

Result<bool> TabletStore::Compact(TableId table, Duration limit) {
  RecordFiles* const files = RecordsOf(*this, records_, table).files();
  return files == nullptr ? Result<bool>(true) : files->Compact(table, limit);
}

Result<int64_t> TabletStore::FileBytes(TableId table) const {
  RecordFiles* const files = RecordsOf(*this, records_, table).files();
  return files == nullptr ? Result<int64_t>(0) : files->FileBytes(table);
}

// ---- log ------------------------------------------------------------------------------------------------------------

Status TabletStore::Append(std::span<const AppendBatch> batches) {
  std::vector<TableId> in_memory;  // each batch's table, if that is in memory
  for (const AppendBatch& batch : batches) in_memory.push_back(MemoryTableOf(batch.tablet));
  // The disk first: it may refuse, and then nothing has changed.
  if (std::ranges::count(in_memory, TableId{}) == std::ssize(batches)) {
    EBLA_TRY(log_.Append(batches));
  } else {
    std::vector<AppendBatch> to_disk;
    for (size_t i = 0; i < batches.size(); ++i) {
      if (!in_memory[i]) to_disk.push_back(batches[i]);
    }
    EBLA_TRY(to_disk.empty() ? owner_.status() : log_.Append(to_disk));
    for (size_t i = 0; i < batches.size(); ++i) {
      if (in_memory[i]) options_.memory->Append(in_memory[i], batches[i]);
    }
  }
  if (options_.watch != nullptr) options_.watch->Appended(batches);
  return {};
}

Status TabletStore::PutReplicaState(TabletId tablet, const ReplicaState& state) {
  if (options_.watch != nullptr) options_.watch->BeforePutState(tablet, state);
  EBLA_TRY(log_.PutState(tablet, state));
  if (!state.table || options_.memory == nullptr) return {};
  const WriterLock lock(mutex_);
  tables_[tablet] = state.table;
  return {};
}

Result<std::vector<LogEntry>> TabletStore::ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  return MemoryTableOf(tablet) ? options_.memory->ReadLog(tablet, from, last, bytes_max)
                               : log_.Read(tablet, from, last, bytes_max);
}

Lsn TabletStore::FirstLogged(TabletId tablet) const {
  return MemoryTableOf(tablet) ? options_.memory->FirstLogged(tablet) : log_.Bounds(tablet).first;
}

Status TabletStore::RemoveSuffix(TabletId tablet, Lsn from) {
  if (options_.watch != nullptr) options_.watch->BeforeRemoveSuffix(tablet, from);
  if (!MemoryTableOf(tablet)) return log_.RemoveSuffix(tablet, from);
  options_.memory->RemoveSuffix(tablet, from);
  return {};
}

Status TabletStore::TruncateLog(TabletId tablet, Lsn below) {
  if (options_.watch != nullptr) options_.watch->BeforeTruncateLog(tablet, below);
  if (!MemoryTableOf(tablet)) return log_.Truncate(tablet, below);
  options_.memory->TruncateLog(tablet, below);
  return {};
}

Result<FeedPage> TabletStore::Follow(const FeedRequest& request) {
  EBLA_TRY(owner_.status());
  return feeder_.Read(request);
}

void TabletStore::CleanLog(bool room) {
  feeder_.ReleaseIfLeft(room);
  if (const Status cleaned = log_.Clean(); !cleaned.ok()) LOG(WARNING) << "the log is not cleaned: " << cleaned;
  if (const Status marked = log_.MarkEndAtRest(); !marked.ok()) LOG(WARNING) << "the log has no end mark: " << marked;
}

// ---- records --------------------------------------------------------------------------------------------------------

// One call may be for tablets of several tables; a transaction that spans tablets (a split, a merge) is of one.
Status TabletStore::Apply(std::span<const ApplyBatch> batches) {
  if (batches.empty()) return {};
  std::vector<ApplyBatch> in_memory, on_disk;
  TableId looked_up;
  bool found = false;
  const auto is_in_memory = [&](const ApplyBatch& batch) {  // as a rule of one table many times
    if (batch.table != looked_up) found = InMemory(looked_up = batch.table);
    return found;
  };
  std::span<const ApplyBatch> to_memory, to_disk;
  if (std::ranges::none_of(batches, is_in_memory)) {
    to_disk = batches;
  } else if (std::ranges::all_of(batches, is_in_memory)) {
    to_memory = batches;
  } else {
    for (const ApplyBatch& batch : batches) (is_in_memory(batch) ? in_memory : on_disk).push_back(batch);
    to_memory = in_memory;
    to_disk = on_disk;
  }
  EBLA_TRY(owner_.status());
  if (!to_disk.empty()) {
    EBLA_TRY(log_.SyncStates(to_disk));
    EBLA_TRY(records_.Apply(to_disk));
    positions_.Note(to_disk);
  }
  if (!to_memory.empty()) EBLA_TRY(options_.memory->Apply(to_memory));
  if (options_.watch != nullptr) options_.watch->Applied(batches);
  return {};
}

Result<std::optional<StoredRecord>> TabletStore::Get(TableId table, std::string_view key, SnapshotPosition* position) {
  if (options_.watch != nullptr) options_.watch->BeforeRead(table, key);
  auto record = RecordsOf(*this, records_, table).Get(table, key, position);
  if (!record) return std::unexpected(Told(record.error(), options_.salvage != nullptr));
  return record;
}

Result<std::vector<std::optional<StoredRecord>>> TabletStore::MultiGet(TableId table,
                                                                       std::span<const std::string_view> keys,
                                                                       size_t bytes_max, SnapshotPosition* position) {
  if (options_.watch != nullptr) {
    for (const std::string_view key : keys) options_.watch->BeforeRead(table, key);
  }
  auto records = RecordsOf(*this, records_, table).MultiGet(table, keys, bytes_max, position);
  if (!records) return std::unexpected(Told(records.error(), options_.salvage != nullptr));
  return records;
}

Status TabletStore::Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position) {
  return Told(RecordsOf(*this, records_, table).Scan(table, bounds, visitor, position), options_.salvage != nullptr);
}

Status TabletStore::Read(TableId table, SnapshotPosition* position, const ViewBody& body) {
  return Told(RecordsOf(*this, records_, table).Read(table, position, body), options_.salvage != nullptr);
}

Status TabletStore::TruncateRange(TableId table, const KeyRange& range) {
  if (options_.watch != nullptr) options_.watch->BeforeTruncateRange(table, range);
  if (!InMemory(table)) EBLA_TRY(log_.SyncStates());
  return range.Empty() ? owner_.status() : RecordsOf(*this, records_, table).ReplaceInterval(table, range, {});
}

Status TabletStore::ReplaceInterval(TableId table, const KeyRange& interval,
                                    std::span<const std::pair<std::string, StoredRecord>> records) {
  if (!InMemory(table)) EBLA_TRY(log_.SyncStates());
  return RecordsOf(*this, records_, table).ReplaceInterval(table, interval, records);
}

Result<std::vector<TabletStore::RangeSize>> TabletStore::EstimateSizes(TableId table,
                                                                       std::span<const KeyRange> ranges) {
  return RecordsOf(*this, records_, table).EstimateSizes(table, ranges);
}

// ---- replicas -------------------------------------------------------------------------------------------------------

// The log last: an applied state never outlives its log.
Status TabletStore::ForgetReplica(TabletId tablet) {
  if (options_.watch != nullptr) options_.watch->BeforeForget(tablet);
  if (MemoryTableOf(tablet)) {
    EBLA_TRY(options_.memory->Forget(tablet));
  } else {
    EBLA_TRY(log_.SyncStates());
    const Lsn applied = positions_.Forget(tablet);
    EBLA_TRY(records_.Forget(tablet));
    EBLA_TRY(log_.Forget(tablet, applied.Next()));
    positions_.ForgetLast(tablet);
    EBLA_ASSIGN(const std::vector<TableId> abandoned, AbandonedTables(log_, records_));
    for (const TableId table : abandoned) {
      EBLA_TRY(DropTable(table));
      LOG(WARNING) << "the damaged file of table " << table << " is removed, as no replica is left in it";
    }
  }
  if (options_.watch != nullptr) options_.watch->Forgotten(tablet);
  return {};
}

Result<std::vector<RecoveredReplica>> TabletStore::Recover() {
  std::vector<RecoveredReplica> replicas;
  for (std::string at;;) {
    EBLA_ASSIGN(const std::optional<TabletLog::Value> state, log_.Next(kReplicaStateKeys, at));
    if (!state) break;
    at = state->first;
    RecoveredReplica& replica = replicas.emplace_back();
    EBLA_ASSIGN(replica.tablet, ParseReplicaStateKey(at));
    EBLA_ASSIGN(replica.state, DecodeReplicaState(state->second));
    EBLA_ASSIGN(RecordStore::TabletRows rows, records_.Recover(replica.tablet));
    replica.applied = std::move(rows.applied);
    replica.dedup_window = std::move(rows.dedup_window);
    positions_.NoteRecovered(replica);
  }
  if (options_.salvage != nullptr) EBLA_TRY(options_.salvage->Keep(log_, replicas));
  for (RecoveredReplica& replica : replicas) EBLA_TRY(log_.Recover(replica));
  if (options_.salvage == nullptr) EBLA_TRY(lost_replicas_.Recover(replicas));
  if (options_.watch != nullptr) options_.watch->Recovered(replicas);
  if (options_.memory == nullptr) return replicas;
  const WriterLock lock(mutex_);
  for (const RecoveredReplica& replica : replicas) {
    if (replica.state.table) tables_[replica.tablet] = replica.state.table;
  }
  return replicas;
}

// ---- scrub ----------------------------------------------------------------------------------------------------------

bool TabletStore::Damage::Hits(TabletId tablet, TableId table) const {
  return std::ranges::find(tables, table) != tables.end() || std::ranges::find(logs, tablet) != logs.end();
}

TabletStore::Damage TabletStore::damage() const {
  RecordFiles* const files = records_.files();
  return {.tables = files == nullptr ? std::vector<TableId>() : files->Damaged(), .logs = log_.Damaged()};
}

Status TabletStore::Scrub(const ScrubPace& pace) {
  bool stopped = false;
  EBLA_TRY(log_.Scrub([&](int64_t bytes) { return !(stopped = !pace(bytes)); }));
  RecordFiles* const files = records_.files();
  return stopped || files == nullptr ? Status() : files->Scrub(pace);
}

// ---- checkpoints and health -----------------------------------------------------------------------------------------

void TabletStore::Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) {
  CheckpointResult in_memory;
  if (options_.memory != nullptr) in_memory = options_.memory->Applied();
  auto answer = [&executor, done = std::move(done)](Result<CheckpointResult> result) mutable {
    executor.Post([done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
  };
  const auto take = [this](CheckpointResult in_memory, auto answered) {
    // Noted before the checkpoint begins: it may hold more than this, never less.
    CheckpointResult held = positions_.All();
    const int64_t logged = log_.appended_bytes();
    // An applied entry is committed, but maybe not on this disk. The checkpoint may also hold entries that are applied
    // from here on, and that a crash takes from the log: TabletLog::Recover.
    if (const Status flushed = log_.Flush(FlushMode::kSync); !flushed.ok()) return answered(std::unexpected(flushed));
    held.merge(in_memory);
    auto finish = [this, logged, held = std::move(held), answered = std::move(answered)](const Status& status) mutable {
      if (!status.ok()) return answered(std::unexpected(status));
      if (const Status noted = lost_replicas_.Checkpointed(); !noted.ok()) return answered(std::unexpected(noted));
      covered_bytes_ = logged;
      answered(std::move(held));
    };
    if (options_.watch == nullptr) return finish(records_.Checkpoint());
    options_.watch->TakeCheckpoint(records_, std::move(finish));
  };
  options_.background->Post(
      [take, gate = checkpoints_, in_memory = std::move(in_memory), answer = std::move(answer)]() mutable {
        gate->Enter([&] { take(std::move(in_memory), std::move(answer)); });
      });
}

TabletStore::Health TabletStore::health() const {
  Health health{records_.figures()};
  health.status = owner_.status();
  health.flushes = log_.syncs();
  health.syncs = flusher_.sync_times();
  health.log_bytes = log_.appended_bytes() - covered_bytes_;
  health.rolled_back_entries = unresolved_.rolled_back().entries;
  health.rolled_back_bytes = unresolved_.rolled_back().bytes;
  health.hinted_entries = unresolved_.hinted().entries;
  health.hinted_bytes = unresolved_.hinted().bytes;
  return health;
}

}  // namespace ebla::tabletserver
