#include "tabletserver/storage/wiredtiger/wt_record_store.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

namespace ebla::tabletserver {

namespace {

// A shard waits, and with it all its tablets. After OVERLOADED it applies later.
constexpr Duration kApplyWaitMax = std::chrono::milliseconds(50);

int ApplyRecords(WtSession& session, const ApplyBatch& batch) {
  if (batch.forget || batch.records.empty()) return 0;
  WtCursor data(session, batch.table);
  if (const int error = data.error()) return error;
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

// In the transaction of the session.
class InPlaceView final : public RecordStore::View {
 public:
  InPlaceView(WtSessions& sessions, WtSession& session, TableId table)
      : sessions_(sessions), session_(session), table_(table) {}

  // WiredTiger's error with which the snapshot was given up; 0: none.
  int transient() const { return transient_; }

  Result<std::optional<StoredRecord>> Get(std::string_view key) override {
    std::optional<StoredRecord> record;
    Status damage;
    WtCursor data(session_, table_);
    const int error = data.error() != 0 ? data.error() : ReadRecord(data, key, record, damage);
    EBLA_TRY(Check(error, "reading a record"));
    EBLA_TRY(damage);
    return record;
  }
  Status Scan(const ScanBounds& bounds, const RecordStore::Visitor& visitor) override {
    if (bounds.range.Empty()) return {};
    Status damage;
    EBLA_TRY(Check(Visit(bounds, visitor, damage), "scanning"));
    return damage;
  }

 private:
  Status Check(int error, std::string_view doing) {
    if (WtConnection::IsTransient(error)) transient_ = error;
    return sessions_.CheckTable(error, table_, doing);
  }
  int Visit(const ScanBounds& bounds, const RecordStore::Visitor& visitor, Status& damage) {
    const KeyRange& range = bounds.range;
    StoredRecord record;
    std::optional<WtCursor> cursor;
    bounds.read_once ? cursor.emplace(session_, DataTableUri(table_), "read_once=true")
                     : cursor.emplace(session_, table_);
    WtCursor& data = *cursor;
    if (const int error = data.error()) return error;
    int error = bounds.reverse ? data.SeekBefore(range.end) : data.SeekAtOrAfter(range.start);
    for (; error == 0; error = bounds.reverse ? data.Prev() : data.Next()) {
      std::string_view key, row;
      if (const int error = data.GetKey(&key)) return error;
      if (bounds.reverse ? key < range.start : !range.end.empty() && key >= range.end) return 0;
      if (const int error = data.GetValue(&row)) return error;
      damage = DecodeRecord(row, record);
      if (!damage.ok() || !visitor(key, record)) return 0;
    }
    return error == WT_NOTFOUND ? 0 : error;
  }

  WtSessions& sessions_;
  WtSession& session_;
  const TableId table_;
  int transient_ = 0;
};

}  // namespace

Status WtRecordStore::Open() {
  EBLA_TRY(tables_.Open());
  return checkpoints_.Open();
}

Status WtRecordStore::Begin() {
  sorted_tables_.SetOnRuns([this](TableId table) { merger_.Look(table); });
  EBLA_TRY(sorted_tables_.Open());
  for (const SortedTablePtr& table : sorted_tables_.All()) merger_.Look(table->id);
  return {};
}

Status WtRecordStore::PrepareLast() {
  merger_.Stop();
  sorted_tables_.Stop();
  const Status written = connection_.failed() ? Status() : sorted_tables_.WriteAll();
  EBLA_TRY(checkpoints_.PrepareLast(connection_));
  return written;
}

// ---- tables ---------------------------------------------------------------------------------------------------------

Status WtRecordStore::EnsureTable(TableId table, TableCompression compression) {
  if (sorted_tables_.Find(table) != nullptr) return connection_.status();
  const bool sorts = options_.sorted_tables && (options_.features == nullptr || options_.features->Has(kSortedTables));
  if (sorts && !tables_.Has(table)) return sorted_tables_.Ensure(table, compression);
  return tables_.Ensure(table, compression);
}

Status WtRecordStore::DropTable(TableId table) {
  const SortedTablePtr sorted = sorted_tables_.Find(table);
  return sorted != nullptr ? sorted_tables_.Drop(sorted) : tables_.Drop(table);
}

std::vector<TableId> WtRecordStore::Tables() const {
  std::vector<TableId> ids = tables_.Ids();
  for (const SortedTablePtr& table : sorted_tables_.All()) ids.push_back(table->id);
  std::ranges::sort(ids);
  return ids;
}

// ---- records --------------------------------------------------------------------------------------------------------

// One call may be for several tables. A transaction that spans tablets, of a split or a merge, is of one.
Status WtRecordStore::Apply(std::span<const ApplyBatch> batches) {
  EBLA_TRY(connection_.status());
  if (sorted_tables_.empty()) return ApplyInPlace(batches);
  std::map<TableId, SortedTablePtr> tables;
  for (const ApplyBatch& batch : batches) {
    SortedTablePtr& table = tables[batch.table];
    if (table == nullptr) table = sorted_tables_.Find(batch.table);
  }
  const bool sorts = std::ranges::any_of(tables, [](const auto& table) { return table.second != nullptr; });
  if (!sorts) return ApplyInPlace(batches);
  EBLA_TRY(sorted_tables_.WaitForRoom(kApplyWaitMax));
  if (tables.size() == 1) {
    sorted_.Apply(*tables.begin()->second, batches);
    return {};
  }
  // Only changes in place can fail, so they are first.
  const auto of = [&](const SortedTablePtr& table) {
    std::vector<ApplyBatch> own;
    std::ranges::copy_if(batches, std::back_inserter(own),
                         [&](const ApplyBatch& batch) { return tables.at(batch.table) == table; });
    return own;
  };
  if (const std::vector<ApplyBatch> in_place = of(nullptr); !in_place.empty()) EBLA_TRY(ApplyInPlace(in_place));
  for (const auto& [id, table] : tables) {
    if (table != nullptr) sorted_.Apply(*table, of(table));
  }
  return {};
}

Status WtRecordStore::ApplyInPlace(std::span<const ApplyBatch> batches) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_->ForThisThread());
  WtDedupRows::Change dedup_rows(dedup_rows_, batches);
  TableId table;
  const int error = RunTransaction(*session, [&]() -> int {
    for (const ApplyBatch& batch : batches) {
      table = batch.table;
      if (const int error = ApplyRecords(*session, batch)) return error;
      if (const int error = WriteAppliedState(*session, batch)) return error;
    }
    return OfSystemTable(dedup_rows.Write(*session));
  });
  EBLA_TRY(sessions_->CheckTable(error, table, "applying"));
  dedup_rows.Commit();
  return {};
}

