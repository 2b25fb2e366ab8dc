#include "tabletserver/storage/wiredtiger/wt_run_merger.h"

#include <glog/logging.h>

#include "tabletserver/storage/wiredtiger/wt_run_scan.h"
#include "tabletserver/storage/wiredtiger/wt_run_writer.h"

namespace ebla::tabletserver {

namespace {

constexpr Duration kRest = std::chrono::seconds(10);

uint64_t NewestOf(const SortedTable& table) {
  const RunSetPtr runs = table.buffer.runs();
  return runs->runs.empty() ? 0 : runs->runs.front().file->run.order;
}

}  // namespace

WtRunMerger::WtRunMerger(const WtStoreOptions& options, WtConnection& connection, const DiskReserve& reserve,
                         WtSessions& sessions, WtSortedTables& tables)
    : options_(options),
      limits_{.smallest_tier_bytes = 2 * tables.generation_bytes_max()},
      executor_(options.merger != nullptr ? *options.merger : *options.background),
      connection_(connection),
      reserve_(reserve),
      sessions_(sessions),
      tables_(tables) {}

void WtRunMerger::Stop() {
  stopping_ = true;
  gate_->Close();
}

void WtRunMerger::Look(TableId table) {
  {
    const MutexLock lock(mutex_);
    waiting_.insert(table);
    if (std::exchange(posted_, true)) return;
  }
  executor_.Post([this, gate = gate_] { gate->Enter([this] { MergeNext(); }); });
}

// A merge a turn, so that others' turns on the executor come.
void WtRunMerger::MergeNext() {
  TableId id;
  {
    const MutexLock lock(mutex_);
    posted_ = false;
    if (waiting_.empty()) return;
    id = waiting_.extract(waiting_.begin()).value();
  }
  MergeTable(id);
  {
    const MutexLock lock(mutex_);
    if (waiting_.empty() || std::exchange(posted_, true)) return;
  }
  executor_.Post([this, gate = gate_] { gate->Enter([this] { MergeNext(); }); });
}

void WtRunMerger::MergeTable(TableId id) {
  const SortedTablePtr table = tables_.Find(id);
  if (table == nullptr) return;
  const Result<bool> merged = MergeSome(*table, Choice(PlanMerge));
  LOG_IF(WARNING, !merged && !stopping_) << "runs of table " << id << " are not merged: " << merged.error();
  if (!merged) return;
  *merged ? Look(id) : LookAtRest(table);
}

void WtRunMerger::LookAtRest(const SortedTablePtr& table) {
  executor_.After(kRest, [this, gate = gate_, weak = std::weak_ptr(table), newest = NewestOf(*table)] {
    gate->Enter([&] {
      const SortedTablePtr table = weak.lock();
      if (table == nullptr || NewestOf(*table) != newest) return;
      const Result<bool> merged = MergeSome(*table, Choice(PlanMergeAtRest));
      LOG_IF(WARNING, !merged && !stopping_) << "runs of table " << table->id << " are not merged: " << merged.error();
    });
  });
}

WtSortedTables::MergeChoice WtRunMerger::Choice(PlanFunction* plan) const {
  return [this, plan](const RunSet& runs) {
    std::vector<int64_t> bytes;
    for (const RunOfTable& run : runs.runs) bytes.push_back(run.file->run.bytes);
    return plan(bytes, limits_);
  };
}

Result<bool> WtRunMerger::MergeAll(SortedTable& table) {
  if (tables_.IsMerging(table)) return Error(Code::kComeAgain, "a merge of the table is under way");
  EBLA_TRY(tables_.Write(table));
  bool single = false;
  EBLA_ASSIGN(const bool merged, MergeSome(table, [&single](const RunSet& runs) -> std::optional<MergePlan> {
                if (runs.runs.empty()) return single = true, std::nullopt;
                const RunOfTable& first = runs.runs.front();
                single = runs.runs.size() == 1 && first.holes.empty() && first.file->run.deletes == 0;
                if (single) return std::nullopt;
                return MergePlan{0, runs.runs.size()};
              }));
  return merged || single;
}

Result<bool> WtRunMerger::MergeSome(SortedTable& table, const WtSortedTables::MergeChoice& choose) {
  const std::vector<RunOfTable> inputs = tables_.BeginMerge(table, choose);
  if (inputs.empty()) return false;
  const Status merged = Merge(table, inputs);
  if (!merged.ok()) tables_.AbandonMerge(table);
  EBLA_TRY(merged);
  return true;
}

Status WtRunMerger::CheckRoom(const std::vector<RunOfTable>& inputs) const {
  const DiskSpace space = reserve_.last();
  if (space.total_bytes == 0) return {};  // not looked at yet
  int64_t needed = options_.disk_reserve_bytes;
  for (const RunOfTable& input : inputs) needed += input.file->run.bytes * 5 / 4;
  if (space.free_bytes >= needed) return {};
  return Error(Code::kComeAgain, "the disk has " + std::to_string(space.free_bytes >> 20) + " MiB free, and " +
                                     std::to_string(needed >> 20) + " are needed with the reserve");
}

Status WtRunMerger::Merge(SortedTable& table, const std::vector<RunOfTable>& inputs) {
  EBLA_TRY(CheckRoom(inputs));
  // No older run has rows that deletions of these would have to hide.
  const RunSetPtr runs = table.buffer.runs();
  const bool oldest = !runs->runs.empty() && inputs.back().file == runs->runs.back().file;
  WtRunWriter writer(connection_, options_.directory, tables_.NextFile(), table.compression);
  EBLA_TRY(sessions_.Check(writer.Begin(), "merging runs"));
  std::shared_ptr<const RunFile> run;
  {
    WtSession session(writer.session());
    WtRunScan rows(session, nullptr, inputs, {.range = {}, .read_once = true, .deleted = !oldest});
    int error = rows.Start();
    for (; error == 0 && rows.valid(); error = rows.Next()) {
      if (stopping_) return Error(Code::kComeAgain, "the store is closing");
      if (reserve_.writes_refused()) return Error(Code::kComeAgain, "the disk is full but for its reserve");
      if (table.dropped) return Error(Code::kNoSuchTable, "the table was dropped");
      if ((error = writer.Add(rows.key(), rows.row())) != 0) break;
    }
    EBLA_TRY(sessions_.CheckTable(error, table.id, "merging runs"));
  }
  EBLA_TRY(sessions_.Check(writer.Finish(inputs.front().file->run.order, run), "merging runs"));
  EBLA_TRY(tables_.EndMerge(table, inputs, run, writer.filter()));
  if (run != nullptr) writer.Keep();
  return {};
}

}  // namespace ebla::tabletserver
