#include "tabletserver/storage/records/record_store.h"

namespace ebla::tabletserver {

Status CheckInterval(const KeyRange& interval, std::span<const std::pair<std::string, StoredRecord>> records) {
  if (interval.Empty()) return Error(Code::kInvalidArgument, "the interval to be replaced is empty");
  const std::string* previous = nullptr;
  for (const auto& [key, record] : records) {
    if (!interval.Contains(key)) return Error(Code::kInvalidArgument, "a record lies outside the interval");
    if (previous != nullptr && *previous >= key) return Error(Code::kInvalidArgument, "the records are out of order");
    previous = &key;
  }
  return {};
}

Status RecordStore::Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position) {
  bool shown = false;  // then there is no second attempt: its snapshot would be another
  Status end;
  EBLA_TRY(Read(table, position, [&](View& view) {
    Status read = view.Scan(bounds, [&](std::string_view key, const StoredRecord& record) {
      shown = true;
      return visitor(key, record);
    });
    if (shown) end = std::exchange(read, Status());
    return read;
  }));
  return end;
}

}  // namespace ebla::tabletserver
