#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

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

}  // namespace

Status WtTabletStates::Put(TabletId tablet, const ReplicaState& state) { return log_.PutState(tablet, state); }

int WtTabletStates::Write(WtSession& session, const ApplyBatch& batch) {
  return OfSystemTable(batch.forget ? RemoveState(session, batch.tablet)
                                    : ApplyState(session, batch.tablet, batch.state));
}

void WtTabletStates::NoteApplied(std::span<const ApplyBatch> batches) {
  MutexLock lock(mutex_);
  for (const ApplyBatch& batch : batches) {
    if (batch.forget) {
      if (const auto applied = applied_.extract(batch.tablet)) gone_[batch.tablet] = applied.mapped();
    } else {
      applied_[batch.tablet] = batch.state.applied.lsn;
    }
  }
}

std::map<TabletId, Lsn> WtTabletStates::Applied() const {
  MutexLock lock(mutex_);
  return applied_;
}

Lsn WtTabletStates::LastApplied(TabletId tablet) const {
  MutexLock lock(mutex_);
  if (const auto applied = applied_.find(tablet); applied != applied_.end()) return applied->second;
  const auto gone = gone_.find(tablet);
  return gone == gone_.end() ? Lsn{} : gone->second;
}

int WtTabletStates::ReadPosition(WtSession& session, SnapshotPosition& position, Status& damage) {
  position.applied = {};
  WtCursor applied(session, SystemTable::kApplied);
  if (const int error = applied.error()) return OfSystemTable(error);
  int error = applied.Search(TabletKey(position.tablet));
  if (error == WT_NOTFOUND) return 0;
  std::string_view row;
  if (error == 0) error = applied.GetValue(&row);
  if (error != 0) return OfSystemTable(error);
  const Result<AppliedState> state = DecodeAppliedState(row);
  if (state) {
    position.applied = state->applied.lsn;
  } else {
    damage = state.error();
  }
  return 0;
}

Result<Lsn> WtTabletStates::Forget(TabletId tablet) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  const Lsn last = LastApplied(tablet);
  {
    MutexLock lock(mutex_);
    applied_.erase(tablet);
    gone_[tablet] = last;
  }
  const int applied = RunTransaction(*session, [&] { return RemoveState(*session, tablet); });
  EBLA_TRY(sessions_.Check(applied, "forgetting a replica's applied state"));
  EBLA_TRY(sessions_.Check(dedup_rows_.Forget(*session, tablet), "forgetting a replica's dedup window"));
  return last;
}

void WtTabletStates::ForgetLast(TabletId tablet) {
  MutexLock lock(mutex_);
  gone_.erase(tablet);
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

Result<std::vector<RecoveredReplica>> WtTabletStates::Recover() {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  // Nothing waits after a start; a store that has served shows what it would bring back.
  EBLA_TRY(sessions_.Check(dedup_rows_.WriteOut(*session), "writing out dedup windows"));
  std::vector<RecoveredReplica> replicas;
  for (std::string at;;) {
    EBLA_ASSIGN(const std::optional<StoreLog::Value> state, log_.Next(kReplicaStateKeys, at));
    if (!state) return replicas;
    at = state->first;
    RecoveredReplica replica;
    EBLA_ASSIGN(replica.tablet, ParseReplicaStateKey(at));
    EBLA_ASSIGN(replica.state, DecodeReplicaState(state->second));
    EBLA_ASSIGN(replica.applied, ReadApplied(*session, replica.tablet));
    EBLA_ASSIGN(replica.dedup_window, WtDedupRows::Read(sessions_, *session, replica.tablet));
    if (replica.applied) {
      MutexLock lock(mutex_);
      (replica.state.tombstone ? gone_ : applied_)[replica.tablet] = replica.applied->applied.lsn;
    }
    replicas.push_back(std::move(replica));
  }
}

Result<bool> WtTabletStates::AnyPresent(TableId table) {
  for (std::string at;;) {
    EBLA_ASSIGN(const std::optional<StoreLog::Value> state, log_.Next(kReplicaStateKeys, at));
    if (!state) return false;
    at = state->first;
    EBLA_ASSIGN(const ReplicaState decoded, DecodeReplicaState(state->second));
    if (decoded.table == table && decoded.present()) return true;
  }
}

}  // namespace ebla::tabletserver
