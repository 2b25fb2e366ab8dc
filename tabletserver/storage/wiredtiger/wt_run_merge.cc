#include "tabletserver/storage/wiredtiger/wt_run_merge.h"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "tabletserver/storage/runs/merge_plan.h"
#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver {

namespace {

// After OVERLOADED a merge takes the same step again. No step that has changed its file can be taken again.
Status Final(Status status) {
  return status.code() == Code::kOverloaded ? Status(Code::kComeAgain, status.message()) : std::move(status);
}

Status NoFile(int error) {
  return Error(Code::kComeAgain, std::string("a new run cannot be made: ") + std::strerror(error));
}

// An estimate where there are holes. A large part of a run may be holes, and none of it needs room on the disk.
int64_t BytesThatCount(const TableMerge& merge) {
  int64_t bytes = 0;
  for (const RunOfTable& input : merge.inputs) {
    const Run& run = input.file->run;
    bytes += input.holes.empty() ? run.bytes : ShareOf(run, input.holes, {}).bytes;
  }
  return bytes;
}

// The merged run's at most.
size_t RecordsOf(const TableMerge& merge) {
  int64_t records = 0;
  for (const RunOfTable& input : merge.inputs) records += input.file->run.records;
  return static_cast<size_t>(records);
}

}  // namespace

WtRunMerge::WtRunMerge(const WtStoreOptions& options, WtConnection& connection, WtSessions& sessions,
                       WtSortedTables& tables, TableMerge merge)
    : sessions_(sessions),
      tables_(tables),
      merge_(std::move(merge)),
      bytes_(BytesThatCount(merge_)),
      writer_(connection, options.directory, tables.NextFile(), merge_.table->compression,
              [&tables](RunFileId file) { tables.RemoveLater(file); }) {}

WtRunMerge::~WtRunMerge() {
  if (!ended_) tables_.AbandonMerge(merge_, damaged_);
}

// Above an older run, a deleted row may hide a row of that one, and stays itself.
int64_t WtRunMerge::bytes_expected() const {
  if (!merge_.oldest) return bytes_left();
  int64_t records = 0, deletes = 0;
  for (const RunOfTable& input : merge_.inputs) {
    records += input.file->run.records;
    deletes += input.file->run.deletes;
  }
  return BytesThatStay(bytes_left(), records, deletes);
}

Status WtRunMerge::Begin() {
  const int error = writer_.Begin(RecordsOf(merge_));
  return IsShortage(error) || error == EIO ? NoFile(error) : Wrote(error);
}

// The merge is tried again later, because its inputs stay.
Status WtRunMerge::Wrote(int error) {
  return error == ENOSPC || error == EDQUOT ? NoFile(error) : sessions_.Check(error, "merging runs");
}

Result<bool> WtRunMerge::Step(int64_t bytes) {
  if (table()->dropped) return Error(Code::kNoSuchTable, "the table was dropped");
  std::shared_ptr<const RunFile> run;
  {
    const PacedSyncs paced =
        PacedSyncs::WhileWriting([this] { return table()->buffer.runs()->runs.size() > RunsMax(MergeLimits()); });
    EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
    WtRunScan rows(*session, nullptr, merge_.inputs, {.range = rest_, .deleted = true, .counted = true});
    EBLA_TRY(Copy(rows, bytes));
    if (rows.valid()) return false;
    EBLA_TRY(Final(Wrote(writer_.Finish(merge_.inputs.front().file->run.order, run))));
  }
  EBLA_TRY(Final(tables_.EndMerge(merge_, run, writer_.filter())));
  ended_ = true;
  if (run != nullptr) writer_.Keep();
  return true;
}

Status WtRunMerge::Copy(WtRunScan& rows, int64_t bytes) {
  // Bytes that are read end a step, and not those that are written: of a million deleted rows none is written.
  int error = rows.Start();
  while (error == 0 && rows.valid() && rows.bytes_passed() < bytes) {
    const bool needed = rows.row() || !merge_.oldest;
    if (needed) EBLA_TRY(Final(Wrote(writer_.Add(rows.key(), rows.row()))));
    rest_.start.assign(rows.key()).push_back('\0');  // KeyAfter, without an allocation for each row
    error = rows.Next();
  }
  read_ += rows.bytes_passed();
  damaged_ = rows.damaged();
  return sessions_.CheckTable(error, table()->id, "merging runs");
}

}  // namespace ebla::tabletserver
