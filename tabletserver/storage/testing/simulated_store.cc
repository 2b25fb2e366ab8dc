#include "tabletserver/storage/testing/simulated_store.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "common/base/mutex.h"
#include "tabletserver/storage/testing/memory_image.h"
#include "tabletserver/storage/testing/memory_journal.h"
#include "tabletserver/storage/testing/memory_shared_log.h"

namespace ebla::tabletserver {

namespace {

constexpr Duration kFsyncInterval = std::chrono::seconds(1);

Status NoSuchTable(TableId table) {
  return Error(Code::kNoSuchTable, "no table with id " + std::to_string(table.value) + " on this server");
}

}  // namespace

// ---- the disk ------------------------------------------------------------------------------------------------------

SimulatedDisk::SimulatedDisk(uint64_t seed, LogKind log)
    : state_(std::make_unique<State>(seed, log == LogKind::kJournal
                                               ? std::unique_ptr<MemoryLog>(std::make_unique<MemoryJournal>())
                                               : std::make_unique<MemorySharedLog>(seed))) {}
SimulatedDisk::~SimulatedDisk() { CHECK(!state_->open) << "a store is open on the disk"; }

void SimulatedDisk::Crash(CrashKind kind) {
  MutexLock lock(state_->mutex);
  CHECK(!state_->open) << "destroy the crashed life's store first";
  state_->log->Crash(kind, state_->random);
  state_->records = state_->checkpoint;
}

void SimulatedDisk::SetStalled(bool stalled) {
  std::vector<std::function<void()>> parked;
  {
    MutexLock lock(state_->mutex);
    state_->stalled = stalled;
    if (!stalled) parked.swap(state_->parked);
  }
  for (auto& go_on : parked) go_on();
}

void SimulatedDisk::FailNext(Status error) {
  MutexLock lock(state_->mutex);
  if (!state_->log->FailNext(error)) state_->fail_next = std::move(error);
}

void SimulatedDisk::RefuseAppends(int count) {
  MutexLock lock(state_->mutex);
  state_->refuse = count;
}

void SimulatedDisk::RefuseToApply(bool refuse) {
  MutexLock lock(state_->mutex);
  state_->refuse_to_apply = refuse;
}

void SimulatedDisk::SetFull(bool full) {
  MutexLock lock(state_->mutex);
  state_->full = full;
}

void SimulatedDisk::SetLatency(Duration min, Duration max) {
  MutexLock lock(state_->mutex);
  state_->latency_min = min;
  state_->latency_max = std::max(min, max);
}

void SimulatedDisk::SetCheckpointTime(Duration longer) {
  MutexLock lock(state_->mutex);
  state_->checkpoint_longer = longer;
}

int64_t SimulatedDisk::flushes() const {
  MutexLock lock(state_->mutex);
  return state_->flushes;
}

int64_t SimulatedDisk::checkpoints() const {
  MutexLock lock(state_->mutex);
  return state_->checkpoints;
}

// ---- one life of a store -------------------------------------------------------------------------------------------

struct SimulatedStore::Life {
  struct Waiter {
    Executor* executor;
    std::move_only_function<void(Status)> done;

    void Complete(Status status) {
      executor->Post([done = std::move(done), status = std::move(status)]() mutable { done(status); });
    }
  };

  Life(SimulatedDisk::State& disk, Executor& executor) : disk(disk), executor(executor) {}

