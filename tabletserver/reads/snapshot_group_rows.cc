#include "tabletserver/reads/snapshot_group_rows.h"

#include <utility>

#include "tabletserver/reads/logged_reads.h"

namespace ebla::tabletserver {

Result<std::optional<FunctionRow>> SnapshotGroupRows::Get(std::string_view key) {
  EBLA_TRY(CheckInGroup(key, group_));
  Result<std::optional<StoredRecord>> found = snapshot_.view.Get(key);
  if (!found) {
    store_failure_ = found.error();
    return Error(store_failure_);
  }
  std::optional<StoredRecord>& record = *found;
  if (snapshot_.logged != nullptr) {
    if (const StoredRecord* newer = NewerThan(snapshot_.position, *snapshot_.logged, key)) record = *newer;
  }
  EBLA_TRY(room_.TakeRow(key.size() + (record ? record->value.size() : 0)));
  if (!record || !attempt_.Lives(key, *record)) return std::nullopt;
  return FunctionRow{.key = std::string(key),
                     .value = std::move(record->value),
                     .version = record->version,
                     .expires_ms = ExpiryOfRow(record->expires_at)};
}

Status SnapshotGroupRows::Visit(const RowScan& scan, const RecordStore::Visitor& show) {
  const ScanBounds bounds{.range = scan.keys.Intersect(group_), .reverse = scan.reverse};
  Status taken;
  const auto visit = [&](std::string_view key, const StoredRecord& record) {
    taken = room_.TakeRow(key.size() + (scan.keys_only ? 0 : record.value.size()));
    return taken.ok() && (!attempt_.Lives(key, record) || show(key, record));
  };
  Status scanned;
  if (snapshot_.logged != nullptr) {
    const auto of_view = [this](const ScanBounds& within, const RecordStore::Visitor& visitor) {
      return snapshot_.view.Scan(within, visitor);
    };
    scanned = ScanWith(of_view, bounds, *snapshot_.logged, snapshot_.position, visit);
  } else if (!bounds.range.Empty()) {
    scanned = snapshot_.view.Scan(bounds, visit);
  }
  if (!scanned.ok()) return store_failure_ = std::move(scanned);
  return taken;
}

Result<std::vector<FunctionRow>> SnapshotGroupRows::Scan(const RowScan& scan) {
  std::vector<FunctionRow> rows;
  if (scan.limit == 0) return rows;
  EBLA_TRY(Visit(scan, [&](std::string_view key, const StoredRecord& record) {
    rows.push_back({.key = std::string(key),
                    .value = scan.keys_only ? std::string() : record.value,
                    .version = record.version,
                    .expires_ms = ExpiryOfRow(record.expires_at)});
    return rows.size() < scan.limit;
  }));
  return rows;
}

Result<size_t> SnapshotGroupRows::Count(const KeyRange& keys) {
  size_t count = 0;
  EBLA_TRY(
      Visit({.keys = keys, .keys_only = true}, [&](std::string_view, const StoredRecord&) { return ++count > 0; }));
  return count;
}

}  // namespace ebla::tabletserver
