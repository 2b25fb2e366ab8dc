#include "tabletserver/storage/tablet_store.h"

#include <algorithm>

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

bool TabletStore::Damage::Hits(TabletId tablet, TableId table) const {
  return std::ranges::find(tables, table) != tables.end() || std::ranges::find(logs, tablet) != logs.end();
}

}  // namespace ebla::tabletserver