  // The lock outlives this function in what it returns, which the analysis takes for a leak.
  MutexLock Lock() EBLA_ACQUIRE(disk.mutex) EBLA_NO_THREAD_SAFETY_ANALYSIS {
    CHECK(disk.visiting.load() != std::this_thread::get_id()) << "a visitor calls the store";
    return MutexLock(disk.mutex);
  }
  // Runs `step` later on the executor, under the mutex, unless this life is over by then.
  void Later(Duration delay, std::move_only_function<void()> step);
  void BeginFlush() EBLA_REQUIRES(disk.mutex);
  void FinishFlush(std::vector<Waiter> waiters, uint64_t position, bool to_disk) EBLA_REQUIRES(disk.mutex);
  Status EndFlush(uint64_t position, bool to_disk) EBLA_REQUIRES(disk.mutex);
  std::optional<Status> FlushAtOnce() EBLA_REQUIRES(disk.mutex);
  void BeginCheckpoint(Executor& target, std::move_only_function<void(Result<CheckpointResult>)> done)
      EBLA_REQUIRES(disk.mutex);
  Status FinishCheckpoint(uint64_t number, RecordsImage image, uint64_t position) EBLA_REQUIRES(disk.mutex);
  Status status() const EBLA_REQUIRES(disk.mutex) { return dead.ok() ? disk.log->status() : dead; }
  Status TakeFault() EBLA_REQUIRES(disk.mutex);
  void CheckRanges(TabletId changed) EBLA_REQUIRES(disk.mutex);

  struct Alive {  // shared with tasks that may outlive this life; locked before disk.mutex
    Mutex mutex;
    bool alive EBLA_GUARDED_BY(mutex) = true;
  };
  const std::shared_ptr<Alive> alive = std::make_shared<Alive>();