Result<std::optional<StoredRecord>> WtRecordStore::Get(TableId table, std::string_view key,
                                                       SnapshotPosition* position) {
  if (const SortedTablePtr sorted = sorted_tables_.Find(table)) return sorted_.Get(*sorted, key, position);
  EBLA_ASSIGN(const WtSessions::Use session, sessions_->ForThisThread());
  std::optional<StoredRecord> record;
  Status damage;
  const auto read = [&]() -> int {
    WtCursor data(*session, table);
    if (const int error = data.error()) return error;
    if (position != nullptr) {
      if (const int error = ReadPosition(*session, *position, damage)) return error;
    }
    return ReadRecord(data, key, record, damage);
  };
  const int error = position != nullptr ? RunSnapshot(*session, read) : RunRead(read);
  EBLA_TRY(sessions_->CheckTable(error, table, "reading a record"));
  EBLA_TRY(damage);
  return record;
}

Result<std::vector<std::optional<StoredRecord>>> WtRecordStore::MultiGet(TableId table,
                                                                         std::span<const std::string_view> keys,
                                                                         size_t bytes_max, SnapshotPosition* position) {
  if (const SortedTablePtr sorted = sorted_tables_.Find(table))
    return sorted_.MultiGet(*sorted, keys, bytes_max, position);
  EBLA_ASSIGN(const WtSessions::Use session, sessions_->ForThisThread());
  std::vector<std::optional<StoredRecord>> records;
  records.reserve(keys.size());
  Status damage;
  const int error = RunSnapshot(*session, [&]() -> int {
    records.clear();  // of an attempt that did not succeed
    size_t bytes = 0;
    WtCursor data(*session, table);
    if (const int error = data.error()) return error;
    if (position != nullptr) {
      if (const int error = ReadPosition(*session, *position, damage)) return error;
    }
    for (const std::string_view key : keys) {
      std::optional<StoredRecord> record;
      if (const int error = ReadRecord(data, key, record, damage)) return error;
      if (record) bytes += record->value.size();
      if (!damage.ok() || (bytes > bytes_max && !records.empty())) return 0;
      records.push_back(std::move(record));
    }
    return 0;
  });
  EBLA_TRY(sessions_->CheckTable(error, table, "reading records"));
  EBLA_TRY(damage);
  return records;
}

Status WtRecordStore::Read(TableId table, SnapshotPosition* position, const ViewBody& body) {
  if (const SortedTablePtr sorted = sorted_tables_.Find(table)) return sorted_.Read(*sorted, position, body);
  EBLA_ASSIGN(const WtSessions::Use session, sessions_->ForThisThread());
  Status read;
  const int error = RunSnapshot(*session, [&]() -> int {
    read = {};
    if (const int error = WtCursor(*session, table).error()) return error;
    if (position != nullptr) {
      if (const int error = ReadPosition(*session, *position, read)) return error;
      if (!read.ok()) return 0;
    }
    InPlaceView view(*sessions_, *session, table);
    read = body(view);
    return read.ok() ? 0 : view.transient();
  });
  EBLA_TRY(sessions_->CheckTable(error, table, "reading"));
  return read;
}

