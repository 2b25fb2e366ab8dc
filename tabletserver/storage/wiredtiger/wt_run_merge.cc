#include "tabletserver/storage/wiredtiger/wt_run_merge.h"

#include <utility>

#include "tabletserver/storage/wiredtiger/wt_files.h"

namespace ebla::tabletserver {

namespace {

// After OVERLOADED a merge takes the same step again. No step that has changed its file can be taken again.
Status Final(Status status) {
  return status.code() == Code::kOverloaded ? Status(Code::kComeAgain, status.message()) : std::move(status);
}

}  // namespace

WtRunMerge::WtRunMerge(const WtStoreOptions& options, WtConnection& connection, WtSessions& sessions,
                       WtSortedTables& tables, TableMerge merge)
    : sessions_(sessions),
      tables_(tables),
      merge_(std::move(merge)),
      bytes_(merge_.bytes()),
      writer_(connection, options.directory, tables.NextFile(), merge_.table->compression,
              [&tables](RunFileId file) { tables.RemoveLater(file); }) {}

WtRunMerge::~WtRunMerge() {
  if (!ended_) tables_.AbandonMerge(merge_, damaged_);
}

Status WtRunMerge::Begin() { return sessions_.Check(writer_.Begin(), "merging runs"); }

Result<bool> WtRunMerge::Step(int64_t bytes) {
  if (table()->dropped) return Error(Code::kNoSuchTable, "the table was dropped");
  std::shared_ptr<const RunFile> run;
  {
    const PacedSyncs paced =
        PacedSyncs::WhileWriting([this] { return table()->buffer.runs()->runs.size() > RunsMax(MergeLimits()); });
    EBLA_ASSIGN(const WtSessions::Use session, sessions_.ForThisThread());
    WtRunScan rows(*session, nullptr, merge_.inputs, {.range = rest_, .deleted = !merge_.oldest});
    EBLA_TRY(Copy(rows, bytes));
    if (rows.valid()) return false;
    EBLA_TRY(Final(sessions_.Check(writer_.Finish(merge_.inputs.front().file->run.order, run), "merging runs")));
  }
  EBLA_TRY(Final(tables_.EndMerge(merge_, run, writer_.filter())));
  ended_ = true;
  if (run != nullptr) writer_.Keep();
  return true;
}

Status WtRunMerge::Copy(WtRunScan& rows, int64_t bytes) {
  const int64_t upto = writer_.bytes() + bytes;
  int error = rows.Start();
  while (error == 0 && rows.valid() && writer_.bytes() < upto) {
    EBLA_TRY(Final(sessions_.Check(writer_.Add(rows.key(), rows.row()), "merging runs")));
    error = rows.Next();
  }
  rest_.start = writer_.next_key();
  damaged_ = rows.damaged();
  return sessions_.CheckTable(error, table()->id, "merging runs");
}

}  // namespace ebla::tabletserver