  SimulatedDisk::State& disk;
  Executor& executor;
  Status dead EBLA_GUARDED_BY(disk.mutex);
  std::vector<Waiter> waiting EBLA_GUARDED_BY(disk.mutex);
  bool wants_disk EBLA_GUARDED_BY(disk.mutex) = false;
  bool flushing EBLA_GUARDED_BY(disk.mutex) = false;
  bool interval_set EBLA_GUARDED_BY(disk.mutex) = false;
  int64_t log_bytes EBLA_GUARDED_BY(disk.mutex) = 0;
  int64_t log_bytes_checkpoint EBLA_GUARDED_BY(disk.mutex) = 0;
};

void SimulatedStore::Life::Later(Duration delay, std::move_only_function<void()> step) {
  auto task = [this, alive = alive, step = std::move(step)]() mutable {
    MutexLock living(alive->mutex);
    if (!alive->alive) return;
    MutexLock lock(disk.mutex);
    step();
  };
  if (delay == Duration(0)) {
    executor.Post(std::move(task));
  } else {
    executor.After(delay, std::move(task));
  }
}

Status SimulatedStore::Life::TakeFault() {
  if (dead.ok() && disk.fail_next) dead = *std::exchange(disk.fail_next, std::nullopt);
  return status();
}

void SimulatedStore::Life::BeginFlush() {
  flushing = true;
  const bool to_disk = std::exchange(wants_disk, false);
  if (status().ok()) disk.log->BeginFlush(to_disk ? FlushMode::kSync : FlushMode::kInterval);
  Later(disk.Latency(), [this, waiters = std::exchange(waiting, {}), position = disk.log->end(), to_disk]() mutable {
    disk.mutex.AssertHeld();  // Later() takes it
    FinishFlush(std::move(waiters), position, to_disk);
  });
}

void SimulatedStore::Life::FinishFlush(std::vector<Waiter> waiters, uint64_t position, bool to_disk) {
  if (disk.stalled) {
    auto held = std::make_shared<std::vector<Waiter>>(std::move(waiters));
    disk.parked.push_back([this, alive = alive, held, position, to_disk] {
      MutexLock living(alive->mutex);
      if (!alive->alive) return;
      Later(Duration(0), [this, held, position, to_disk] {
        disk.mutex.AssertHeld();
        FinishFlush(std::move(*held), position, to_disk);
      });
    });
    return;
  }
  const Status status = EndFlush(position, to_disk);
  for (Waiter& waiter : waiters) waiter.Complete(status);
  flushing = false;
  if (!waiting.empty() || wants_disk) BeginFlush();
}

Status SimulatedStore::Life::EndFlush(uint64_t position, bool to_disk) {
  EBLA_TRY(TakeFault());
  EBLA_TRY(disk.log->Flush(to_disk ? FlushMode::kSync : FlushMode::kInterval, position));
  if (to_disk) {
    ++disk.flushes;
  } else if (!std::exchange(interval_set, true)) {
    Later(kFsyncInterval, [this] {
      disk.mutex.AssertHeld();
      interval_set = false;
      wants_disk = true;
      if (!flushing) BeginFlush();
    });
  }
  return {};
}

std::optional<Status> SimulatedStore::Life::FlushAtOnce() {
  if (flushing || disk.stalled || disk.random() % 2 == 0) return std::nullopt;
  if (!status().ok()) return status();
  disk.log->BeginFlush(FlushMode::kInterval);
  return EndFlush(disk.log->end(), false);
}

void SimulatedStore::Life::BeginCheckpoint(Executor& target,
                                           std::move_only_function<void(Result<CheckpointResult>)> done) {
  struct InProgress {
    std::optional<RecordsImage> image;
    CheckpointResult held;
    uint64_t number;
    uint64_t position;
    int64_t log_bytes;
    Executor& target;
    std::move_only_function<void(Result<CheckpointResult>)> done;
  };
  auto begun = std::make_shared<InProgress>(std::nullopt, CheckpointResult(), ++disk.checkpoints_begun, disk.log->end(),
                                            log_bytes, target, std::move(done));
  for (const auto& [tablet, state] : disk.records.applied) begun->held[tablet] = state.applied.lsn;
  if (!disk.log->FlushesBeforeCheckpoint()) begun->image = disk.records;
  auto go_on = std::make_shared<std::function<void()>>();
  *go_on = [this, begun, again = std::weak_ptr(go_on)] {
    disk.mutex.AssertHeld();
    if (disk.stalled) {
      disk.parked.push_back([this, alive = alive, self = again.lock()] {
        MutexLock living(alive->mutex);
        if (alive->alive) Later(Duration(0), [self] { (*self)(); });
      });
      return;
    }
    Status status = TakeFault();
    if (status.ok() && !begun->image) {
      status = disk.log->Flush(FlushMode::kSync, begun->position);
      if (status.ok()) {
        begun->image = disk.records;
        return Later(disk.Latency() + disk.checkpoint_longer, [self = again.lock()] { (*self)(); });
      }
    }
    if (status.ok()) status = FinishCheckpoint(begun->number, *std::move(begun->image), begun->position);
    Result<CheckpointResult> result = std::move(begun->held);
    if (status.ok()) {
      log_bytes_checkpoint = begun->log_bytes;
    } else {
      result = std::unexpected(std::move(status));
    }
    begun->target.Post([begun, result = std::move(result)]() mutable { begun->done(std::move(result)); });
  };
  const Duration longer = begun->image ? disk.checkpoint_longer : Duration(0);
  Later(disk.Latency() + longer, [go_on] { (*go_on)(); });
}

Status SimulatedStore::Life::FinishCheckpoint(uint64_t number, RecordsImage image, uint64_t position) {
  // One that was begun later may have finished first: nothing on the disk goes back.
  if (number > disk.checkpoint_number) {
    disk.checkpoint_number = number;
    disk.checkpoint = std::move(image);
  }
  ++disk.checkpoints;
  return disk.log->EndCheckpoint(position);
}

// PROTOCOL 10: in one table, no range of two living replicas overlaps.
void SimulatedStore::Life::CheckRanges(TabletId changed) {
  const auto state = disk.log->PresenceOf(changed);
  if (!state) return;
  const KeyRange& range = disk.records.applied.at(changed).range;
  for (const auto& [tablet, applied] : disk.records.applied) {
    if (tablet == changed) continue;
    const auto other = disk.log->PresenceOf(tablet);
    if (!other || other->tombstone || other->table != state->table) continue;
    CHECK(!range.Overlaps(applied.range))
        << "tablets " << changed << " and " << tablet << " overlap: " << range << " and " << applied.range;
  }
}

// ---- the store -----------------------------------------------------------------------------------------------------

SimulatedStore::SimulatedStore(SimulatedDisk& disk, Executor& executor)
    : life_(std::make_unique<Life>(*disk.state_, executor)) {
  const auto lock = life_->Lock();
  CHECK(!life_->disk.open) << "one store at a time on a disk";
  life_->disk.open = true;
  life_->disk.log->Open();
}

SimulatedStore::~SimulatedStore() {
  {
    MutexLock living(life_->alive->mutex);
    life_->alive->alive = false;
  }
  const auto lock = life_->Lock();
  life_->disk.open = false;
  life_->disk.parked.clear();
}

Status SimulatedStore::EnsureTable(TableId table, TableCompression) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  life_->disk.tables.insert(table);
  return {};
}

