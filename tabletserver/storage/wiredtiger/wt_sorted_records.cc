#include "tabletserver/storage/wiredtiger/wt_sorted_records.h"

#include <algorithm>
#include <iterator>

#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_run_scan.h"
#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

namespace ebla::tabletserver {

namespace {

// A table at one moment: what `above` takes from the buffer, the runs below, and a tablet's position.
class Moment {
 public:
  template <class Above>
  Moment(WtSession& session, const SortedTable& table, SnapshotPosition* position, const Above& above) {
    {
      const TableBuffer::Reader reader(table.buffer);
      above(reader);
      runs_ = reader.runs();
      if (position == nullptr || reader.SetPosition(*position)) return;
      // Since the start, the tablet has applied nothing. Its row changes with the next generation.
      WT_SESSION* const raw = session.get();
      error_ = raw->begin_transaction(raw, "isolation=snapshot");
      if (error_ != 0) return;
    }
    error_ = ReadPosition(session, *position, damage_);
    const int rollback = session.get()->rollback_transaction(session.get(), nullptr);
    if (error_ == 0) error_ = rollback;
  }
  int error() const { return error_; }
  const Status& damage() const { return damage_; }
  const std::vector<RunOfTable>& runs() const { return runs_->runs; }

 private:
  RunSetPtr runs_;
  Status damage_;
  int error_ = 0;
};

// WT_NOTFOUND leaves `record` empty and is no error.
int FindInRuns(WtSession& session, const std::vector<RunOfTable>& runs, std::string_view key, PageUse use,
               std::optional<StoredRecord>& record, Status& damage) {
  record.reset();
  const uint64_t hash = RunFilter::HashOf(key);
  for (const RunOfTable& run : runs) {
    if (!run.MayContain(key, hash)) continue;
    WtCursor cursor(session, RunFileId{run.file->run.number}, use);
    if (const int error = cursor.error()) return error;
    int error = cursor.Search(key);
    if (error == WT_NOTFOUND) continue;
    std::string_view row;
    if (error == 0) error = cursor.GetValue(&row);
    if (error == 0 && !row.empty()) damage = DecodeRecord(row, record.emplace());
    return error;
  }
  return 0;
}

struct SortedRowCount {
  RecordStore::RangeSize size;
  bool all = false;
};

int CountRows(WtSession& session, const SortedTable& table, const KeyRange& range, int64_t rows_max,
              SortedRowCount& count) {
  count = {};
  std::optional<BufferSnapshot> buffer;
  const Moment moment(session, table, nullptr, [&](const TableBuffer::Reader& reader) { buffer.emplace(reader); });
  BufferScan buffered(*buffer, range, false);
  WtRunScan rows(session, &buffered, moment.runs(), {.range = range, .deleted = true});
  RowSample sample;
  int error = rows.Start();
  for (int64_t visited = 0; error == 0 && rows.valid(); error = rows.Next()) {
    if (visited++ == rows_max) return 0;
    if (!rows.row()) continue;
    if (!IsTombstoneRow(*rows.row())) ++count.size.records;
    const auto bytes = static_cast<int64_t>(rows.key().size() + rows.row()->size());
    count.size.bytes += bytes;
    sample.Add(rows.key(), bytes);
  }
  count.all = error == 0;
  count.size.whole = count.all;
  if (count.all) count.size.sample = sample.Take();
  return error;
}

// By the runs' fences; rows of the buffer are counted.
RecordStore::RangeSize EstimateOf(const SortedTable& table, const KeyRange& range) {
  RecordStore::RangeSize size;
  for (const RunSetPtr runs = table.buffer.runs(); const RunOfTable& run : runs->runs) {
    const RangeShare share = ShareOf(run.file->run, run.holes, range);
    size.bytes += share.bytes;
    size.records += share.records;
    std::ranges::copy(share.sample, std::back_inserter(size.sample));
  }
  RowSample sample;
  const BufferSnapshot buffer{TableBuffer::Reader(table.buffer)};
  for (BufferScan scan(buffer, range, false); scan.valid(); scan.Next()) {
    if (!scan.row()) continue;
    const auto bytes = static_cast<int64_t>(scan.key().size() + scan.row()->size());
    ++size.records;
    size.bytes += bytes;
    sample.Add(scan.key(), bytes);
  }
  std::ranges::move(sample.Take(), std::back_inserter(size.sample));
  return size;
}

}  // namespace

void WtSortedRecords::Apply(SortedTable& table, std::span<const ApplyBatch> batches) {
  table.buffer.Apply(batches, tables_.generation_bytes_max());
  tables_.NoteApplied();
}

Result<std::optional<StoredRecord>> WtSortedRecords::GetFromRuns(WtSession& session, const SortedTable& table,
                                                                 const std::vector<RunOfTable>& runs,
                                                                 std::string_view key) {
  std::optional<StoredRecord> record;
  Status damage;
  const PageUse use = admission_.ForNextRead();
  const int error = RunRead([&] { return FindInRuns(session, runs, key, use, record, damage); });
  EBLA_TRY(sessions_.CheckTable(error, table.id, "reading a record"));
  EBLA_TRY(damage);
  return record;
}

Result<std::optional<StoredRecord>> WtSortedRecords::Get(SortedTable& table, std::string_view key,
                                                         SnapshotPosition* position) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::optional<StoredRecord> record;
  bool found = false;
  Status damage;
  const Moment moment(*session, table, position, [&](const TableBuffer::Reader& reader) {
    const std::optional<SortedRows::Bytes> row = reader.Find(key);
    found = row.has_value();
    if (found && *row) damage = DecodeRecord(**row, record.emplace());
  });
  EBLA_TRY(sessions_.CheckTable(moment.error(), table.id, "reading a record"));
  EBLA_TRY(moment.damage());
  if (!found) return GetFromRuns(*session, table, moment.runs(), key);
  EBLA_TRY(damage);
  return record;
}

