#include "tabletserver/storage/in_memory/routed_store.h"

#include <algorithm>
#include <utility>

namespace ebla::tabletserver {

TableId RoutedStore::MemoryTableOf(TabletId tablet) const {
  const ReaderLock lock(mutex_);
  const auto found = tables_.find(tablet);
  return found != tables_.end() && ram_.Has(found->second) ? found->second : TableId{};
}

// ---- tables ---------------------------------------------------------------------------------------------------------

Status RoutedStore::EnsureTable(TableId table, TableCompression compression) {
  return disk_.EnsureTable(table, compression);
}

Status RoutedStore::DropTable(TableId table) {
  if (!ram_.Has(table)) return disk_.DropTable(table);
  ram_.DropTable(table);
  return {};
}

void RoutedStore::SetFlushInterval(TableId table, int64_t schema_version, Duration interval) {
  disk_.SetFlushInterval(table, schema_version, interval);
}

std::vector<TableId> RoutedStore::Tables() const {
  std::vector<TableId> tables = disk_.Tables();
  std::ranges::copy(ram_.Tables(), std::back_inserter(tables));
  std::ranges::sort(tables);
  return tables;
}

Result<bool> RoutedStore::Compact(TableId table, Duration limit) {
  if (ram_.Has(table)) return true;
  return disk_.Compact(table, limit);
}

Result<int64_t> RoutedStore::FileBytes(TableId table) const {
  if (ram_.Has(table)) return 0;
  return disk_.FileBytes(table);
}

// ---- log ------------------------------------------------------------------------------------------------------------

Status RoutedStore::Append(std::span<const AppendBatch> batches) {
  std::vector<std::pair<const AppendBatch*, TableId>> to_memory;
  std::vector<AppendBatch> to_disk;
  for (const AppendBatch& batch : batches) {
    if (const TableId table = MemoryTableOf(batch.tablet)) {
      to_memory.emplace_back(&batch, table);
    } else {
      to_disk.push_back(batch);
    }
  }
  // The disk first: it may refuse, and then nothing has changed.
  if (to_memory.empty()) return disk_.Append(batches);
  if (!to_disk.empty()) {
    EBLA_TRY(disk_.Append(to_disk));
  } else {
    EBLA_TRY(disk_.health().status);
  }
  for (const auto& [batch, table] : to_memory) ram_.Append(table, *batch);
  return {};
}

Status RoutedStore::PutReplicaState(TabletId tablet, const ReplicaState& state) {
  EBLA_TRY(disk_.PutReplicaState(tablet, state));
  if (!state.table) return {};
  const WriterLock lock(mutex_);
  tables_[tablet] = state.table;
  return {};
}

Result<std::vector<LogEntry>> RoutedStore::ReadLog(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  return MemoryTableOf(tablet) ? ram_.ReadLog(tablet, from, last, bytes_max)
                               : disk_.ReadLog(tablet, from, last, bytes_max);
}

Lsn RoutedStore::FirstLogged(TabletId tablet) const {
  return MemoryTableOf(tablet) ? ram_.FirstLogged(tablet) : disk_.FirstLogged(tablet);
}

Status RoutedStore::RemoveSuffix(TabletId tablet, Lsn from) {
  if (!MemoryTableOf(tablet)) return disk_.RemoveSuffix(tablet, from);
  ram_.RemoveSuffix(tablet, from);
  return {};
}

Status RoutedStore::TruncateLog(TabletId tablet, Lsn from, Lsn below) {
  if (!MemoryTableOf(tablet)) return disk_.TruncateLog(tablet, from, below);
  ram_.TruncateLog(tablet, below);
  return {};
}

Status RoutedStore::PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  return disk_.PutUnresolved(tablet, table, entries);
}

Result<std::vector<UnresolvedLogEntry>> RoutedStore::ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                    size_t entries_max, size_t bytes_max) {
  return disk_.ListUnresolved(table, after, entries_max, bytes_max);
}

