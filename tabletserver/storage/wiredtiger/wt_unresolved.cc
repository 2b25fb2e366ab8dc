#include "tabletserver/storage/wiredtiger/wt_unresolved.h"

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

Status WtUnresolved::Put(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  int64_t rows = 0, bytes = 0;
  const int error = RunTransaction(*session, [&]() -> int {
    rows = bytes = 0;
    WtCursor pending(*session, SystemTable::kPending);
    if (const int error = pending.error()) return error;
    for (const LogEntry* entry : entries) {
      const std::string key = UnresolvedKey(tablet, entry->version);
      const int found = pending.Search(key);
      if (found == 0) continue;
      if (found != WT_NOTFOUND) return found;
      const std::string row = EncodeUnresolved(table, *entry);
      if (const int error = pending.Insert(key, row)) return error;
      ++rows;
      bytes += static_cast<int64_t>(row.size());
    }
    return 0;
  });
  EBLA_TRY(sessions_.Check(error, "storing unresolved writes"));
  CountOf(tablet).Add(rows, bytes);
  reserve_.NoteWritten(bytes);
  return {};
}

Result<std::vector<UnresolvedLogEntry>> WtUnresolved::List(TableId table, const UnresolvedPosition& after,
                                                           size_t entries_max, size_t bytes_max) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::vector<UnresolvedLogEntry> listed;
  Status damage;
  const std::string past = UnresolvedKey(after.tablet, after.version);
  const int error = RunRead([&]() -> int {
    listed.clear();
    size_t bytes = 0;
    WtCursor pending(*session, SystemTable::kPending);
    if (const int error = pending.error()) return error;
    int error = pending.SeekAtOrAfter(past);
    for (; error == 0 && listed.size() < entries_max && bytes <= bytes_max; error = pending.Next()) {
      std::string_view key, row;
      if (const int error = pending.GetKey(&key)) return error;
      if (key == past) continue;
      if (const int error = pending.GetValue(&row)) return error;
      const Result<UnresolvedPosition> place = ParseUnresolvedKey(key);
      Result<UnresolvedLogEntry> unresolved =
          place ? DecodeUnresolved(place->tablet, row) : std::unexpected(place.error());
      if (!unresolved) {
        damage = unresolved.error();
        return 0;
      }
      if (table && unresolved->table != table) continue;
      bytes += unresolved->entry.ApproximateBytes();
      listed.push_back(*std::move(unresolved));
    }
    return error == WT_NOTFOUND ? 0 : error;
  });
  EBLA_TRY(sessions_.Check(error, "listing unresolved writes"));
  EBLA_TRY(damage);
  return listed;
}

Status WtUnresolved::Discard(TabletId tablet, Version version) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  int64_t rows = 0, bytes = 0;
  const int error = RunTransaction(*session, [&]() -> int {
    rows = bytes = 0;
    WtCursor pending(*session, SystemTable::kPending);
    if (const int error = pending.error()) return error;
    int error = pending.Search(UnresolvedKey(tablet, version));
    if (error == WT_NOTFOUND) return 0;
    std::string_view row;
    if (error == 0) error = pending.GetValue(&row);
    if (error != 0) return error;
    rows = 1;
    bytes = static_cast<int64_t>(row.size());
    return pending.RemoveHere();
  });
  EBLA_TRY(sessions_.Check(error, "forgetting unresolved writes"));
  CountOf(tablet).Add(-rows, -bytes);
  return {};
}

Status WtUnresolved::Open() {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  WtCursor pending(*session, SystemTable::kPending);
  EBLA_TRY(sessions_.Check(pending.error(), "opening a cursor"));
  int error = pending.Next();
  for (; error == 0; error = pending.Next()) {
    std::string_view key, row;
    EBLA_TRY(sessions_.Check(pending.GetRow(&key, &row), "counting unresolved writes"));
    EBLA_ASSIGN(const UnresolvedPosition place, ParseUnresolvedKey(key));
    CountOf(place.tablet).Add(1, static_cast<int64_t>(row.size()));
  }
  return error == WT_NOTFOUND ? Status() : sessions_.Check(error, "counting unresolved writes");
}

}  // namespace ebla::tabletserver
