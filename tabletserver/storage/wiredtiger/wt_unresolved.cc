// What WtStore keeps of unresolved PRIMARY writes and of ANY writes (PROTOCOL 22): rows of `pending`, which WiredTiger
// logs, so that their order with the removal of the log's suffix is that of the calls.
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_parts.h"

namespace ebla::tabletserver {

Status WtStore::PutUnresolved(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  int64_t rows = 0, bytes = 0;
  const int error = RunTransaction(*session, [&]() -> int {
    rows = bytes = 0;
    WT_CURSOR* raw = nullptr;
    if (const int error = session->Cursor(SystemTable::kPending, &raw)) return error;
    WtCursor pending(raw);
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
  EBLA_TRY(parts_->connection->Check(error, "keeping unresolved writes"));
  parts_->UnresolvedOf(tablet).Add(rows, bytes);
  parts_->log_bytes.fetch_add(bytes, std::memory_order_relaxed);
  parts_->reserve.NoteWritten(bytes);
  return {};
}

Result<std::vector<UnresolvedLogEntry>> WtStore::ListUnresolved(TableId table, const UnresolvedPosition& after,
                                                                size_t entries_max, size_t bytes_max) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  std::vector<UnresolvedLogEntry> listed;
  Status damage;
  const std::string past = UnresolvedKey(after.tablet, after.version);
  const int error = RunRead([&]() -> int {
    listed.clear();
    size_t bytes = 0;
    WT_CURSOR* raw = nullptr;
    if (const int error = session->Cursor(SystemTable::kPending, &raw)) return error;
    WtCursor pending(raw);
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
  EBLA_TRY(parts_->connection->Check(error, "listing unresolved writes"));
  EBLA_TRY(damage);
  return listed;
}

Status WtStore::DiscardUnresolved(TabletId tablet, Version version) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  int64_t rows = 0, bytes = 0;
  const int error = RunTransaction(*session, [&]() -> int {
    rows = bytes = 0;
    WT_CURSOR* raw = nullptr;
    if (const int error = session->Cursor(SystemTable::kPending, &raw)) return error;
    WtCursor pending(raw);
    int error = pending.Search(UnresolvedKey(tablet, version));
    if (error == WT_NOTFOUND) return 0;
    std::string_view row;
    if (error == 0) error = pending.GetValue(&row);
    if (error != 0) return error;
    rows = 1;
    bytes = static_cast<int64_t>(row.size());
    return pending.RemoveHere();
  });
  EBLA_TRY(parts_->connection->Check(error, "forgetting unresolved writes"));
  parts_->UnresolvedOf(tablet).Add(-rows, -bytes);
  return {};
}

Status WtStore::Parts::CountUnresolved(WtSession& session) {
  WT_CURSOR* raw = nullptr;
  EBLA_TRY(connection->Check(session.Cursor(SystemTable::kPending, &raw), "opening a cursor"));
  WtCursor pending(raw);
  int error = pending.Next();
  for (; error == 0; error = pending.Next()) {
    std::string_view key, row;
    EBLA_TRY(connection->Check(pending.GetKey(&key), "counting unresolved writes"));
    EBLA_TRY(connection->Check(pending.GetValue(&row), "counting unresolved writes"));
    EBLA_ASSIGN(const UnresolvedPosition place, ParseUnresolvedKey(key));
    UnresolvedOf(place.tablet).Add(1, static_cast<int64_t>(row.size()));
  }
  return error == WT_NOTFOUND ? Status() : connection->Check(error, "counting unresolved writes");
}

}  // namespace ebla::tabletserver
