#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_dedup_rows.h"

namespace ebla::tabletserver {

int WriteAppliedState(WtSession& session, const ApplyBatch& batch) {
  if (batch.forget) return RemoveAppliedState(session, batch.tablet);
  WtCursor applied(session, SystemTable::kApplied);
  if (const int error = applied.error()) return OfSystemTable(error);
  return OfSystemTable(applied.Insert(TabletKey(batch.tablet), EncodeAppliedState(batch.state)));
}

int RemoveAppliedState(WtSession& session, TabletId tablet) {
  WtCursor applied(session, SystemTable::kApplied);
  if (const int error = applied.error()) return OfSystemTable(error);
  return OfSystemTable(applied.Remove(TabletKey(tablet)));
}

int WriteTabletChanges(WtSession& session, TabletId tablet, const TabletChanges& changes) {
  if (changes.forget) {
    if (const int error = RemoveAppliedState(session, tablet)) return error;
    if (const int error = RemoveDedupRows(session, tablet)) return OfSystemTable(error);
  }
  if (changes.applied) {
    WtCursor applied(session, SystemTable::kApplied);
    if (const int error = applied.error()) return OfSystemTable(error);
    const int error = applied.Insert(TabletKey(tablet), EncodeAppliedState(*changes.applied));
    if (error != 0) return OfSystemTable(error);
  }
  if (changes.dedup_window.empty()) return 0;
  WtCursor window(session, SystemTable::kWindow);
  if (const int error = window.error()) return OfSystemTable(error);
  for (const auto& [id, unwritten] : changes.dedup_window) {
    const std::string key = DedupKey(tablet, id.first, id.second);
    const int error = unwritten.row ? window.Insert(key, EncodeDedupRow(*unwritten.row)) : window.Remove(key);
    if (error != 0) return OfSystemTable(error);
  }
  return 0;
}

int ReadPosition(WtSession& session, SnapshotPosition& position, Status& damage) {
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

Result<std::optional<AppliedState>> ReadAppliedState(WtSessions& sessions, WtSession& session, TabletId tablet) {
  WtCursor cursor(session, SystemTable::kApplied);
  EBLA_TRY(sessions.Check(cursor.error(), "opening a cursor"));
  const int error = cursor.Search(TabletKey(tablet));
  if (error == WT_NOTFOUND) return std::nullopt;
  EBLA_TRY(sessions.Check(error, "reading an applied state"));
  std::string_view row;
  EBLA_TRY(sessions.Check(cursor.GetValue(&row), "reading an applied state"));
  EBLA_ASSIGN(AppliedState state, DecodeAppliedState(row));
  return state;
}

Result<std::vector<TabletId>> TabletsWithState(WtSessions& sessions, WtSession& session) {
  WtCursor cursor(session, SystemTable::kApplied);
  EBLA_TRY(sessions.Check(cursor.error(), "opening a cursor"));
  std::vector<TabletId> tablets;
  int error = cursor.SeekAtOrAfter(TabletKey(TabletId{0}));
  for (; error == 0; error = cursor.Next()) {
    std::string_view key;
    EBLA_TRY(sessions.Check(cursor.GetKey(&key), "reading applied states"));
    if (key == kCheckpointKey) continue;
    EBLA_ASSIGN(const TabletId tablet, ParseTabletKey(key));
    tablets.push_back(tablet);
  }
  if (error != WT_NOTFOUND) EBLA_TRY(sessions.Check(error, "reading applied states"));
  return tablets;
}

}  // namespace ebla::tabletserver