Status SimulatedStore::DropTable(TableId table) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  EBLA_TRY(life_->disk.log->SyncStates());
  life_->disk.tables.erase(table);
  life_->disk.records.tables.erase(table);
  life_->disk.checkpoint.tables.erase(table);
  return {};
}

std::vector<TableId> SimulatedStore::Tables() const {
  const auto lock = life_->Lock();
  return {life_->disk.tables.begin(), life_->disk.tables.end()};
}

Status SimulatedStore::Append(std::span<const AppendBatch> batches) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  int64_t bytes = 0;
  for (const AppendBatch& batch : batches) {
    Lsn last = life_->disk.log->Bounds(batch.tablet).last;
    for (const LogEntry* entry : batch.entries) {
      if (entry->kind == EntryKind::kWrite && (life_->disk.full || life_->disk.refuse > 0)) {
        life_->disk.refuse = std::max(0, life_->disk.refuse - 1);
        return Error(Code::kOverloaded, "the disk is full but for its reserve: free or add space on this server");
      }
      CHECK(!last || entry->version.lsn == last.Next())
          << "tablet " << batch.tablet << ": " << entry->version << " appended after lsn " << last;
      last = entry->version.lsn;
      bytes += static_cast<int64_t>(entry->ApproximateBytes());
    }
  }
  EBLA_TRY(life_->disk.log->Append(batches));
  life_->log_bytes += bytes;
  return {};
}

Status SimulatedStore::PutReplicaState(TabletId tablet, const ReplicaState& state) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  return life_->disk.log->PutState(tablet, state);
}

void SimulatedStore::Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) {
  const auto lock = life_->Lock();
  if (Status status = life_->status(); !status.ok()) {
    return Life::Waiter{&executor, std::move(done)}.Complete(std::move(status));
  }
  life_->waiting.push_back({&executor, std::move(done)});
  life_->wants_disk |= mode == FlushMode::kSync;
  if (!life_->flushing) life_->BeginFlush();
}

std::optional<Status> SimulatedStore::FlushAtOnce() {
  const auto lock = life_->Lock();
  return life_->FlushAtOnce();
}

Result<std::vector<LogEntry>> SimulatedStore::ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  return life_->disk.log->Read(tablet, from, last, bytes_max);
}

Lsn SimulatedStore::FirstLogged(TabletId tablet) const {
  const auto lock = life_->Lock();
  return life_->status().ok() ? life_->disk.log->Bounds(tablet).first : Lsn{};
}

Status SimulatedStore::RemoveSuffix(TabletId tablet, Lsn from) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  const auto applied = life_->disk.records.applied.find(tablet);
  CHECK(applied == life_->disk.records.applied.end() || applied->second.applied.lsn < from)
      << "tablet " << tablet << ": removing applied entries from " << from;
  return life_->disk.log->RemoveSuffix(tablet, from);
}

Status SimulatedStore::PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  return life_->disk.log->PutUnresolved(tablet, table, entries);
}

Result<std::vector<UnresolvedLogEntry>> SimulatedStore::ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                       size_t entries_max, size_t bytes_max) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  return life_->disk.log->ListUnresolved(table, after, entries_max, bytes_max);
}

Status SimulatedStore::DiscardUnresolved(TabletId tablet, Version version) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  return life_->disk.log->DiscardUnresolved(tablet, version);
}

