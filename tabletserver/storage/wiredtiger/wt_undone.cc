// What WtStore keeps of undone PRIMARY writes and of ANY writes (PROTOCOL 22): rows of `pending`, which WiredTiger
// logs, so that their order with the removal of the log's suffix is that of the calls.
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_parts.h"

namespace ebla::tabletserver {

Status WtStore::KeepUndone(TabletId tablet, TableId table, std::span<const LogEntry* const> entries) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  int64_t rows = 0, bytes = 0;
  const int error = RunTransaction(*session, [&]() -> int {
    rows = bytes = 0;
    WT_CURSOR* raw = nullptr;
    if (const int error = session->Cursor(SystemTable::kPending, &raw)) return error;
    WtCursor pending(raw);
    for (const LogEntry* entry : entries) {
      const std::string key = UndoneKey(tablet, entry->version);
      const int found = pending.Search(key);
      if (found == 0) continue;
      if (found != WT_NOTFOUND) return found;
      const std::string row = EncodeUndone(table, *entry);
      if (const int error = pending.Insert(key, row)) return error;
      ++rows;
      bytes += static_cast<int64_t>(row.size());
    }
    return 0;
  });
  EBLA_TRY(parts_->connection->Check(error, "keeping what is undone"));
  parts_->KeptOf(tablet).Add(rows, bytes);
  parts_->log_bytes.fetch_add(bytes, std::memory_order_relaxed);
  parts_->reserve.NoteWritten(bytes);
  return {};
}

Result<std::vector<UndoneEntry>> WtStore::ListUndone(TableId table, const UndonePlace& after, size_t entries_max,
                                                     size_t bytes_max) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  std::vector<UndoneEntry> listed;
  Status damage;
  const std::string past = UndoneKey(after.tablet, after.version);
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
      const Result<UndonePlace> place = ParseUndoneKey(key);
      Result<UndoneEntry> undone = place ? DecodeUndone(place->tablet, row) : std::unexpected(place.error());
      if (!undone) {
        damage = undone.error();
        return 0;
      }
      if (table && undone->table != table) continue;
      bytes += undone->entry.ApproximateBytes();
      listed.push_back(*std::move(undone));
    }
    return error == WT_NOTFOUND ? 0 : error;
  });
  EBLA_TRY(parts_->connection->Check(error, "listing what is undone"));
  EBLA_TRY(damage);
  return listed;
}

Status WtStore::ForgetUndone(TabletId tablet, Version version) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  int64_t rows = 0, bytes = 0;
  const int error = RunTransaction(*session, [&]() -> int {
    rows = bytes = 0;
    WT_CURSOR* raw = nullptr;
    if (const int error = session->Cursor(SystemTable::kPending, &raw)) return error;
    WtCursor pending(raw);
    int error = pending.Search(UndoneKey(tablet, version));
    if (error == WT_NOTFOUND) return 0;
    std::string_view row;
    if (error == 0) error = pending.GetValue(&row);
    if (error != 0) return error;
    rows = 1;
    bytes = static_cast<int64_t>(row.size());
    return pending.RemoveHere();
  });
  EBLA_TRY(parts_->connection->Check(error, "forgetting what was undone"));
  parts_->KeptOf(tablet).Add(-rows, -bytes);
  return {};
}

Status WtStore::Parts::CountUndone(WtSession& session) {
  WT_CURSOR* raw = nullptr;
  EBLA_TRY(connection->Check(session.Cursor(SystemTable::kPending, &raw), "opening a cursor"));
  WtCursor pending(raw);
  int error = pending.Next();
  for (; error == 0; error = pending.Next()) {
    std::string_view key, row;
    EBLA_TRY(connection->Check(pending.GetKey(&key), "counting what is undone"));
    EBLA_TRY(connection->Check(pending.GetValue(&row), "counting what is undone"));
    EBLA_ASSIGN(const UndonePlace place, ParseUndoneKey(key));
    KeptOf(place.tablet).Add(1, static_cast<int64_t>(row.size()));
  }
  return error == WT_NOTFOUND ? Status() : connection->Check(error, "counting what is undone");
}

}  // namespace ebla::tabletserver