Status WtRecordStore::ReplaceInterval(TableId table, const KeyRange& interval,
                                      std::span<const std::pair<std::string, StoredRecord>> records) {
  if (const SortedTablePtr sorted = sorted_tables_.Find(table)) {
    return sorted_.ReplaceInterval(*sorted, interval, records);
  }
  return ranges_.Replace(table, interval, records);
}

Result<std::vector<RecordStore::RangeSize>> WtRecordStore::EstimateSizes(TableId table,
                                                                         std::span<const KeyRange> ranges) {
  if (const SortedTablePtr sorted = sorted_tables_.Find(table)) return sorted_.EstimateSizes(*sorted, ranges);
  return ranges_.EstimateSizes(table, ranges);
}

// ---- replicas -------------------------------------------------------------------------------------------------------

Result<RecordStore::TabletRows> WtRecordStore::Recover(TabletId tablet) {
  EBLA_TRY(sorted_tables_.WriteAll());
  EBLA_ASSIGN(const WtSessions::Use session, sessions_->ForThisThread());
  // Nothing waits after a start; a store that has served shows what it would bring back.
  EBLA_TRY(sessions_->Check(dedup_rows_.WriteOut(*session), "writing out dedup windows"));
  TabletRows rows;
  EBLA_ASSIGN(rows.applied, ReadAppliedState(*sessions_, *session, tablet));
  EBLA_ASSIGN(rows.dedup_window, WtDedupRows::Read(*sessions_, *session, tablet));
  return rows;
}

Result<std::vector<TabletId>> WtRecordStore::Tablets() {
  EBLA_TRY(sorted_tables_.WriteAll());
  EBLA_ASSIGN(const WtSessions::Use session, sessions_->ForThisThread());
  return TabletsWithState(*sessions_, *session);
}

Status WtRecordStore::Forget(TabletId tablet) {
  if (sorted_tables_.Forget(tablet)) return connection_.status();
  EBLA_ASSIGN(const WtSessions::Use session, sessions_->ForThisThread());
  const int applied = RunTransaction(*session, [&] { return RemoveAppliedState(*session, tablet); });
  EBLA_TRY(sessions_->Check(applied, "forgetting a replica's applied state"));
  return sessions_->Check(dedup_rows_.Forget(*session, tablet), "forgetting a replica's dedup window");
}

// ---- files ----------------------------------------------------------------------------------------------------------

Status WtRecordStore::Checkpoint() {
  EBLA_TRY(sorted_tables_.WriteAll());
  const uint64_t begun = sorted_tables_.BeginCheckpoint();
  EBLA_TRY(checkpoints_.Take());
  sorted_tables_.EndCheckpoint(begun);
  return {};
}

Result<bool> WtRecordStore::Compact(TableId table, Duration limit) {
  EBLA_TRY(connection_.status());
  EBLA_ASSIGN([[maybe_unused]] const int64_t before, FileBytes(table));
  if (const SortedTablePtr sorted = sorted_tables_.Find(table)) return merger_.MergeAll(sorted);
  return checkpoints_.Compact(table, limit);
}

Result<int64_t> WtRecordStore::FileBytes(TableId table) const {
  const SortedTablePtr sorted = sorted_tables_.Find(table);
  return sorted != nullptr ? sorted_tables_.FileBytes(*sorted) : tables_.FileBytes(table);
}

RecordStore::Figures WtRecordStore::figures() const {
  const DiskSpace space = reserve_.last();
  return {.room = reserve_.room(),
          .disk_free_bytes = space.free_bytes,
          .disk_total_bytes = space.total_bytes,
          .cache_bytes = cache_bytes_,
          .cache_misses = cache_misses_,
          .kept_for_checkpoint_bytes = sorted_tables_.retired_bytes(),
          .buffer_bytes = sorted_tables_.buffer_bytes(),
          .runs = runs_,
          .filter_bytes = filter_bytes_,
          .merge_bytes_left = merger_.bytes_left()};
}

void WtRecordStore::ReadCounters() {
  int64_t count = 0, filter_bytes = 0;
  for (const SortedTablePtr& table : sorted_tables_.All()) {
    const RunSetPtr runs = table->buffer.runs();
    count += static_cast<int64_t>(runs->runs.size());
    for (const RunOfTable& run : runs->runs) filter_bytes += run.file->filter.bytes();
  }
  runs_ = count;
  filter_bytes_ = filter_bytes;
  const Result<WtSessions::Use> session = sessions_->ForThisThread();
  if (!session) return;
  WT_SESSION* const raw = (*session)->get();
  cache_bytes_ = Statistic(raw, WT_STAT_CONN_CACHE_BYTES_INUSE).value_or(cache_bytes_);
  admission_.NoteUsed(cache_bytes_);
  cache_misses_ = Statistic(raw, WT_STAT_CONN_CACHE_READ).value_or(cache_misses_);
}

}  // namespace ebla::tabletserver
