#include "tabletserver/storage/testing/fake_record_store.h"

#include <glog/logging.h>

#include <iterator>
#include <utility>

namespace ebla::tabletserver {

Result<FakeRecordStore::Rows*> FakeRecordStore::RowsOf(TableId table) {
  EBLA_TRY(disk_.dead_);
  if (!disk_.tables_.contains(table)) {
    return Error(Code::kNoSuchTable, "no table with id " + std::to_string(table.value) + " on this server");
  }
  return &disk_.records_.tables[table];
}

Status FakeRecordStore::MayChange() const {
  EBLA_TRY(disk_.dead_);
  return disk_.records_fail_;
}

Status FakeRecordStore::EnsureTable(TableId table, TableCompression) {
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(MayChange());
  disk_.tables_.insert(table);
  return {};
}

Status FakeRecordStore::DropTable(TableId table) {
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(MayChange());
  if (disk_.begun_) return Error(Code::kComeAgain, "a checkpoint holds the table");
  disk_.tables_.erase(table);
  disk_.records_.tables.erase(table);
  disk_.checkpoint_.tables.erase(table);
  return {};
}

std::vector<TableId> FakeRecordStore::Tables() const {
  MutexLock lock(disk_.mutex_);
  return {disk_.tables_.begin(), disk_.tables_.end()};
}

// ---- records ---------------------------------------------------------------------------------------------------------

Status FakeRecordStore::Apply(std::span<const ApplyBatch> batches) {
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(MayChange());
  if (disk_.refuse_to_apply_) return Error(Code::kOverloaded, "nothing can be applied for now");
  for (const ApplyBatch& batch : batches) {
    if (batch.records.empty()) continue;
    EBLA_ASSIGN([[maybe_unused]] const Rows* const rows, RowsOf(batch.table));
  }
  SimulatedDisk::RecordsImage& image = disk_.records_;
  for (const ApplyBatch& batch : batches) {
    if (batch.forget) {
      image.windows.erase(batch.tablet);
      image.applied.erase(batch.tablet);
      continue;
    }
    for (const RecordChange& change : batch.records) {
      const Effect& effect = *change.effect;
      if (effect.is_delete && !effect.timed()) {
        image.tables[batch.table].erase(effect.key);
      } else {
        image.tables[batch.table][effect.key] = {effect.value,         change.version, effect.expires_at,
                                                 effect.write_time_ms, effect.writer,  effect.is_delete};
      }
    }
    auto& dedup_window = image.windows[batch.tablet];
    for (const auto& row : batch.dedup_window.erase) dedup_window.erase(row);
    for (const DedupRow& row : batch.dedup_window.put) dedup_window[{row.client, row.sequence}] = row;
    auto& [table, state] = image.applied[batch.tablet];
    CHECK(state.applied <= batch.state.applied)
        << "tablet " << batch.tablet << " applies backwards: " << batch.state.applied << " after " << state.applied;
    table = batch.table;
    state = batch.state;
  }
  for (const ApplyBatch& batch : batches) {
    if (!batch.forget) CheckRanges(batch.tablet);
  }
  return {};
}

// PROTOCOL 10: in one table, no range of two living replicas overlaps.
void FakeRecordStore::CheckRanges(TabletId changed) const {
  if (!disk_.present_.contains(changed)) return;
  const auto& [table, state] = disk_.records_.applied.at(changed);
  for (const auto& [tablet, other] : disk_.records_.applied) {
    if (tablet == changed || other.table != table || !disk_.present_.contains(tablet)) continue;
    CHECK(!state.range.Overlaps(other.state.range))
        << "tablets " << changed << " and " << tablet << " overlap: " << state.range << " and " << other.state.range;
  }
}

Result<std::optional<StoredRecord>> FakeRecordStore::Get(TableId table, std::string_view key,
                                                         SnapshotPosition* position) {
  EBLA_ASSIGN(auto records, MultiGet(table, {&key, 1}, SIZE_MAX, position));
  return std::move(records.front());
}

Result<std::vector<std::optional<StoredRecord>>> FakeRecordStore::MultiGet(TableId table,
                                                                           std::span<const std::string_view> keys,
                                                                           size_t bytes_max,
                                                                           SnapshotPosition* position) {
  MutexLock lock(disk_.mutex_);
  EBLA_ASSIGN(const Rows* const rows, RowsOf(table));
  pages_read_ += pages_lacked_;
  std::vector<std::optional<StoredRecord>> records;
  size_t bytes = 0;
  for (const std::string_view key : keys) {
    const auto found = rows->find(std::string(key));
    if (found != rows->end()) bytes += found->second.value.size();
    if (bytes > bytes_max && !records.empty()) break;
    records.push_back(found == rows->end() ? std::nullopt : std::optional(found->second));
  }
  SetPosition(position);
  return records;
}

void FakeRecordStore::SetPosition(SnapshotPosition* position) const {
  if (position == nullptr) return;
  const auto applied = disk_.records_.applied.find(position->tablet);
  position->applied = applied == disk_.records_.applied.end() ? Lsn{} : applied->second.state.applied.lsn;
}

// The disk's mutex is held while there is one.
class FakeRecordStore::MapView final : public View {
 public:
  MapView(FakeRecordStore& store, const Rows& rows) : store_(store), rows_(rows) {}