Status RoutedStore::DiscardUnresolved(TabletId tablet, Version version) {
  return disk_.DiscardUnresolved(tablet, version);
}

// ---- records --------------------------------------------------------------------------------------------------------

// One call may be for tablets of several tables; a transaction that spans tablets (a split, a merge) is of one.
Status RoutedStore::Apply(std::span<const ApplyBatch> batches) {
  if (batches.empty()) return {};
  const TableId first = batches.front().table;
  if (std::ranges::all_of(batches, [first](const ApplyBatch& batch) { return batch.table == first; })) {
    if (!ram_.Has(first)) return disk_.Apply(batches);
    EBLA_TRY(disk_.health().status);
    return ram_.Apply(first, batches);
  }
  std::map<TableId, std::vector<ApplyBatch>> to_memory;
  std::vector<ApplyBatch> to_disk;
  for (const ApplyBatch& batch : batches) {
    if (ram_.Has(batch.table)) to_memory[batch.table].push_back(batch);
  }
  for (const ApplyBatch& batch : batches) {
    if (!to_memory.contains(batch.table)) to_disk.push_back(batch);
  }
  if (!to_disk.empty()) {
    EBLA_TRY(disk_.Apply(to_disk));
  } else {
    EBLA_TRY(disk_.health().status);
  }
  for (const auto& [table, changes] : to_memory) EBLA_TRY(ram_.Apply(table, changes));
  return {};
}

Result<std::optional<StoredRecord>> RoutedStore::Get(TableId table, std::string_view key, SnapshotPosition* position) {
  return ram_.Has(table) ? ram_.Get(table, key, position) : disk_.Get(table, key, position);
}

Result<std::vector<std::optional<StoredRecord>>> RoutedStore::MultiGet(TableId table,
                                                                       std::span<const std::string_view> keys,
                                                                       size_t bytes_max, SnapshotPosition* position) {
  return ram_.Has(table) ? ram_.MultiGet(table, keys, bytes_max, position)
                         : disk_.MultiGet(table, keys, bytes_max, position);
}

Status RoutedStore::Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position) {
  return ram_.Has(table) ? ram_.Scan(table, bounds, visitor, position) : disk_.Scan(table, bounds, visitor, position);
}

Status RoutedStore::TruncateRange(TableId table, const KeyRange& range) {
  return ram_.Has(table) ? ram_.TruncateRange(table, range) : disk_.TruncateRange(table, range);
}

Status RoutedStore::ReplaceInterval(TableId table, const KeyRange& interval,
                                    std::span<const std::pair<std::string, StoredRecord>> records) {
  return ram_.Has(table) ? ram_.ReplaceInterval(table, interval, records)
                         : disk_.ReplaceInterval(table, interval, records);
}

Result<std::vector<TabletStore::RangeSize>> RoutedStore::EstimateSizes(TableId table,
                                                                       std::span<const KeyRange> ranges) {
  return ram_.Has(table) ? ram_.EstimateSizes(table, ranges) : disk_.EstimateSizes(table, ranges);
}

// ---- replicas -------------------------------------------------------------------------------------------------------

Status RoutedStore::ForgetReplica(TabletId tablet) {
  const TableId table = MemoryTableOf(tablet);
  if (!table) return disk_.ForgetReplica(tablet);
  ram_.Forget(tablet, table);
  return {};
}

Result<std::vector<RecoveredReplica>> RoutedStore::Recover() {
  EBLA_ASSIGN(std::vector<RecoveredReplica> replicas, disk_.Recover());
  const WriterLock lock(mutex_);
  for (const RecoveredReplica& replica : replicas) {
    if (replica.state.table) tables_[replica.tablet] = replica.state.table;
  }
  return replicas;
}

void RoutedStore::Checkpoint(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done) {
  disk_.Checkpoint(executor, [applied = ram_.Applied(), done = std::move(done)](auto result) mutable {
    if (result) result->merge(applied);
    done(std::move(result));
  });
}

}  // namespace ebla::tabletserver
