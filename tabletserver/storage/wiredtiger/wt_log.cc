#include "tabletserver/storage/wiredtiger/wt_log.h"

#include <algorithm>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

// A page of WiredTiger's that is appended to is split in memory once it has outgrown memory_page_max, and left to the
// eviction threads to be written out, but only where its last row is appended to. Elsewhere the appending thread writes
// it out itself: the shard, 2 to 8 ms for half a MB, on all of a tablet's replicas at once as their logs are alike. So
// each log ends in a row that is no entry and has a page to itself, which keeps the rows of the next tablet off the
// log's last page: more than fits on a page (wt_tables.cc: 32 KB) beside the 10 % that are left free for what comes in
// between.
constexpr size_t kLogEndBytes = 30'000;

bool HasClientWrite(std::span<const AppendBatch> batches) {
  for (const AppendBatch& batch : batches) {
    for (const LogEntry* entry : batch.entries) {
      if (entry->kind == EntryKind::kWrite) return true;
    }
  }
  return false;
}

}  // namespace

Status WtLog::Append(std::span<const AppendBatch> batches) {
  if (reserve_.writes_refused() && HasClientWrite(batches)) {
    return Error(Code::kOverloaded, "the disk is full but for its reserve: free or add space on this server");
  }
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  int64_t bytes = 0;
  const int error = RunTransaction(*session, [&]() -> int {
    WtCursor oplog(*session, SystemTable::kOplog);
    if (const int error = oplog.error()) return error;
    bytes = 0;
    for (const AppendBatch& batch : batches) {
      for (const LogEntry* entry : batch.entries) {
        const std::string row = EncodeLogEntry(*entry);
        bytes += static_cast<int64_t>(row.size());
        if (const int error = oplog.Insert(LogKey(batch.tablet, entry->version.lsn), row)) return error;
      }
    }
    return 0;
  });
  // WT_DUPLICATE_KEY too: what was acknowledged must not be replaced (PROTOCOL 2).
  EBLA_TRY(sessions_.Check(error, "appending to the log"));
  reserve_.NoteWritten(bytes);
  return {};
}

Status WtLog::End(TabletId tablet) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const int error = RunTransaction(*session, [&]() -> int {
    WtCursor oplog(*session, SystemTable::kOplog);
    if (const int error = oplog.error()) return error;
    const std::string key = LogKey(tablet, kLogEnd);
    const int error = oplog.Search(key);
    return error == WT_NOTFOUND ? oplog.Insert(key, std::string(kLogEndBytes, '\0')) : error;
  });
  return sessions_.Check(error, "ending a log");
}

Result<std::vector<LogEntry>> WtLog::Read(TabletId tablet, Lsn from, Lsn last, size_t bytes_max) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const std::string end = LogKey(tablet, std::min(last, kLastLsn));
  std::vector<LogEntry> entries;
  Status damage;
  const int error = RunRead([&]() -> int {
    entries.clear();
    size_t bytes = 0;
    WtCursor oplog(*session, SystemTable::kOplog);
    if (const int error = oplog.error()) return error;
    int error = oplog.SeekAtOrAfter(LogKey(tablet, from));
    for (; error == 0 && bytes < bytes_max; error = oplog.Next()) {
      std::string_view key, row;
      if (const int error = oplog.GetKey(&key)) return error;
      if (key > end) return 0;
      if (const int error = oplog.GetValue(&row)) return error;
      Result<LogEntry> entry = DecodeLogEntry(row);
      if (!entry) {
        damage = entry.error();
        return 0;
      }
      bytes += row.size();
      entries.push_back(std::move(*entry));
    }
    return error == WT_NOTFOUND ? 0 : error;
  });
  EBLA_TRY(sessions_.Check(error, "reading the log"));
  EBLA_TRY(damage);
  return entries;
}

// Row by row: a range truncation may miss what another transaction inserts into the range, and the log goes on there.
// Last first, in short transactions: whatever a crash leaves is a log without holes.
Status WtLog::RemoveSuffix(TabletId tablet, Lsn from) {
  constexpr int kRowsAtOnce = 500;
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const std::string first = LogKey(tablet, from);
  const std::string end = LogKey(tablet, kLastLsn);  // not the log's end, which would be read for nothing
  for (bool more = true; more;) {
    const int error = RunTransaction(*session, [&]() -> int {
      more = false;
      WtCursor oplog(*session, SystemTable::kOplog);
      if (const int error = oplog.error()) return error;
      int error = oplog.SeekBefore(end);
      for (int rows = 0; error == 0; ++rows) {
        std::string_view key;
        if (const int error = oplog.GetKey(&key)) return error;
        if (key < first) return 0;
        if (rows == kRowsAtOnce) {
          more = true;
          return 0;
        }
        if (const int error = oplog.RemoveHere()) return error;
        error = oplog.Prev();
      }
      return error == WT_NOTFOUND ? 0 : error;
    });
    EBLA_TRY(sessions_.Check(error, "removing a log's suffix"));
  }
  return {};
}

// Nothing is ever inserted below the truncation point, so here a range truncation is safe.
Status WtLog::Truncate(TabletId tablet, Lsn from, Lsn below) {
  if (below <= from || below.value <= 1) return {};
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const int error =
      TruncateRows(*session, SystemTable::kOplog, LogKey(tablet, from), LogKey(tablet, Lsn{below.value - 1}));
  return sessions_.Check(error, "truncating the log");
}

Status WtLog::Forget(TabletId tablet) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const int error = TruncateRows(*session, SystemTable::kOplog, LogKey(tablet, Lsn{0}), LogKey(tablet, kLogEnd));
  return sessions_.Check(error, "forgetting a replica's log");
}

Status WtLog::Recover(RecoveredReplica& replica) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  EBLA_ASSIGN(const bool bare, ReadBounds(*session, replica));
  if (!bare || replica.state.present()) return {};
  // A crash came between the log and its end.
  const std::string end = LogKey(replica.tablet, kLogEnd);
  return sessions_.Check(TruncateRows(*session, SystemTable::kOplog, end, end), "forgetting a log's end");
}

Result<bool> WtLog::ReadBounds(WtSession& session, RecoveredReplica& replica) {
  WtCursor cursor(session, SystemTable::kOplog);
  EBLA_TRY(sessions_.Check(cursor.error(), "opening a cursor"));
  bool bare = false;
  const auto read = [&](int error, Version& bound) -> Status {
    std::string_view key, row;
    if (error == 0) error = cursor.GetRow(&key, &row);
    if (error == WT_NOTFOUND) return {};
    EBLA_TRY(sessions_.Check(error, "reading the log's bounds"));
    EBLA_ASSIGN(const auto parts, ParseLogKey(key));
    if (parts.first != replica.tablet) return {};
    if (parts.second == kLogEnd) {
      bare = true;
      return {};
    }
    EBLA_ASSIGN(const LogEntry entry, DecodeLogEntry(row));
    bound = entry.version;
    return {};
  };
  EBLA_TRY(read(cursor.SeekAtOrAfter(LogKey(replica.tablet, Lsn{0})), replica.first_logged));
  // From below its end, which would cost the reading of one page more.
  if (!bare) EBLA_TRY(read(cursor.SeekBefore(LogKey(replica.tablet, kLastLsn)), replica.last_logged));
  return bare;
}

}  // namespace ebla::tabletserver
