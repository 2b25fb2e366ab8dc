#include "tabletserver/storage/wiredtiger/wt_run_rows.h"

#include <algorithm>
#include <utility>

#include "common/base/encoding.h"

namespace ebla::tabletserver {

namespace {

constexpr uint8_t kTableRowFormat = 1;
constexpr size_t kFilterPartBytes = 64 << 10;
constexpr uint64_t kHolesPart = UINT64_MAX;

std::string RowKey(TableId table, uint64_t run, uint64_t part = 0) {
  ByteWriter key;
  key.Fixed64(table.value).Fixed64(run);
  if (part > 0) key.Fixed64(part);
  return key.Take();
}

Status Damaged() { return Error(Code::kInternal, "the table of runs has a foreign row"); }

// Reads the rows of all tables in their order.
class RowReader {
 public:
  Status Take(std::string_view key, std::string_view row) {
    ByteReader reader(key);
    const TableId table{reader.Fixed64()};
    const uint64_t number = reader.Fixed64();
    const uint64_t part = key.size() > 16 ? reader.Fixed64() : 0;
    EBLA_TRY(reader.Finish("a key of the table of runs"));
    if (part > 0) {
      if (tables_.empty() || tables_.back().table != table || !run_ || run_->number != number) return Damaged();
      if (part != kHolesPart) {
        filter_.append(row);
        return {};
      }
      EBLA_ASSIGN(Run of_holes, DecodeRun(number, row));
      run_->holes = std::move(of_holes.holes);
      return {};
    }
    EndRun();
    if (number == 0) {
      if (row.size() != 2 || row[0] != kTableRowFormat) return Damaged();
      tables_.push_back({.table = table, .compression = static_cast<TableCompression>(row[1])});
      return {};
    }
    if (tables_.empty() || tables_.back().table != table) return Damaged();
    EBLA_ASSIGN(run_, DecodeRun(number, row));
    return {};
  }
  std::vector<RunTable> Finish() {
    EndRun();
    for (RunTable& table : tables_) {
      std::ranges::sort(table.runs.runs, std::greater(), [](const RunOfTable& run) { return run.file->run.order; });
    }
    return std::move(tables_);
  }

 private:
  void EndRun() {
    if (!run_) return;
    RunHoles holes = std::exchange(run_->holes, {});
    auto file = std::make_shared<const RunFile>(RunFile{*std::exchange(run_, std::nullopt), RunFilter(filter_)});
    filter_.clear();
    tables_.back().runs.runs.push_back({std::move(file), std::move(holes)});
  }

  std::vector<RunTable> tables_;
  std::optional<Run> run_;
  std::string filter_;
};

}  // namespace

int WriteTableRow(WtSession& session, TableId table, TableCompression compression) {
  WtCursor rows(session, SystemTable::kRuns);
  if (const int error = rows.error()) return error;
  const char row[] = {kTableRowFormat, static_cast<char>(compression)};
  return rows.Insert(RowKey(table, 0), {row, sizeof row});
}

int WriteHoles(WtSession& session, TableId table, const RunOfTable& run) {
  WtCursor rows(session, SystemTable::kRuns);
  if (const int error = rows.error()) return error;
  return rows.Insert(RowKey(table, run.file->run.number, kHolesPart), EncodeRun({.holes = run.holes}));
}

int WriteRunRows(WtSession& session, TableId table, const RunOfTable& run, std::string_view filter) {
  WtCursor rows(session, SystemTable::kRuns);
  if (const int error = rows.error()) return error;
  const Run& described = run.file->run;
  if (const int error = rows.Insert(RowKey(table, described.number), EncodeRun(described))) return error;
  for (uint64_t part = 1, begin = 0; begin < filter.size(); begin += kFilterPartBytes, ++part) {
    const std::string key = RowKey(table, described.number, part);
    if (const int error = rows.Insert(key, filter.substr(begin, kFilterPartBytes))) return error;
  }
  return run.holes.empty() ? 0 : WriteHoles(session, table, run);
}

int RemoveRunRows(WtSession& session, TableId table, RunFileId run) {
  WtCursor rows(session, SystemTable::kRuns);
  return rows.error() != 0 ? rows.error() : RemoveRowsWith(rows, RowKey(table, run.number));
}

Result<std::vector<RunTable>> ReadRunTables(WtSessions& sessions, WtSession& session) {
  WtCursor cursor(session, SystemTable::kRuns);
  EBLA_TRY(sessions.Check(cursor.error(), "opening a cursor"));
  RowReader reader;
  int error = cursor.Next();
  for (; error == 0; error = cursor.Next()) {
    std::string_view key, row;
    EBLA_TRY(sessions.Check(cursor.GetRow(&key, &row), "reading the table of runs"));
    EBLA_TRY(reader.Take(key, row));
  }
  if (error != WT_NOTFOUND) EBLA_TRY(sessions.Check(OfSystemTable(error), "reading the table of runs"));
  return reader.Finish();
}

}  // namespace ebla::tabletserver
