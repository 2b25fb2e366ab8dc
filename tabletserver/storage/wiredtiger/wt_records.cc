// The records of WtStore: data_<table id>, applied and dedup window, which only checkpoints make durable. Whole ranges are
// in wt_ranges.cc.
#include "common/base/mutex.h"
#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_parts.h"

namespace ebla::tabletserver {

namespace {

int ApplyRecords(WtSession& session, const ApplyBatch& batch) {
  if (batch.records.empty()) return 0;
  WT_CURSOR* raw = nullptr;
  if (const int error = session.DataCursor(batch.table, &raw)) return error;
  WtCursor data(raw);
  for (const RecordChange& change : batch.records) {
    int error = 0;
    if (change.effect->is_delete && !change.effect->timed()) {
      error = data.Remove(change.effect->key);
    } else {
      EncodeRecord(*change.effect, change.version, session.scratch());
      error = data.Insert(change.effect->key, session.scratch().view());
    }
    if (error != 0) return error;
  }
  return 0;
}

int ApplyDedupChange(WtSession& session, TabletId tablet, const DedupChange& change) {
  if (change.erase.empty() && change.put.empty()) return 0;
  WT_CURSOR* raw = nullptr;
  if (const int error = session.Cursor(SystemTable::kWindow, &raw)) return error;
  WtCursor window(raw);
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
  WT_CURSOR* raw = nullptr;
  if (const int error = session.Cursor(SystemTable::kApplied, &raw)) return error;
  return WtCursor(raw).Insert(TabletKey(tablet), EncodeAppliedState(state));
}

// Inside the caller's transaction.
int ForgetTablet(WtSession& session, TabletId tablet) {
  WT_CURSOR* raw = nullptr;
  if (const int error = session.Cursor(SystemTable::kApplied, &raw)) return error;
  if (const int error = WtCursor(raw).Remove(TabletKey(tablet))) return error;
  if (const int error = session.Cursor(SystemTable::kWindow, &raw)) return error;
  WtCursor window(raw);
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

// Reads the applied lsn inside the caller's snapshot.
int ReadPosition(WtSession& session, SnapshotPosition& position, Status& damage) {
  position.applied = {};
  WT_CURSOR* raw = nullptr;
  if (const int error = session.Cursor(SystemTable::kApplied, &raw)) return error;
  WtCursor applied(raw);
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

// WT_NOTFOUND leaves `record` empty and is no error.
int ReadRecord(WtCursor& data, std::string_view key, std::optional<StoredRecord>& record, Status& damage) {
  record.reset();
  int error = data.Search(key);
  if (error == WT_NOTFOUND) return 0;
  std::string_view row;
  if (error == 0) error = data.GetValue(&row);
  if (error != 0) return error;
  damage = DecodeRecord(row, record.emplace());
  return 0;
}

}  // namespace

Status WtStore::Apply(std::span<const ApplyBatch> batches) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  TableId table;
  const int error = RunTransaction(*session, [&]() -> int {
    for (const ApplyBatch& batch : batches) {
      table = batch.table;
      if (batch.forget) {
        if (const int error = ForgetTablet(*session, batch.tablet)) return error;
        continue;
      }
      if (const int error = ApplyRecords(*session, batch)) return error;
      if (const int error = ApplyDedupChange(*session, batch.tablet, batch.dedup_window)) return error;
      if (const int error = ApplyState(*session, batch.tablet, batch.state)) return error;
    }
    return 0;
  });
  EBLA_TRY(parts_->CheckTable(error, table, "applying"));
  MutexLock lock(parts_->applied_mutex);
  for (const ApplyBatch& batch : batches) {
    if (batch.forget) {
      parts_->applied.erase(batch.tablet);
    } else {
      parts_->applied[batch.tablet] = batch.state.applied.lsn;
    }
  }
  return {};
}

Result<std::optional<StoredRecord>> WtStore::Get(TableId table, std::string_view key, SnapshotPosition* position) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  std::optional<StoredRecord> record;
  Status damage;
  const auto read = [&]() -> int {
    WT_CURSOR* raw = nullptr;
    if (const int error = session->DataCursor(table, &raw)) return error;
    WtCursor data(raw);
    if (position != nullptr) {
      if (const int error = ReadPosition(*session, *position, damage)) return error;
    }
    return ReadRecord(data, key, record, damage);
  };
  const int error = position != nullptr ? RunSnapshot(*session, read) : RunRead(read);
  EBLA_TRY(parts_->CheckTable(error, table, "reading a record"));
  EBLA_TRY(damage);
  return record;
}

Result<std::vector<std::optional<StoredRecord>>> WtStore::MultiGet(TableId table, std::span<const std::string> keys,
                                                                   size_t bytes_max, SnapshotPosition* position) {
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  std::vector<std::optional<StoredRecord>> records;
  records.reserve(keys.size());
  Status damage;
  const int error = RunSnapshot(*session, [&]() -> int {
    records.clear();  // of an attempt that did not succeed
    size_t bytes = 0;
    WT_CURSOR* raw = nullptr;
    if (const int error = session->DataCursor(table, &raw)) return error;
    WtCursor data(raw);
    if (position != nullptr) {
      if (const int error = ReadPosition(*session, *position, damage)) return error;
    }
    for (const std::string& key : keys) {
      std::optional<StoredRecord> record;
      if (const int error = ReadRecord(data, key, record, damage)) return error;
      if (record) bytes += record->value.size();
      if (!damage.ok() || (bytes > bytes_max && !records.empty())) return 0;
      records.push_back(std::move(record));
    }
    return 0;
  });
  EBLA_TRY(parts_->CheckTable(error, table, "reading records"));
  EBLA_TRY(damage);
  return records;
}

Status WtStore::Scan(TableId table, const ScanBounds& bounds, const Visitor& visitor, SnapshotPosition* position) {
  if (bounds.range.Empty()) return {};
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  StoredRecord record;
  Status damage;
  bool shown = false;  // then there is no second attempt: its snapshot would be another
  const KeyRange& range = bounds.range;
  const int error = RunSnapshot(*session, [&]() -> int {
    WT_CURSOR* raw = nullptr;
    if (const int error = session->DataCursor(table, &raw)) return error;
    WtCursor data(raw);
    if (position != nullptr) {
      if (const int error = ReadPosition(*session, *position, damage)) return error;
    }
    int error = bounds.reverse ? data.SeekBefore(range.end) : data.SeekAtOrAfter(range.start);
    for (; error == 0; error = bounds.reverse ? data.Prev() : data.Next()) {
      std::string_view key, row;
      if (const int error = data.GetKey(&key)) return error;
      if (bounds.reverse ? key < range.start : !range.end.empty() && key >= range.end) return 0;
      if (const int error = data.GetValue(&row)) return error;
      damage = DecodeRecord(row, record);
      shown = true;
      if (!damage.ok() || !visitor(key, record)) return 0;
    }
    if (shown && WtConnection::IsTransient(error)) {
      damage = Status(Code::kOverloaded, "scanning: no room in the cache");
      return 0;
    }
    return error == WT_NOTFOUND ? 0 : error;
  });
  EBLA_TRY(parts_->CheckTable(error, table, "scanning"));
  return damage;
}

}  // namespace ebla::tabletserver
