#include "tabletserver/storage/wiredtiger/wt_ranges.h"

#include <algorithm>
#include <iterator>
#include <numeric>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

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
  WtCursor data(session, table);
  if (const int error = data.error()) return error;
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
  WtCursor random(session, DataTableUri(table), "next_random=true");
  if (const int error = random.error()) return error;
  while (sample.size() < rows) {
    const int error = random.Next();
    if (error == WT_NOTFOUND) return 0;
    std::string_view key, row;
    if (error != 0) return error;
    if (const int error = random.GetRow(&key, &row)) return error;
    sample.emplace_back(key, static_cast<int64_t>(key.size() + row.size()));
  }
  return 0;
}

// What the table's file holds, or, when more than that is in the cache (nothing has been written yet), that.
int TableBytes(WtSession& session, TableId table, int64_t& bytes) {
  bytes = 0;
  const std::string uri = "statistics:file:data_" + std::to_string(table.value) + ".wt";
  const WtCursor statistics(session, uri, "statistics=(fast)");
  if (const int error = statistics.error()) return error;
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

Status WtRanges::Truncate(TableId table, const KeyRange& range) {
  if (range.Empty()) return {};
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  WT_SESSION* const raw = session->get();
  const int error = RunRead([&]() -> int {
    WtCursor first(*session, table);
    if (const int error = first.error()) return error;
    WtCursor last(*session, DataTableUri(table), nullptr);
    if (const int error = last.error()) return error;
    // WiredTiger includes the last row, and ranges end before their end: find the rows there are.
    if (const int error = first.SeekAtOrAfter(range.start)) return error;
    if (const int error = last.SeekBefore(range.end)) return error;
    std::string_view first_key, last_key;
    if (const int error = first.GetKey(&first_key)) return error;
    if (const int error = last.GetKey(&last_key)) return error;
    if (first_key > last_key) return 0;
    return raw->truncate(raw, nullptr, first.get(), last.get(), nullptr);
  });
  if (error == WT_NOTFOUND) return {};
  return sessions_.CheckTable(error, table, "truncating a range");
}

// In one transaction for the last thousand rows and the new ones: what is replaced is usually a chunk of that size.
Status WtRanges::Replace(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records) {
  constexpr int kRowsAtOnce = 1000;
  EBLA_TRY(CheckInterval(interval, records));
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  for (bool more = true; more;) {
    const int error = RunTransaction(*session, [&]() -> int {
      WtCursor data(*session, table);
      if (const int error = data.error()) return error;
      if (const int error = RemoveRows(data, interval, kRowsAtOnce, more)) return error;
      if (more) return 0;
      for (const auto& [key, record] : records) {
        EncodeRecord(record, session->scratch());
        if (const int error = data.Insert(key, session->scratch().view())) return error;
      }
      return 0;
    });
    EBLA_TRY(sessions_.CheckTable(error, table, "replacing an interval"));
  }
  return {};
}

// How far off: the share of the table's rows that lies in a range is taken from 400 random rows, so its standard
// error is at most 2.5% of the *table* (a range of a tenth of the table: 10% +- 1.5%), and WiredTiger's random descent
// favours rows of emptier pages. Timed deletes count as records here. Bytes are those on disk: compressed, and without
// what is still only in the cache when that is the smaller part. Records are bytes over the sample's mean row, so too
// few by the compression's factor.
Result<std::vector<TabletStore::RangeSize>> WtRanges::EstimateSizes(TableId table, std::span<const KeyRange> ranges) {
  constexpr int64_t kExactRows = 1000;
  constexpr size_t kSampleRows = 400;
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  std::vector<TabletStore::RangeSize> sizes(ranges.size());
  bool whole = true;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].Empty()) continue;
    RowCount count;
    const int counted = RunRead([&] { return CountRows(*session, table, ranges[i], kExactRows, count); });
    EBLA_TRY(sessions_.CheckTable(counted, table, "estimating a size"));
    sizes[i] = {.bytes = count.bytes, .records = count.rows - count.tombstones, .whole = count.all};
    if (count.all) sizes[i].sample = count.sample.Take();
    whole = whole && count.all;
  }
  if (whole) return sizes;
  std::vector<SampledRow> sample;
  const int sampled = RunRead([&] { return TakeSample(*session, table, kSampleRows, sample); });
  EBLA_TRY(sessions_.CheckTable(sampled, table, "estimating a size"));
  int64_t table_bytes = 0;
  const int measured = RunRead([&] { return TableBytes(*session, table, table_bytes); });
  EBLA_TRY(sessions_.CheckTable(measured, table, "estimating a size"));
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!sizes[i].whole && !ranges[i].Empty()) AddEstimate(sample, table_bytes, ranges[i], sizes[i]);
  }
  return sizes;
}

}  // namespace ebla::tabletserver