Result<std::vector<std::optional<StoredRecord>>> WtSortedRecords::MultiGet(SortedTable& table,
                                                                           std::span<const std::string_view> keys,
                                                                           size_t bytes_max,
                                                                           SnapshotPosition* position) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::vector<std::optional<StoredRecord>> records(keys.size());
  std::vector<bool> found(keys.size());
  Status damage;
  // Beyond bytes_max nothing is needed of the buffer, as the loop below ends there or before.
  const Moment moment(*session, table, position, [&](const TableBuffer::Reader& reader) {
    size_t bytes = 0;
    for (size_t i = 0; i < keys.size() && bytes <= bytes_max; ++i) {
      const std::optional<SortedRows::Bytes> row = reader.Find(keys[i]);
      found[i] = row.has_value();
      if (!found[i] || !*row) continue;
      damage = DecodeRecord(**row, records[i].emplace());
      bytes += records[i]->value.size();
    }
  });
  EBLA_TRY(sessions_.CheckTable(moment.error(), table.id, "reading records"));
  EBLA_TRY(moment.damage());
  EBLA_TRY(damage);
  size_t bytes = 0;
  for (size_t i = 0; i < keys.size(); ++i) {
    if (!found[i]) {
      EBLA_ASSIGN(records[i], GetFromRuns(*session, table, moment.runs(), keys[i]));
    }
    if (records[i]) bytes += records[i]->value.size();
    if (bytes > bytes_max && i > 0) {
      records.resize(i);
      break;
    }
  }
  return records;
}

class WtSortedRecords::RunsView final : public RecordStore::View {
 public:
  RunsView(WtSortedRecords& records, WtSession& session, const SortedTable& table, const BufferSnapshot& buffer,
           const std::vector<RunOfTable>& runs)
      : records_(records), session_(session), table_(table), buffer_(buffer), runs_(runs) {}

  Result<std::optional<StoredRecord>> Get(std::string_view key) override {
    const std::optional<SortedRows::Bytes> row = buffer_.Find(key);
    if (!row) return records_.GetFromRuns(session_, table_, runs_, key);
    std::optional<StoredRecord> record;
    if (*row) EBLA_TRY(DecodeRecord(**row, record.emplace()));
    return record;
  }
  Status Scan(const ScanBounds& bounds, const RecordStore::Visitor& visitor) override {
    if (bounds.range.Empty()) return {};
    const PageUse use = bounds.read_once ? PageUse::kOnce : records_.admission_.ForNextRead();
    BufferScan buffered(buffer_, bounds.range, bounds.reverse);
    WtRunScan rows(session_, &buffered, runs_, {.range = bounds.range, .reverse = bounds.reverse, .use = use});
    StoredRecord record;
    int error = rows.Start();
    for (; error == 0 && rows.valid(); error = rows.Next()) {
      EBLA_TRY(DecodeRecord(*rows.row(), record));
      if (!visitor(rows.key(), record)) return {};
    }
    return records_.sessions_.CheckTable(error, table_.id, "scanning");
  }

 private:
  WtSortedRecords& records_;
  WtSession& session_;
  const SortedTable& table_;
  const BufferSnapshot& buffer_;
  const std::vector<RunOfTable>& runs_;
};

Status WtSortedRecords::Read(SortedTable& table, SnapshotPosition* position, const RecordStore::ViewBody& body) {
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::optional<BufferSnapshot> buffer;
  const Moment moment(*session, table, position, [&](const TableBuffer::Reader& reader) { buffer.emplace(reader); });
  EBLA_TRY(sessions_.CheckTable(moment.error(), table.id, "reading"));
  EBLA_TRY(moment.damage());
  RunsView view(*this, *session, table, *buffer, moment.runs());
  return body(view);
}

Status WtSortedRecords::ReplaceInterval(SortedTable& table, const KeyRange& interval,
                                        std::span<const std::pair<std::string, StoredRecord>> records) {
  EBLA_TRY(CheckInterval(interval, records));
  if (!records.empty()) EBLA_TRY(tables_.WaitForRoom(std::chrono::milliseconds(options_.cache_wait_ms_max)));
  EBLA_TRY(tables_.Clear(table, interval));
  if (records.empty()) return {};
  table.buffer.Put(records, tables_.generation_bytes_max());
  tables_.NoteApplied();
  return {};
}

// The accuracy: a table of up to 32 MiB is counted, except tablets of more than 100,000 rows, and each range up to a
// thousand rows. Beyond that, fences of the runs show the bytes of a range to 64 KB or a thousandth of each run. Rows
// that a newer run replaces, and deleted ones, count until a merge drops them.
Result<std::vector<RecordStore::RangeSize>> WtSortedRecords::EstimateSizes(SortedTable& table,
                                                                           std::span<const KeyRange> ranges) {
  constexpr int64_t kCountedTableBytes = int64_t{32} << 20, kCountedRows = 100'000;
  constexpr int64_t kExactRows = 1000;
  const int64_t all = table.buffer.bytes() + table.buffer.runs()->bytes();
  const int64_t rows_max = all <= kCountedTableBytes ? kCountedRows : kExactRows;
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::vector<RecordStore::RangeSize> sizes(ranges.size());
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].Empty()) continue;
    SortedRowCount count;
    const int error = RunRead([&] { return CountRows(*session, table, ranges[i], rows_max, count); });
    EBLA_TRY(sessions_.CheckTable(error, table.id, "estimating a size"));
    sizes[i] = count.all ? std::move(count.size) : EstimateOf(table, ranges[i]);
  }
  return sizes;
}

}  // namespace ebla::tabletserver
