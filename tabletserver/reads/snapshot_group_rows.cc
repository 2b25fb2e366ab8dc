#include "tabletserver/reads/snapshot_group_rows.h"

#include <optional>

#include "tabletserver/reads/logged_reads.h"

namespace ebla::tabletserver {

Status SnapshotGroupRows::Look(std::string_view key, const Visitor& visitor) {
  EBLA_ASSIGN(const std::optional<StoredRecord> found, snapshot_.view.Get(key));
  const StoredRecord* const newer =
      snapshot_.logged == nullptr ? nullptr : NewerThan(snapshot_.position, *snapshot_.logged, key);
  if (newer != nullptr || found) Show(key, newer != nullptr ? *newer : *found, visitor);
  return Status::Ok();
}

Status SnapshotGroupRows::Walk(const ScanBounds& bounds, const Visitor& visitor) {
  const auto show = [&](std::string_view key, const StoredRecord& record) { return Show(key, record, visitor); };
  const auto scan = [this](const ScanBounds& within, const RecordStore::Visitor& each) {
    return snapshot_.view.Scan(within, each);
  };
  if (snapshot_.logged != nullptr) return ScanWith(scan, bounds, *snapshot_.logged, snapshot_.position, show);
  return bounds.range.Empty() ? Status::Ok() : scan(bounds, show);
}

}  // namespace ebla::tabletserver