  Result<std::optional<StoredRecord>> Get(std::string_view key) override {
    store_.pages_read_ += store_.pages_lacked_;
    const auto found = rows_.find(std::string(key));
    return found == rows_.end() ? std::nullopt : std::optional(found->second);
  }
  Status Scan(const ScanBounds& bounds, const Visitor& visitor) override {
    if (bounds.range.Empty()) return {};
    const auto first = rows_.lower_bound(bounds.range.start);
    const auto end = bounds.range.end.empty() ? rows_.end() : rows_.lower_bound(bounds.range.end);
    if (bounds.reverse) {
      for (auto at = end; at != first && visitor(std::prev(at)->first, std::prev(at)->second);) --at;
    } else {
      for (auto at = first; at != end && visitor(at->first, at->second);) ++at;
    }
    return {};
  }

 private:
  FakeRecordStore& store_;
  const Rows& rows_;
};

Status FakeRecordStore::Read(TableId table, SnapshotPosition* position, const ViewBody& body) {
  MutexLock lock(disk_.mutex_);
  EBLA_ASSIGN(const Rows* const rows, RowsOf(table));
  SetPosition(position);
  MapView view(*this, *rows);
  return body(view);
}

Status FakeRecordStore::ReplaceInterval(TableId table, const KeyRange& interval,
                                        std::span<const std::pair<std::string, StoredRecord>> records) {
  EBLA_TRY(CheckInterval(interval, records));
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(MayChange());
  EBLA_ASSIGN(Rows* const rows, RowsOf(table));
  rows->erase(rows->lower_bound(interval.start), interval.end.empty() ? rows->end() : rows->lower_bound(interval.end));
  rows->insert(records.begin(), records.end());
  return {};
}

Result<std::vector<RecordStore::RangeSize>> FakeRecordStore::EstimateSizes(TableId table,
                                                                           std::span<const KeyRange> ranges) {
  std::vector<RangeSize> sizes;
  for (const KeyRange& range : ranges) {
    RangeSize& size = sizes.emplace_back();
    RowSample sample;
    const auto visit = [&](std::string_view key, const StoredRecord& record) {
      if (!record.tombstone) ++size.records;
      const auto bytes = static_cast<int64_t>(key.size() + record.value.size());
      size.bytes += bytes;
      sample.Add(key, bytes);
      return true;
    };
    EBLA_TRY(Scan(table, {.range = range}, visit, nullptr));
    size.sample = sample.Take();
    size.whole = true;
  }
  return sizes;
}

// ---- replicas, checkpoints, health -------------------------------------------------------------------------------------

Result<RecordStore::TabletRows> FakeRecordStore::Recover(TabletId tablet) {
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(disk_.dead_);
  TabletRows rows;
  if (const auto found = disk_.records_.applied.find(tablet); found != disk_.records_.applied.end()) {
    rows.applied = found->second.state;
  }
  if (const auto window = disk_.records_.windows.find(tablet); window != disk_.records_.windows.end()) {
    for (const auto& [key, row] : window->second) rows.dedup_window.push_back(row);
  }
  return rows;
}

Result<std::vector<TabletId>> FakeRecordStore::Tablets() {
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(disk_.dead_);
  std::vector<TabletId> tablets;
  for (const auto& [tablet, applied] : disk_.records_.applied) tablets.push_back(tablet);
  return tablets;
}

Status FakeRecordStore::Forget(TabletId tablet) {
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(MayChange());
  disk_.records_.applied.erase(tablet);
  disk_.records_.windows.erase(tablet);
  return {};
}

Status FakeRecordStore::Checkpoint() {
  EBLA_TRY(BeginCheckpoint());
  return EndCheckpoint();
}

Status FakeRecordStore::BeginCheckpoint() {
  MutexLock lock(disk_.mutex_);
  EBLA_TRY(MayChange());
  CHECK(!disk_.begun_) << "one checkpoint at a time";
  disk_.begun_ = disk_.records_;
  return {};
}

Status FakeRecordStore::EndCheckpoint() {
  MutexLock lock(disk_.mutex_);
  auto begun = std::exchange(disk_.begun_, std::nullopt);
  EBLA_TRY(MayChange());
  CHECK(begun) << "no checkpoint was begun";
  disk_.checkpoint_ = *std::move(begun);
  ++disk_.checkpoints_;
  return {};
}

RecordStore::Figures FakeRecordStore::figures() const {
  MutexLock lock(disk_.mutex_);
  constexpr int64_t kBytes = int64_t{1} << 30;
  return {.room = disk_.full_ ? DiskRoom::kDeletes : DiskRoom::kAll,
          .disk_free_bytes = disk_.full_ ? 0 : kBytes,
          .disk_total_bytes = kBytes};
}

}  // namespace ebla::tabletserver
