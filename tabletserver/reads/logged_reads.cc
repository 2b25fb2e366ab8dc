#include "tabletserver/reads/logged_reads.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace ebla::tabletserver {

const StoredRecord* NewerThan(const SnapshotPosition& position, const LoggedSlice& logged, std::string_view key) {
  const auto found = logged.records.find(key);
  return found != logged.records.end() && found->second.version.lsn > position.applied ? &found->second : nullptr;
}

Status ScanWith(TabletStore& store, TableId table, const ScanBounds& bounds, const LoggedSlice& logged,
                SnapshotPosition& position, const TabletStore::Visitor& visit) {
  std::vector<std::pair<std::string_view, const StoredRecord*>> rest;  // the next one last
  for (const auto& [key, record] : logged.records) {
    if (bounds.range.Contains(key)) rest.emplace_back(key, &record);
  }
  if (!bounds.reverse) std::reverse(rest.begin(), rest.end());
  bool more = true;
  const auto show = [&](std::string_view key, const StoredRecord& record) { return more = visit(key, record); };
  // Shows the records before `key`, or all remaining ones without a key.
  const auto show_before = [&](const std::string_view* key) {
    while (more && !rest.empty()) {
      const auto [next, record] = rest.back();
      if (key != nullptr && (bounds.reverse ? next <= *key : next >= *key)) return;
      rest.pop_back();
      if (record->version.lsn > position.applied) show(next, *record);
    }
  };
  if (bounds.range.Empty()) return Status::Ok();
  EBLA_TRY(store.Scan(
      table, bounds,
      [&](std::string_view key, const StoredRecord& record) {
        show_before(&key);
        if (!more) return false;
        const StoredRecord* newer = NewerThan(position, logged, key);
        if (!rest.empty() && rest.back().first == key) rest.pop_back();
        return show(key, newer == nullptr ? record : *newer);
      },
      &position));
  show_before(nullptr);
  return Status::Ok();
}

}  // namespace ebla::tabletserver