Status SimulatedStore::TruncateLog(TabletId tablet, Lsn from, Lsn below) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  const auto held = life_->disk.checkpoint.applied.find(tablet);
  const Lsn first = life_->disk.log->Bounds(tablet).first;
  if (!first || below <= first) return {};
  CHECK(from <= first) << "tablet " << tablet << ": there is log before " << from;
  CHECK(held != life_->disk.checkpoint.applied.end() && below <= held->second.applied.lsn.Next())
      << "tablet " << tablet << ": the last checkpoint still needs log below " << below;
  return life_->disk.log->Truncate(tablet, below);
}

Status SimulatedStore::Apply(std::span<const ApplyBatch> batches) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  if (life_->disk.refuse_to_apply) return Error(Code::kOverloaded, "nothing can be applied for now");
  for (const ApplyBatch& batch : batches) {
    if (!life_->disk.tables.contains(batch.table) && !batch.records.empty()) return NoSuchTable(batch.table);
  }
  EBLA_TRY(life_->disk.log->SyncStates(batches));
  RecordsImage& records = life_->disk.records;
  for (const ApplyBatch& batch : batches) {
    if (batch.forget) {
      records.windows.erase(batch.tablet);
      records.applied.erase(batch.tablet);
      continue;
    }
    for (const RecordChange& change : batch.records) {
      const Effect& effect = *change.effect;
      if (effect.is_delete && !effect.timed()) {
        records.tables[batch.table].erase(effect.key);
      } else {
        records.tables[batch.table][effect.key] = {effect.value,         change.version, effect.expires_at,
                                                   effect.write_time_ms, effect.writer,  effect.is_delete};
      }
    }
    auto& dedup_window = records.windows[batch.tablet];
    for (const auto& row : batch.dedup_window.erase) dedup_window.erase(row);
    for (const DedupRow& row : batch.dedup_window.put) dedup_window[{row.client, row.sequence}] = row;
    AppliedState& state = records.applied[batch.tablet];
    CHECK(state.applied <= batch.state.applied)
        << "tablet " << batch.tablet << " applies backwards: " << batch.state.applied << " after " << state.applied;
    state = batch.state;
  }
  for (const ApplyBatch& batch : batches) {
    if (!batch.forget) life_->CheckRanges(batch.tablet);
  }
  return {};
}

Result<std::optional<StoredRecord>> SimulatedStore::Get(TableId table, std::string_view key,
                                                        SnapshotPosition* position) {
  EBLA_ASSIGN(auto records, MultiGet(table, {&key, 1}, SIZE_MAX, position));
  return std::move(records.front());
}

Result<std::vector<std::optional<StoredRecord>>> SimulatedStore::MultiGet(TableId table,
                                                                          std::span<const std::string_view> keys,
                                                                          size_t bytes_max,
                                                                          SnapshotPosition* position) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  if (!life_->disk.tables.contains(table)) return std::unexpected(NoSuchTable(table));
  pages_read_ += pages_lacked_;
  const auto& rows = life_->disk.records.tables[table];
  std::vector<std::optional<StoredRecord>> records;
  size_t bytes = 0;
  for (const std::string_view key : keys) {
    const auto found = rows.find(std::string(key));
    if (found != rows.end()) bytes += found->second.value.size();
    if (bytes > bytes_max && !records.empty()) break;
    records.push_back(found == rows.end() ? std::nullopt : std::optional(found->second));
  }
  SetPosition(position);
  return records;
}

void SimulatedStore::SetPosition(SnapshotPosition* position) const {
  if (position == nullptr) return;
  life_->disk.mutex.AssertHeld();
  const auto applied = life_->disk.records.applied.find(position->tablet);
  position->applied = applied == life_->disk.records.applied.end() ? Lsn{} : applied->second.applied.lsn;
}

Status SimulatedStore::Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor,
                            SnapshotPosition* position) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  if (!life_->disk.tables.contains(table)) return NoSuchTable(table);
  if (bounds.range.Empty()) return {};
  SetPosition(position);
  const auto& rows = life_->disk.records.tables[table];
  const auto first = rows.lower_bound(bounds.range.start);
  const auto end = bounds.range.end.empty() ? rows.end() : rows.lower_bound(bounds.range.end);
  life_->disk.visiting = std::this_thread::get_id();
  if (bounds.reverse) {
    for (auto at = end; at != first && visitor(std::prev(at)->first, std::prev(at)->second);) --at;
  } else {
    for (auto at = first; at != end && visitor(at->first, at->second);) ++at;
  }
  life_->disk.visiting = std::thread::id();
  return {};
}

