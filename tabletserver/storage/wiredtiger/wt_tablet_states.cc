#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

int ApplyDedupChange(WtSession& session, TabletId tablet, const DedupChange& change) {
  if (change.erase.empty() && change.put.empty()) return 0;
  WtCursor window(session, SystemTable::kWindow);
  if (const int error = window.error()) return error;
  for (const auto& [client, sequence] : change.erase) {
    if (const int error = window.Remove(DedupKey(tablet, client, sequence))) return error;
  }
  for (const DedupRow& row : change.put) {
    const std::string key = DedupKey(tablet, row.client, row.sequence);
    if (const int error = window.Insert(key, EncodeDedupRow(row))) return error;
  }
  return 0;
}

int ApplyState(WtSession& session, TabletId tablet, const AppliedState& state) {
  WtCursor applied(session, SystemTable::kApplied);
  if (const int error = applied.error()) return error;
  return applied.Insert(TabletKey(tablet), EncodeAppliedState(state));
}

int RemoveState(WtSession& session, TabletId tablet) {
  WtCursor applied(session, SystemTable::kApplied);
  if (const int error = applied.error()) return error;
  return applied.Remove(TabletKey(tablet));
}

int RemoveDedupRows(WtSession& session, TabletId tablet) {
  WtCursor window(session, SystemTable::kWindow);
  if (const int error = window.error()) return error;
  int error = window.SeekAtOrAfter(DedupKey(tablet, {}, {}));
  while (error == 0) {
    std::string_view key;
    if (const int failed = window.GetKey(&key)) return failed;
    const std::string row(key);
    if (!row.starts_with(TabletKey(tablet))) return 0;
    if (const int failed = window.Remove(row)) return failed;
    error = window.SeekAtOrAfter(row);
  }
  return error == WT_NOTFOUND ? 0 : error;
}

}  // namespace

Status WtTabletStates::Put(TabletId tablet, const ReplicaState& state) {
  return log_.PutState(tablet, state);
}

int WtTabletStates::Write(WtSession& session, const ApplyBatch& batch) {
  if (batch.forget) {
    const int error = RemoveState(session, batch.tablet);
    return error != 0 ? error : RemoveDedupRows(session, batch.tablet);
  }
  const int error = ApplyDedupChange(session, batch.tablet, batch.dedup_window);
  return error != 0 ? error : ApplyState(session, batch.tablet, batch.state);
}

void WtTabletStates::NoteApplied(std::span<const ApplyBatch> batches) {
  MutexLock lock(mutex_);
  for (const ApplyBatch& batch : batches) {
    if (batch.forget) {
      applied_.erase(batch.tablet);
    } else {
      applied_[batch.tablet] = batch.state.applied.lsn;
    }
  }
}

std::map<TabletId, Lsn> WtTabletStates::Applied() const {
  MutexLock lock(mutex_);
  return applied_;
}

int WtTabletStates::ReadPosition(WtSession& session, SnapshotPosition& position, Status& damage) {
  position.applied = {};
  WtCursor applied(session, SystemTable::kApplied);
  if (const int error = applied.error()) return error;
  int error = applied.Search(TabletKey(position.tablet));
  if (error == WT_NOTFOUND) return 0;
  std::string_view row;
  if (error == 0) error = applied.GetValue(&row);
  if (error != 0) return error;
  const Result<AppliedState> state = DecodeAppliedState(row);
  if (state) {
    position.applied = state->applied.lsn;
  } else {
    damage = state.error();
  }
  return 0;
}

Status WtTabletStates::Forget(TabletId tablet) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  {
    MutexLock lock(mutex_);
    applied_.erase(tablet);
  }
  const int applied = RunTransaction(*session, [&] { return RemoveState(*session, tablet); });
  EBLA_TRY(sessions_.Check(applied, "forgetting a replica's applied state"));
  const int dedup_rows = TruncateRows(*session, SystemTable::kWindow, DedupKey(tablet, {}, {}),
                                      DedupKey(tablet, ClientId{UINT64_MAX}, Sequence{UINT64_MAX}));
  return sessions_.Check(dedup_rows, "forgetting a replica's dedup window");
}

Result<std::optional<AppliedState>> WtTabletStates::ReadApplied(WtSession& session, TabletId tablet) {
  WtCursor cursor(session, SystemTable::kApplied);
  EBLA_TRY(sessions_.Check(cursor.error(), "opening a cursor"));
  const int error = cursor.Search(TabletKey(tablet));
  if (error == WT_NOTFOUND) return std::nullopt;
  EBLA_TRY(sessions_.Check(error, "reading an applied state"));
  std::string_view row;
  EBLA_TRY(sessions_.Check(cursor.GetValue(&row), "reading an applied state"));
  EBLA_ASSIGN(AppliedState state, DecodeAppliedState(row));
  return state;
}

Result<std::vector<DedupRow>> WtTabletStates::ReadDedupRows(WtSession& session, TabletId tablet) {
  WtCursor cursor(session, SystemTable::kWindow);
  EBLA_TRY(sessions_.Check(cursor.error(), "opening a cursor"));
  std::vector<DedupRow> rows;
  int error = cursor.SeekAtOrAfter(TabletKey(tablet));
  for (; error == 0; error = cursor.Next()) {
    std::string_view key, row;
    EBLA_TRY(sessions_.Check(cursor.GetKey(&key), "reading a dedup window"));
    EBLA_ASSIGN(const DedupKeyParts parts, ParseDedupKey(key));
    if (parts.tablet != tablet) return rows;
    EBLA_TRY(sessions_.Check(cursor.GetValue(&row), "reading a dedup window"));
    EBLA_ASSIGN(DedupRow decoded, DecodeDedupRow(parts, row));
    rows.push_back(std::move(decoded));
  }
  if (error != WT_NOTFOUND) EBLA_TRY(sessions_.Check(error, "reading a dedup window"));
  return rows;
}

Result<std::vector<RecoveredReplica>> WtTabletStates::Recover() {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::vector<RecoveredReplica> replicas;
  for (std::string at;;) {
    EBLA_ASSIGN(const std::optional<StoreLog::Value> state, log_.Next(kReplicaStateKeys, at));
    if (!state) return replicas;
    at = state->first;
    RecoveredReplica replica;
    EBLA_ASSIGN(replica.tablet, ParseReplicaStateKey(at));
    EBLA_ASSIGN(replica.state, DecodeReplicaState(state->second));
    EBLA_ASSIGN(replica.applied, ReadApplied(*session, replica.tablet));
    EBLA_ASSIGN(replica.dedup_window, ReadDedupRows(*session, replica.tablet));
    if (replica.applied && !replica.state.tombstone) {
      MutexLock lock(mutex_);
      applied_[replica.tablet] = replica.applied->applied.lsn;
    }
    replicas.push_back(std::move(replica));
  }
}

}  // namespace ebla::tabletserver
