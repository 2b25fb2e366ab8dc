// The replicas of WtStore: what is found after a start, and what is forgotten with a drop.
#include <glog/logging.h>

#include "common/base/mutex.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_parts.h"

namespace ebla::tabletserver {

int WtStore::Parts::TruncateRows(WtSession& session, SystemTable table, std::string_view first, std::string_view last) {
  WT_SESSION* const raw = session.get();
  WT_CURSOR* start = nullptr;
  if (const int error = session.Cursor(table, &start)) return error;
  WtCursor first_cursor(start);
  WT_CURSOR* stop = nullptr;
  if (const int error = raw->open_cursor(raw, SystemTableUri(table).c_str(), nullptr, nullptr, &stop)) return error;
  WtCursor last_cursor(stop);
  const int error = RunTransaction(session, [&]() -> int {
    first_cursor.SetKey(first);
    last_cursor.SetKey(last);
    return raw->truncate(raw, nullptr, start, stop, nullptr);
  });
  last_cursor.Close();
  return error == WT_NOTFOUND ? 0 : error;
}

Status WtStore::ForgetReplica(TabletId tablet) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  {
    MutexLock lock(parts_->applied_mutex);
    parts_->applied.erase(tablet);
  }
  WtConnection& connection = *parts_->connection;
  // The log last: while an applied state is there, so is the log that goes with it.
  const int applied = RunTransaction(*session, [&]() -> int {
    WT_CURSOR* raw = nullptr;
    if (const int error = session->Cursor(SystemTable::kApplied, &raw)) return error;
    return WtCursor(raw).Remove(TabletKey(tablet));
  });
  EBLA_TRY(connection.Check(applied, "forgetting a replica's applied state"));
  const int dedup_rows = parts_->TruncateRows(*session, SystemTable::kWindow, DedupKey(tablet, {}, {}),
                                              DedupKey(tablet, ClientId{UINT64_MAX}, Sequence{UINT64_MAX}));
  EBLA_TRY(connection.Check(dedup_rows, "forgetting a replica's dedup window"));
  const int log = parts_->TruncateRows(*session, SystemTable::kOplog, LogKey(tablet, Lsn{0}), LogKey(tablet, kLogEnd));
  return connection.Check(log, "forgetting a replica's log");
}

Result<std::optional<AppliedState>> WtStore::Parts::ReadApplied(WtSession& session, TabletId tablet) {
  WT_CURSOR* raw = nullptr;
  EBLA_TRY(connection->Check(session.Cursor(SystemTable::kApplied, &raw), "opening a cursor"));
  WtCursor cursor(raw);
  const int error = cursor.Search(TabletKey(tablet));
  if (error == WT_NOTFOUND) return std::nullopt;
  EBLA_TRY(connection->Check(error, "reading an applied state"));
  std::string_view row;
  EBLA_TRY(connection->Check(cursor.GetValue(&row), "reading an applied state"));
  EBLA_ASSIGN(AppliedState state, DecodeAppliedState(row));
  return state;
}

Result<std::vector<DedupRow>> WtStore::Parts::ReadDedupRows(WtSession& session, TabletId tablet) {
  WT_CURSOR* raw = nullptr;
  EBLA_TRY(connection->Check(session.Cursor(SystemTable::kWindow, &raw), "opening a cursor"));
  WtCursor cursor(raw);
  std::vector<DedupRow> rows;
  int error = cursor.SeekAtOrAfter(TabletKey(tablet));
  for (; error == 0; error = cursor.Next()) {
    std::string_view key, row;
    EBLA_TRY(connection->Check(cursor.GetKey(&key), "reading a dedup window"));
    EBLA_ASSIGN(const DedupKeyParts parts, ParseDedupKey(key));
    if (parts.tablet != tablet) return rows;
    EBLA_TRY(connection->Check(cursor.GetValue(&row), "reading a dedup window"));
    EBLA_ASSIGN(DedupRow decoded, DecodeDedupRow(parts, row));
    rows.push_back(std::move(decoded));
  }
  if (error != WT_NOTFOUND) EBLA_TRY(connection->Check(error, "reading a dedup window"));
  return rows;
}

Result<bool> WtStore::Parts::ReadLogBounds(WtSession& session, RecoveredReplica& replica) {
  WT_CURSOR* raw = nullptr;
  EBLA_TRY(connection->Check(session.Cursor(SystemTable::kOplog, &raw), "opening a cursor"));
  WtCursor cursor(raw);
  bool bare = false;
  const auto read = [&](int error, Version& bound) -> Status {
    std::string_view key, row;
    if (error == 0) error = cursor.GetKey(&key);
    if (error == 0) error = cursor.GetValue(&row);
    if (error == WT_NOTFOUND) return {};
    EBLA_TRY(connection->Check(error, "reading the log's bounds"));
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

Result<std::vector<RecoveredReplica>> WtStore::Recover() {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  WtConnection& connection = *parts_->connection;
  WT_CURSOR* raw = nullptr;
  EBLA_TRY(connection.Check(session->Cursor(SystemTable::kReplicaState, &raw), "opening a cursor"));
  WtCursor cursor(raw);
  std::vector<RecoveredReplica> replicas;
  std::vector<TabletId> forgotten;  // but for their log's end: a crash came in between
  int error = cursor.Next();
  for (; error == 0; error = cursor.Next()) {
    std::string_view key, row;
    EBLA_TRY(connection.Check(cursor.GetKey(&key), "reading a replica's state"));
    EBLA_TRY(connection.Check(cursor.GetValue(&row), "reading a replica's state"));
    RecoveredReplica replica;
    EBLA_ASSIGN(replica.tablet, ParseTabletKey(key));
    EBLA_ASSIGN(replica.state, DecodeReplicaState(row));
    EBLA_ASSIGN(replica.applied, parts_->ReadApplied(*session, replica.tablet));
    EBLA_ASSIGN(replica.dedup_window, parts_->ReadDedupRows(*session, replica.tablet));
    EBLA_ASSIGN(const bool bare, parts_->ReadLogBounds(*session, replica));
    if (bare && !replica.state.present()) forgotten.push_back(replica.tablet);
    if (replica.applied && !replica.state.tombstone) {
      MutexLock lock(parts_->applied_mutex);
      parts_->applied[replica.tablet] = replica.applied->applied.lsn;
    }
    replicas.push_back(std::move(replica));
  }
  if (error != WT_NOTFOUND) EBLA_TRY(connection.Check(error, "reading the replicas"));
  for (const TabletId tablet : forgotten) {
    const std::string end = LogKey(tablet, kLogEnd);
    const int removed = parts_->TruncateRows(*session, SystemTable::kOplog, end, end);
    EBLA_TRY(connection.Check(removed, "forgetting a log's end"));
  }
  return replicas;
}

}  // namespace ebla::tabletserver