Status SimulatedStore::TruncateRange(TableId table, const KeyRange& range) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  if (range.Empty()) return {};
  if (!life_->disk.tables.contains(table)) return NoSuchTable(table);
  EBLA_TRY(life_->disk.log->SyncStates());
  auto& rows = life_->disk.records.tables[table];
  rows.erase(rows.lower_bound(range.start), range.end.empty() ? rows.end() : rows.lower_bound(range.end));
  return {};
}

Status SimulatedStore::ReplaceInterval(TableId table, const KeyRange& interval,
                                       std::span<const std::pair<std::string, StoredRecord>> records) {
  EBLA_TRY(CheckInterval(interval, records));
  EBLA_TRY(TruncateRange(table, interval));
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  life_->disk.records.tables[table].insert(records.begin(), records.end());
  return {};
}

Result<std::vector<TabletStore::RangeSize>> SimulatedStore::EstimateSizes(TableId table,
                                                                          std::span<const KeyRange> ranges) {
  std::vector<RangeSize> sizes;
  for (const KeyRange& range : ranges) {
    RangeSize& size = sizes.emplace_back();
    RowSample sample;
    EBLA_TRY(Scan(table, {.range = range}, [&](std::string_view key, const StoredRecord& record) {
      if (!record.tombstone) ++size.records;
      const auto bytes = static_cast<int64_t>(key.size() + record.value.size());
      size.bytes += bytes;
      sample.Add(key, bytes);
      return true;
    }));
    size.sample = sample.Take();
    size.whole = true;
  }
  return sizes;
}

Status SimulatedStore::ForgetReplica(TabletId tablet) {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  EBLA_TRY(life_->disk.log->SyncStates());
  life_->disk.records.applied.erase(tablet);
  life_->disk.records.windows.erase(tablet);
  return life_->disk.log->Forget(tablet);
}

Result<std::vector<RecoveredReplica>> SimulatedStore::Recover() {
  const auto lock = life_->Lock();
  EBLA_TRY(life_->status());
  const SimulatedDisk::State& disk = life_->disk;
  disk.mutex.AssertHeld();  // by its other name
  EBLA_ASSIGN(std::vector<RecoveredReplica> replicas, disk.log->RecoverStates());
  for (RecoveredReplica& replica : replicas) {
    if (const auto found = disk.records.applied.find(replica.tablet); found != disk.records.applied.end()) {
      replica.applied = found->second;
    }
    if (const auto window = disk.records.windows.find(replica.tablet); window != disk.records.windows.end()) {
      for (const auto& [key, row] : window->second) replica.dedup_window.push_back(row);
    }
    EBLA_TRY(disk.log->RecoverBounds(replica));
  }
  return replicas;
}

void SimulatedStore::Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) {
  const auto lock = life_->Lock();
  life_->Later(Duration(0), [life = life_.get(), &executor, done = std::move(done)]() mutable {
    life->disk.mutex.AssertHeld();
    life->BeginCheckpoint(executor, std::move(done));
  });
}

int64_t SimulatedStore::LogBytesSinceCheckpoint() const {
  const auto lock = life_->Lock();
  return life_->log_bytes - life_->log_bytes_checkpoint;
}

TabletStore::Health SimulatedStore::health() const {
  const auto lock = life_->Lock();
  Health health;
  health.status = life_->status();
  health.writes_refused = life_->disk.full;
  health.disk_total_bytes = int64_t{1} << 30;
  health.disk_free_bytes = life_->disk.full ? 0 : health.disk_total_bytes;
  health.flushes = life_->disk.flushes;
  life_->disk.log->CountUnresolved(health);
  return health;
}

}  // namespace ebla::tabletserver
