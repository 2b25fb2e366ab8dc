#include "tabletserver/storage/wiredtiger/wt_ranges.h"

#include <algorithm>
#include <iterator>

#include "tabletserver/storage/row_encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr int64_t kLeafPageBytes = 32 << 10;  // leaf_page_max of wt_tables.cc

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

// On disk: blocks of the present state, without those that only an earlier checkpoint still holds.
struct TableBytes {
  int64_t disk = 0;
  int64_t cache = 0;
};

int ReadTableBytes(WtSession& session, TableId table, TableBytes& bytes) {
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
  bytes = {.disk = read(WT_STAT_DSRC_BLOCK_CHECKPOINT_SIZE), .cache = read(WT_STAT_DSRC_CACHE_BYTES_INUSE)};
  return 0;
}

// Rows, and their bytes, of the pages that sampled rows stand for.
struct Pages {
  double rows = 0;
  double bytes = 0;
  double BytesPerRow() const { return rows > 0 ? bytes / rows : 0; }
};

// A random descent meets each leaf page as often as any other: a row stands for a page of such rows. A row that is
// larger than a page has a page to itself and represents no other, however often it is met.
Pages PagesOf(const std::vector<SampledRow>& sample) {
  Pages pages;
  double small = 0, small_bytes = 0;
  for (const auto& [key, bytes] : sample) {
    if (bytes >= kLeafPageBytes) {
      pages.rows += 1;
      pages.bytes += static_cast<double>(bytes);
    } else {
      small += 1;
      small_bytes += static_cast<double>(bytes);
    }
  }
  const double leaves = small * static_cast<double>(kLeafPageBytes);
  pages.bytes += leaves;
  if (small > 0) pages.rows += leaves / (small_bytes / small);
  return pages;
}

// The table's keys and values, for rows of about this size. The cache may hold the disk's pages twice, as they are
// there and with every row changed since, and a third of that again in versions that no reader needs any more. If the
// cache holds more than this, most of the table has not been written yet.
double BytesOfRows(const TableBytes& bytes, double row) {
  constexpr double kCacheBytesPerRow = 90;  // what a row that was inserted takes there besides its key and value
  constexpr double kDiskBytesPerRow = 5;    // what tells their lengths
  constexpr double kFilled = 15.0 / 16;     // of a leaf page's 32 KiB, half a block of 4 KiB is left free
  constexpr double kOverhead = 1.08;        // cache_overhead: so much does WiredTiger add for the allocator
  const auto disk = static_cast<double>(bytes.disk), cache = static_cast<double>(bytes.cache) / kOverhead;
  const double changed = disk * (row + row + kCacheBytesPerRow) / row;
  if (cache < changed * 4 / 3) return disk * kFilled * row / (row + kDiskBytesPerRow);
  return cache * row / (row + kCacheBytesPerRow);
}

// To what was counted, which is the least that it can be.
void AddEstimate(const std::vector<SampledRow>& sample, const TableBytes& table, const KeyRange& range,
                 RecordStore::RangeSize& size) {
  std::ranges::copy_if(sample, std::back_inserter(size.sample),
                       [&range](const SampledRow& row) { return range.Contains(row.first); });
  if (size.sample.empty()) return;
  const Pages all = PagesOf(sample), inside = PagesOf(size.sample);
  const double bytes = inside.bytes / all.bytes * BytesOfRows(table, all.BytesPerRow());
  size.bytes = std::max(size.bytes, static_cast<int64_t>(bytes));
  size.records = std::max(size.records, static_cast<int64_t>(bytes / inside.BytesPerRow()));
  // A row is met as often as any other: its bytes stand for those of the rows about it.
  for (SampledRow& one : size.sample) one.first.resize(std::min(one.first.size(), kSampledKeyBytesMax));
}

}  // namespace

Status WtRanges::Truncate(TableId table, const KeyRange& range) {
  if (sessions_.damaged().Has(table)) return {};  // all of its file is to go
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
  const Status truncated = sessions_.CheckTable(error, table, "truncating a range");
  return sessions_.damaged().Has(table) ? Status() : truncated;
}

// In one transaction for the last thousand rows and the new ones: what is replaced is usually a chunk of that size.
Status WtRanges::Replace(TableId table, const KeyRange& interval,
                         std::span<const std::pair<std::string, StoredRecord>> records) {
  constexpr int kRowsAtOnce = 1000;
  EBLA_TRY(CheckInterval(interval, records));
  if (records.empty()) return Truncate(table, interval);
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

// The accuracy: a table of up to 32 MiB is counted, except tablets of more than 100,000 rows. In a larger table each
// range is counted up to a thousand rows. Beyond that, 400 random rows show the range's share of the table's rows. Its
// standard error is at most 2.5% of the *table* (10% +- 1.5% for a tenth of the table), and timed deletes count as
// records. Bytes are then those on disk, compressed and without writes since the last checkpoint, unless those are most
// of the table. Records are those bytes over the sample's mean row. They are too few by the compression's factor, and
// off by a fifth if a handful of large values has a seventh of the bytes.
Result<std::vector<RecordStore::RangeSize>> WtRanges::EstimateSizes(TableId table, std::span<const KeyRange> ranges) {
  constexpr int64_t kCountedTableBytes = int64_t{32} << 20, kCountedRows = 100'000;
  constexpr int64_t kExactRows = 1000;
  constexpr size_t kSampleRows = 400;
  // Its statistics would open the file, too.
  if (sessions_.damaged().IsLost(table))
    return std::unexpected(sessions_.CheckTable(kDamagedBlock, table, "estimating a size"));
  EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
  TableBytes bytes;
  const int measured = RunRead([&] { return ReadTableBytes(*session, table, bytes); });
  EBLA_TRY(sessions_.CheckTable(measured, table, "estimating a size"));
  const int64_t rows_max = std::max(bytes.disk, bytes.cache) <= kCountedTableBytes ? kCountedRows : kExactRows;
  std::vector<RecordStore::RangeSize> sizes(ranges.size());
  bool whole = true;
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (ranges[i].Empty()) continue;
    RowCount count;
    const int counted = RunRead([&] { return CountRows(*session, table, ranges[i], rows_max, count); });
    EBLA_TRY(sessions_.CheckTable(counted, table, "estimating a size"));
    sizes[i] = {.bytes = count.bytes, .records = count.rows - count.tombstones, .whole = count.all};
    if (count.all) sizes[i].sample = count.sample.Take();
    whole = whole && count.all;
  }
  if (whole) return sizes;
  std::vector<SampledRow> sample;
  const int sampled = RunRead([&] { return TakeSample(*session, table, kSampleRows, sample); });
  EBLA_TRY(sessions_.CheckTable(sampled, table, "estimating a size"));
  for (size_t i = 0; i < ranges.size(); ++i) {
    if (!sizes[i].whole && !ranges[i].Empty()) AddEstimate(sample, bytes, ranges[i], sizes[i]);
  }
  return sizes;
}

}  // namespace ebla::tabletserver
