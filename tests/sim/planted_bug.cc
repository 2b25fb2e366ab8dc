#include "tests/sim/planted_bug.h"

#include <array>
#include <utility>

namespace ebla::sim {
namespace {

using namespace tabletserver;

constexpr std::array<std::pair<PlantedBug, std::string_view>, 5> kNames = {{
    {PlantedBug::kNone, "none"},
    {PlantedBug::kAckBeforeFlush, "ack_before_flush"},
    {PlantedBug::kForgetWindow, "forget_window"},
    {PlantedBug::kTornBatch, "torn_batch"},
    {PlantedBug::kStaleRead, "stale_read"},
}};

// Hands everything on, but for one lie.
class LyingStore final : public TabletStore {
 public:
  LyingStore(PlantedBug bug, std::unique_ptr<TabletStore> store) : bug_(bug), store_(std::move(store)) {}

  Status EnsureTable(TableId table, TableCompression compression) override {
    return store_->EnsureTable(table, compression);
  }
  Status DropTable(TableId table) override { return store_->DropTable(table); }
  Status Append(std::span<const AppendBatch> batches) override { return store_->Append(batches); }
  Status PutReplicaState(TabletId tablet, const ReplicaState& state) override {
    return store_->PutReplicaState(tablet, state);
  }

  void Flush(FlushMode mode, Executor& executor, std::move_only_function<void(Status)> done) override {
    if (bug_ != PlantedBug::kAckBeforeFlush) return store_->Flush(mode, executor, std::move(done));
    executor.Post([done = std::move(done)]() mutable { done(Status::Ok()); });
    store_->Flush(mode, executor, [](Status) {});
  }

  Result<std::vector<LogEntry>> ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) override {
    Result<std::vector<LogEntry>> entries = store_->ReadLog(tablet, from, last, bytes_max);
    if (bug_ == PlantedBug::kForgetWindow && entries.has_value()) {
      for (LogEntry& entry : *entries) entry.client = {};
    }
    return entries;
  }
  Status RemoveSuffix(TabletId tablet, Lsn from) override { return store_->RemoveSuffix(tablet, from); }
  Status TruncateLog(TabletId tablet, Lsn below) override { return store_->TruncateLog(tablet, below); }
  Status KeepUndone(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) override {
    return store_->KeepUndone(tablet, table, entries);
  }
  Result<std::vector<UndoneEntry>> ListUndone(TableId table, const UndonePlace& after, size_t entries_max) override {
    return store_->ListUndone(table, after, entries_max);
  }
  Status ForgetUndone(TabletId tablet, Version version) override { return store_->ForgetUndone(tablet, version); }

  Status Apply(std::span<const ApplyBatch> batches) override {
    if (bug_ == PlantedBug::kStaleRead) {
      for (const ApplyBatch& batch : batches) Remember(batch);
    }
    if (bug_ != PlantedBug::kTornBatch) return store_->Apply(batches);
    std::vector<ApplyBatch> torn(batches.begin(), batches.end());
    for (ApplyBatch& batch : torn) {
      std::vector<RecordChange>& records = batch.records;
      const bool one_entry = records.size() > 1 && records[records.size() - 2].version == records.back().version;
      if (one_entry && ++applied_ % 4 == 0) records.pop_back();
    }
    return store_->Apply(torn);
  }

  Result<std::optional<StoredRecord>> Get(TableId table, std::string_view key, SnapshotPosition* position) override {
    if (bug_ == PlantedBug::kStaleRead && ++reads_ % 8 == 0) {
      const auto before = before_.find({table, std::string(key)});
      if (before != before_.end()) {
        Result<std::optional<StoredRecord>> ignored = store_->Get(table, key, position);
        return before->second;
      }
    }
    return store_->Get(table, key, position);
  }

  Result<std::vector<std::optional<StoredRecord>>> MultiGet(TableId table, std::span<const std::string> keys,
                                                            size_t bytes_max, SnapshotPosition* position) override {
    return store_->MultiGet(table, keys, bytes_max, position);
  }
  Status Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position) override {
    return store_->Scan(table, bounds, visitor, position);
  }
  Status TruncateRange(TableId table, const KeyRange& range) override { return store_->TruncateRange(table, range); }
  Status ReplaceInterval(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records) override {
    return store_->ReplaceInterval(table, interval, records);
  }
  Result<RangeSize> EstimateSize(TableId table, const KeyRange& range) override {
    return store_->EstimateSize(table, range);
  }
  Status ForgetReplica(TabletId tablet) override { return store_->ForgetReplica(tablet); }

  Result<std::vector<RecoveredReplica>> Recover() override {
    Result<std::vector<RecoveredReplica>> replicas = store_->Recover();
    if (bug_ == PlantedBug::kForgetWindow && replicas.has_value()) {
      for (RecoveredReplica& replica : *replicas) replica.window.clear();
    }
    return replicas;
  }

  void Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) override {
    store_->Checkpoint(executor, std::move(done));
  }
  int64_t LogBytesSinceCheckpoint() const override { return store_->LogBytesSinceCheckpoint(); }
  Health health() const override { return store_->health(); }

 private:
  void Remember(const ApplyBatch& batch) {
    for (const RecordChange& change : batch.records) {
      Result<std::optional<StoredRecord>> now = store_->Get(batch.table, change.effect->key);
      if (now.has_value()) before_[{batch.table, change.effect->key}] = *std::move(now);
    }
  }

  const PlantedBug bug_;
  const std::unique_ptr<TabletStore> store_;
  uint64_t applied_ = 0;
  uint64_t reads_ = 0;
  std::map<std::pair<TableId, std::string>, std::optional<StoredRecord>> before_;
};

}  // namespace

std::optional<PlantedBug> ParsePlantedBug(std::string_view name) {
  for (const auto& [bug, known] : kNames) {
    if (known == name) return bug;
  }
  return std::nullopt;
}

std::string_view PlantedBugName(PlantedBug bug) {
  for (const auto& [known, name] : kNames) {
    if (known == bug) return name;
  }
  return "?";
}

std::unique_ptr<TabletStore> Plant(PlantedBug bug, std::unique_ptr<TabletStore> store) {
  if (bug == PlantedBug::kNone) return store;
  return std::make_unique<LyingStore>(bug, std::move(store));
}

}  // namespace ebla::sim
