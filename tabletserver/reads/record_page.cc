#include "tabletserver/reads/record_page.h"

#include <memory>

#include "common/base/crc32.h"
#include "common/base/encoding.h"

namespace ebla::tabletserver {
namespace {

// By what a record means rather than by its bytes on disk, whose format may differ between servers of two versions.
uint32_t Sum(std::string_view key, const StoredRecord& record, ByteWriter& scratch, uint32_t before) {
  scratch.Clear();
  scratch.Bytes(key).Bytes(record.value).Varint(record.version.epoch.value).Varint(record.version.lsn.value);
  scratch.Varint(record.expires_at.value).SignedVarint(record.write_time_ms).Bytes(record.writer);
  scratch.Byte(record.tombstone ? 1 : 0);
  return Crc32(scratch.view(), before);
}

}  // namespace

Result<RecordPage> ReadRecordPage(TabletStore& store, const TabletHandle& handle, const std::string& from) {
  // Held throughout: nothing of the replica is removed meanwhile (PROTOCOL 8).
  const std::shared_ptr<const TabletView> view = handle.view();
  if (view == nullptr || view->role == RoleKind::kAbsent)
    return Error(Code::kWrongTablet, "the replica is being removed");
  if (view->incomplete) return Error(Code::kComeAgain, "the replica is being copied");
  const KeyRange rest = KeyRange{from, {}}.Intersect(view->range);
  RecordPage page{.range = view->range, .epoch = view->epoch};
  ByteWriter scratch;
  const auto visit = [&](std::string_view key, const StoredRecord& record) {
    if (page.records == kPageRecords || page.bytes >= kPageBytes) {
      page.done = false;
      page.next = key;
      return false;
    }
    page.checksum = Sum(key, record, scratch, page.checksum);
    ++page.records;
    page.bytes += static_cast<int64_t>(key.size() + record.value.size());
    return true;
  };
  SnapshotPosition position{handle.tablet, {}};
  if (!rest.Empty()) EBLA_TRY(store.Scan(handle.table, {.range = rest, .read_once = true}, visit, &position));
  // A split or merge in between: the range that was read is not what the position speaks of.
  const std::shared_ptr<const TabletView> after = handle.view();
  if (after == nullptr || handle.part_of_another() || after->incomplete || !(after->range == view->range)) {
    return Error(Code::kComeAgain, "the replica has changed its range");
  }
  page.applied = position.applied;
  return page;
}

}  // namespace ebla::tabletserver
