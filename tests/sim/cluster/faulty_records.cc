#include "tests/sim/cluster/faulty_records.h"

namespace ebla::sim {

using namespace tabletserver;

Status FaultyRecords::Apply(std::span<const ApplyBatch> batches) {
  if (fault_ == StoreFault::kStaleRead) {
    for (const ApplyBatch& batch : batches) Remember(batch);
  }
  if (fault_ != StoreFault::kTornBatch) return FakeRecordStore::Apply(batches);
  std::vector<ApplyBatch> torn(batches.begin(), batches.end());
  for (ApplyBatch& batch : torn) {
    std::vector<RecordChange>& records = batch.records;
    const bool one_entry = records.size() > 1 && records[records.size() - 2].version == records.back().version;
    if (one_entry && ++applied_ % 4 == 0) records.pop_back();
  }
  return FakeRecordStore::Apply(torn);
}

void FaultyRecords::Remember(const ApplyBatch& batch) {
  for (const RecordChange& change : batch.records) {
    const std::string_view key = change.effect->key;
    auto now = FakeRecordStore::MultiGet(batch.table, {&key, 1}, SIZE_MAX, nullptr);
    if (now.has_value()) before_[{batch.table, std::string(key)}] = std::move(now->front());
  }
}

Result<std::vector<std::optional<StoredRecord>>> FaultyRecords::MultiGet(TableId table,
                                                                         std::span<const std::string_view> keys,
                                                                         size_t bytes_max, SnapshotPosition* position) {
  auto records = FakeRecordStore::MultiGet(table, keys, bytes_max, position);
  if (fault_ != StoreFault::kStaleRead || !records.has_value()) return records;
  for (size_t i = 0; i < records->size(); ++i) {
    if (++reads_ % 8 != 0) continue;
    const auto before = before_.find({table, std::string(keys[i])});
    if (before != before_.end()) (*records)[i] = before->second;
  }
  return records;
}

Result<RecordStore::TabletRows> FaultyRecords::Recover(TabletId tablet) {
  Result<TabletRows> rows = FakeRecordStore::Recover(tablet);
  if (fault_ == StoreFault::kForgetWindow && rows.has_value()) rows->dedup_window.clear();
  return rows;
}

}  // namespace ebla::sim
