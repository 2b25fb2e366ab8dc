// Whole ranges of WtStore's records: truncation, replacement, and estimates of size.
#include <algorithm>
#include <iterator>
#include <numeric>

#include "tabletserver/storage/row_encoding.h"
#include "tabletserver/storage/wiredtiger/wt_parts.h"

namespace ebla::tabletserver {

namespace {

// A cursor of its own for one call, beside the session's.
class OwnCursor {
 public:
  int Open(WtSession& session, const std::string& uri, const char* config) {
    return session.get()->open_cursor(session.get(), uri.c_str(), nullptr, config, &cursor_);
  }
  ~OwnCursor() {
    if (cursor_ != nullptr) cursor_->close(cursor_);
  }
  WT_CURSOR* get() const { return cursor_; }

 private:
  WT_CURSOR* cursor_ = nullptr;
};

bool Below(std::string_view key, const KeyRange& range) { return range.end.empty() || key < range.end; }

// Removes the first rows of a range; `more`: those were not all.
int RemoveRows(WtCursor& data, const KeyRange& range, int rows_max, bool& more) {
  more = false;
  int error = data.SeekAtOrAfter(range.start);
  for (int rows = 0; error == 0; ++rows) {
    std::string_view key;
    if (const int error = data.GetKey(&key)) return error;
    if (!Below(key, range)) return 0;
    more = rows == rows_max;
    if (more) return 0;
    if (const int error = data.RemoveHere()) return error;
    error = data.Next();
  }
  return error == WT_NOTFOUND ? 0 : error;
}

struct RowCount {
  int64_t rows = 0;
  int64_t tombstones = 0;
  int64_t bytes = 0;
  bool all = false;  // the range ended
  RowSample sample;
};

int CountRows(WtSession& session, TableId table, const KeyRange& range, int64_t rows_max, RowCount& count) {
  count = {};
  WT_CURSOR* raw = nullptr;
  if (const int error = session.DataCursor(table, &raw)) return error;
  WtCursor data(raw);
  int error = data.SeekAtOrAfter(range.start);
  for (; error == 0; error = data.Next()) {
    std::string_view key, row;
    if (const int error = data.GetKey(&key)) return error;
    if (!Below(key, range)) break;
    if (count.rows == rows_max) return 0;
    if (const int error = data.GetValue(&row)) return error;
    ++count.rows;
    if (IsTombstoneRow(row)) ++count.tombstones;
    const auto bytes = static_cast<int64_t>(key.size() + row.size());
    count.bytes += bytes;
    count.sample.Add(key, bytes);
  }
  count.all = error == 0 || error == WT_NOTFOUND;
  return count.all ? 0 : error;
}

int TakeSample(WtSession& session, TableId table, size_t rows, std::vector<SampledRow>& sample) {
  sample.clear();
  OwnCursor random;
  if (const int error = random.Open(session, DataTableUri(table), "next_random=true")) return error;
  WtCursor cursor(random.get());
  while (sample.size() < rows) {
    const int error = cursor.Next();
    if (error == WT_NOTFOUND) return 0;
    std::string_view key, row;
    if (error != 0) return error;
    if (const int error = cursor.GetKey(&key)) return error;
    if (const int error = cursor.GetValue(&row)) return error;
    sample.emplace_back(key, static_cast<int64_t>(key.size() + row.size()));
  }
  return 0;
}

// What the table's file holds, or, when more than that is in the cache (nothing has been written yet), that.
int TableBytes(WtSession& session, TableId table, int64_t& bytes) {
  bytes = 0;
  OwnCursor statistics;
  const std::string uri = "statistics:file:data_" + std::to_string(table.value) + ".wt";
  if (const int error = statistics.Open(session, uri, "statistics=(fast)")) return error;
  const auto read = [cursor = statistics.get()](int key) {
    const char* description = nullptr;
    const char* text = nullptr;
    int64_t value = 0;
    cursor->set_key(cursor, key);
    if (cursor->search(cursor) != 0 || cursor->get_value(cursor, &description, &text, &value) != 0) return int64_t{0};
    return value;
  };
  const int64_t disk = read(WT_STAT_DSRC_BLOCK_SIZE) - read(WT_STAT_DSRC_BLOCK_REUSE_BYTES);
  bytes = std::max(disk, read(WT_STAT_DSRC_CACHE_BYTES_INUSE));
  return 0;
}

int64_t BytesOf(const std::vector<SampledRow>& rows) {
  return std::accumulate(rows.begin(), rows.end(), int64_t{0},
                         [](int64_t bytes, const SampledRow& row) { return bytes + row.second; });
}

// To what was counted, which is the least that it can be.
void AddEstimate(const std::vector<SampledRow>& sample, int64_t table_bytes, const KeyRange& range,
                 TabletStore::RangeSize& size) {
  std::ranges::copy_if(sample, std::back_inserter(size.sample),
                       [&range](const SampledRow& row) { return range.Contains(row.first); });
  if (size.sample.empty()) return;
  const auto inside = static_cast<double>(BytesOf(size.sample));
  const double bytes = inside / static_cast<double>(BytesOf(sample)) * static_cast<double>(table_bytes);
  const double row = inside / static_cast<double>(size.sample.size());
  size.bytes = std::max(size.bytes, static_cast<int64_t>(bytes));
  size.records = std::max(size.records, static_cast<int64_t>(bytes / row));
  // A row is met as often as any other: its bytes stand for those of the rows about it.
  for (SampledRow& one : size.sample) one.first.resize(std::min(one.first.size(), kSampledKeyBytesMax));
}

}  // namespace

Status WtStore::TruncateRange(TableId table, const KeyRange& range) {
  if (range.Empty()) return {};
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  WT_SESSION* const raw = session->get();
  const int error = RunRead([&]() -> int {
    WT_CURSOR* data = nullptr;
    if (const int error = session->DataCursor(table, &data)) return error;
    WtCursor first(data);
    OwnCursor own;
    if (const int error = own.Open(*session, DataTableUri(table), nullptr)) return error;
    // WiredTiger includes the last row, and ranges end before their end: find the rows there are.
    if (const int error = first.SeekAtOrAfter(range.start)) return error;
    WtCursor last(own.get());
    if (const int error = last.SeekBefore(range.end)) return error;
    std::string_view first_key, last_key;
    if (const int error = first.GetKey(&first_key)) return error;
    if (const int error = last.GetKey(&last_key)) return error;
    if (first_key > last_key) return 0;
    return raw->truncate(raw, nullptr, data, own.get(), nullptr);
  });
  if (error == WT_NOTFOUND) return {};
  return parts_->CheckTable(error, table, "truncating a range");
}

// In one transaction for the last thousand rows and the new ones: what is replaced is usually a chunk of that size.
Status WtStore::ReplaceInterval(TableId table, const KeyRange& interval,
                                std::span<const std::pair<std::string, StoredRecord>> records) {
  constexpr int kRowsAtOnce = 1000;
  EBLA_TRY(CheckInterval(interval, records));
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  for (bool more = true; more;) {
    const int error = RunTransaction(*session, [&]() -> int {
      WT_CURSOR* raw = nullptr;
      if (const int error = session->DataCursor(table, &raw)) return error;
      WtCursor data(raw);
      if (const int error = RemoveRows(data, interval, kRowsAtOnce, more)) return error;
      if (more) return 0;
      for (const auto& [key, record] : records) {
        EncodeRecord(record, session->scratch());
        if (const int error = data.Insert(key, session->scratch().view())) return error;
      }
      return 0;
    });
    EBLA_TRY(parts_->CheckTable(error, table, "replacing an interval"));
  }
  return {};
}

// How far off: the share of the table's rows that lies in a range is taken from 400 random rows, so its standard
// error is at most 2.5% of the *table* (a range of a tenth of the table: 10% +- 1.5%), and WiredTiger's random descent
// favours rows of emptier pages. Timed deletes count as records here. Bytes are those on disk: compressed, and without
// what is still only in the cache when that is the smaller part. Records are bytes over the sample's mean row, so too
// few by the compression's factor.
Result<std::vector<TabletStore::RangeSize>> WtStore::EstimateSizes(TableId table, std::span<const KeyRange> ranges) {
  constexpr int64_t kExactRows = 1000;
  constexpr size_t kSampleRows = 400;
  EBLA_ASSIGN(const WtSessions::Use session, parts_->sessions->ForThisThread());
  std::vector<RangeSize> sizes(ranges.size());
  bool whole = true;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].Empty()) continue;
    RowCount count;
    const int counted = RunRead([&] { return CountRows(*session, table, ranges[i], kExactRows, count); });
    EBLA_TRY(parts_->CheckTable(counted, table, "estimating a size"));
    sizes[i] = {.bytes = count.bytes, .records = count.rows - count.tombstones, .whole = count.all};
    if (count.all) sizes[i].sample = count.sample.Take();
    whole = whole && count.all;
  }
  if (whole) return sizes;
  std::vector<SampledRow> sample;
  const int sampled = RunRead([&] { return TakeSample(*session, table, kSampleRows, sample); });
  EBLA_TRY(parts_->CheckTable(sampled, table, "estimating a size"));
  int64_t table_bytes = 0;
  const int measured = RunRead([&] { return TableBytes(*session, table, table_bytes); });
  EBLA_TRY(parts_->CheckTable(measured, table, "estimating a size"));
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!sizes[i].whole && !ranges[i].Empty()) AddEstimate(sample, table_bytes, ranges[i], sizes[i]);
  }
  return sizes;
}

}  // namespace ebla::tabletserver
