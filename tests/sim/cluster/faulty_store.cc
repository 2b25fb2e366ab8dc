#include "tests/sim/cluster/faulty_store.h"

#include <algorithm>
#include <utility>

namespace ebla::sim {
namespace {

using namespace tabletserver;

// Hands everything on, but for one fault.
class FaultyStore final : public TabletStore {
 public:
  FaultyStore(StoreFault store_fault, std::unique_ptr<TabletStore> store, StoreWatches watches, StateWatch& watch,
              ServerName server)
      : fault_(store_fault),
        store_(std::move(store)),
        watches_(std::move(watches)),
        watch_(watch),
        server_(std::move(server)) {}

  Status EnsureTable(TableId table, TableCompression compression) override {
    return store_->EnsureTable(table, compression);
  }
  Status DropTable(TableId table) override { return store_->DropTable(table); }
  void SetFlushInterval(TableId table, int64_t schema_version, Duration interval) override {
    store_->SetFlushInterval(table, schema_version, interval);
  }
  std::vector<TableId> Tables() const override { return store_->Tables(); }
  Result<bool> Compact(TableId table, Duration limit) override { return store_->Compact(table, limit); }
  Result<int64_t> FileBytes(TableId table) const override { return store_->FileBytes(table); }
  Status Append(std::span<const AppendBatch> batches) override {
    EBLA_TRY(store_->Append(batches));
    for (const AppendBatch& batch : batches) watch_.Appended(server_, batch);
    return Status::Ok();
  }
  Status PutReplicaState(TabletId tablet, const ReplicaState& state) override {
    watch_.Becomes(server_, tablet, state);
    return store_->PutReplicaState(tablet, state);
  }

  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) override {
    if (fault_ != StoreFault::kAckBeforeFlush) return store_->Flush(mode, executor, std::move(done));
    executor.Post([done = std::move(done)]() mutable { done(Status::Ok()); });
    store_->Flush(mode, executor, [](Status) {});
  }
  std::optional<Status> FlushAtOnce() override {
    return fault_ == StoreFault::kAckBeforeFlush ? std::nullopt : store_->FlushAtOnce();
  }

  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) override {
    Result<std::vector<LogEntry>> entries = store_->ReadLog(tablet, from, last, bytes_max);
    if (fault_ == StoreFault::kForgetWindow && entries.has_value()) {
      for (LogEntry& entry : *entries) entry.client = {};
    }
    return entries;
  }
  Lsn FirstLogged(TabletId tablet) const override { return store_->FirstLogged(tablet); }
  Status RemoveSuffix(TabletId tablet, Lsn from) override {
    watch_.Removed(server_, tablet, from);
    return store_->RemoveSuffix(tablet, from);
  }
  Status TruncateLog(TabletId tablet, Lsn from, Lsn below) override {
    watch_.Truncated(server_, tablet, below);
    return store_->TruncateLog(tablet, from, below);
  }
  Status PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) override {
    EBLA_TRY(store_->PutUnresolved(tablet, table, entries));
    for (const LogEntry* entry : entries) watches_.kept(tablet, table, *entry);
    return Status::Ok();
  }
  Result<std::vector<UnresolvedLogEntry>> ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                         size_t entries_max, size_t bytes_max) override {
    return store_->ListUnresolved(table, after, entries_max, bytes_max);
  }
  Status DiscardUnresolved(TabletId tablet, Version version) override {
    return store_->DiscardUnresolved(tablet, version);
  }

  Status Apply(std::span<const ApplyBatch> batches) override {
    EBLA_TRY(ApplyTruly(batches));
    for (const ApplyBatch& batch : batches) {
      watch_.Applied(server_, batch);
      const auto& split = batch.state.last_split;
      if (split && split->version == batch.state.applied) LookAtChild(*split, batches);
    }
    return Status::Ok();
  }

  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position) override {
    const std::pair<TableId, std::string_view> before_this = std::exchange(reading_, std::pair(table, key));
    watches_.read(key);
    reading_ = before_this;
    if (fault_ == StoreFault::kStaleRead && ++reads_ % 8 == 0) {
      const auto before = before_.find({table, std::string(key)});
      if (before != before_.end()) {
        Result<std::optional<StoredRecord>> ignored = store_->Get(table, key, position);
        return before->second;
      }
    }
    return store_->Get(table, key, position);
  }

  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string_view> keys,
                                                            size_t bytes_max, SnapshotPosition* position) override {
    if (keys.empty()) return store_->MultiGet(table, keys, bytes_max, position);
    // One by one: each may be watched, and be stale. Nothing else happens meanwhile, so it is one snapshot.
    std::vector<std::optional<StoredRecord>> records;
    size_t bytes = 0;
    for (const std::string_view key : keys) {
      EBLA_ASSIGN(std::optional<StoredRecord> record, Get(table, key, position));
      if (record) bytes += record->value.size();
      if (bytes > bytes_max && !records.empty()) break;
      records.push_back(std::move(record));
    }
    return records;
  }
  Status Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position) override {
    return store_->Scan(table, bounds, visitor, position);
  }
  Status TruncateRange(TableId table, const KeyRange& range) override {
    watch_.Forget(server_);  // a copy may begin
    if (!reading_.second.empty() && reading_.first == table && range.Contains(reading_.second)) {
      watch_.Discards(server_, reading_.second);
    }
    return store_->TruncateRange(table, range);
  }
  Status ReplaceInterval(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records) override {
    return store_->ReplaceInterval(table, interval, records);
  }
  Result<std::vector<RangeSize>> EstimateSizes(TableId table, std::span<const KeyRange> ranges) override {
    return store_->EstimateSizes(table, ranges);
  }
  Status ForgetReplica(TabletId tablet) override {
    watch_.Forgets(server_, tablet);
    EBLA_TRY(store_->ForgetReplica(tablet));
    watches_.forgotten(tablet);
    return Status::Ok();
  }

  Result<std::vector<RecoveredReplica>> Recover() override {
    Result<std::vector<RecoveredReplica>> replicas = store_->Recover();
    if (replicas.has_value()) watch_.Recovers(server_, *replicas);
    if (fault_ == StoreFault::kForgetWindow && replicas.has_value()) {
      for (RecoveredReplica& replica : *replicas) replica.dedup_window.clear();
    }
    return replicas;
  }

  void Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) override {
    store_->Checkpoint(executor, std::move(done));
  }
  int64_t LogBytesSinceCheckpoint() const override { return store_->LogBytesSinceCheckpoint(); }
  Health health() const override { return store_->health(); }
  MemoryTables* memory_tables() const override { return store_->memory_tables(); }

 private:
  // Of a SPLIT that is applied in these batches. A copy of the child that is being filled may be among them, too: it
  // shows what is newer than its place, and is left to itself.
  void LookAtChild(const AppliedSplit& split, std::span<const ApplyBatch> batches) {
    const auto child_batch = std::ranges::find(batches, split.child, &ApplyBatch::tablet);
    if (child_batch == batches.end() || child_batch->state.applied != split.version) return;
    Version newest;
    const auto visit = [&newest](std::string_view, const StoredRecord& record) {
      if (record.version.lsn > newest.lsn) newest = record.version;
      return true;
    };
    const Status read = store_->Scan(child_batch->table, {child_batch->state.range}, visit, nullptr);
    if (read.ok()) watch_.ChildCreated(split.child, child_batch->state.applied, newest, server_);
  }

  Status ApplyTruly(std::span<const ApplyBatch> batches) {
    if (fault_ == StoreFault::kStaleRead) {
      for (const ApplyBatch& batch : batches) Remember(batch);
    }
    if (fault_ != StoreFault::kTornBatch) return store_->Apply(batches);
    std::vector<ApplyBatch> torn(batches.begin(), batches.end());
    for (ApplyBatch& batch : torn) {
      std::vector<RecordChange>& records = batch.records;
      const bool one_entry = records.size() > 1 && records[records.size() - 2].version == records.back().version;
      if (one_entry && ++applied_ % 4 == 0) records.pop_back();
    }
    return store_->Apply(torn);
  }

  void Remember(const ApplyBatch& batch) {
    for (const RecordChange& change : batch.records) {
      Result<std::optional<StoredRecord>> now = store_->Get(batch.table, change.effect->key);
      if (now.has_value()) before_[{batch.table, change.effect->key}] = *std::move(now);
    }
  }

  const StoreFault fault_;
  const std::unique_ptr<TabletStore> store_;
  const StoreWatches watches_;
  StateWatch& watch_;
  const ServerName server_;
  std::pair<TableId, std::string_view> reading_;  // what is being read; no key: nothing is
  uint64_t applied_ = 0;
  uint64_t reads_ = 0;
  std::map<std::pair<TableId, std::string>, std::optional<StoredRecord>> before_;
};

}  // namespace

std::unique_ptr<TabletStore> MakeFaultyStore(StoreFault store_fault, std::unique_ptr<TabletStore> store,
                                             StoreWatches watches, StateWatch& watch, ServerName server) {
  return std::make_unique<FaultyStore>(store_fault, std::move(store), std::move(watches), watch, std::move(server));
}

}  // namespace ebla::sim
