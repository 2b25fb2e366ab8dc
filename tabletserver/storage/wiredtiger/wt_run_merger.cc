#include "tabletserver/storage/wiredtiger/wt_run_merger.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

namespace ebla::tabletserver {

namespace {

constexpr Duration kRest = std::chrono::seconds(10);
constexpr int64_t kStepBytes = int64_t{4} << 20;
constexpr Duration kRetry = std::chrono::seconds(10);
constexpr size_t kMergesMax = 4;       // under way at once
constexpr size_t kLargeMergesMax = 3;  // of them, so that a small one always has its turn

uint64_t NewestOf(const SortedTable& table) {
  const RunSetPtr runs = table.buffer.runs();
  return runs->runs.empty() ? 0 : runs->runs.front().file->run.order;
}

}  // namespace

WtRunMerger::WtRunMerger(const WtStoreOptions& options, WtConnection& connection, DiskReserve& reserve,
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
  merges_.clear();
}

void WtRunMerger::Look(TableId table) {
  {
    const MutexLock lock(mutex_);
    waiting_.insert(table);
  }
  PostTurn();
}

void WtRunMerger::PostTurn() {
  {
    const MutexLock lock(mutex_);
    if (std::exchange(posted_, true)) return;
  }
  executor_.Post([this, gate = gate_] { gate->Enter([this] { Turn(); }); });
}

void WtRunMerger::Turn() {
  {
    const MutexLock lock(mutex_);
    posted_ = false;
  }
  SpareRoom();
  BeginMerges();
  StepSmallest();
  if (!merges_.empty()) PostTurn();
}

size_t WtRunMerger::MergesMax() const { return reserve_.room() == DiskRoom::kAll ? kMergesMax : 1; }

void WtRunMerger::SpareRoom() {
  if (reserve_.room() == DiskRoom::kAll) return;
  while (!merges_.empty()) {
    const auto largest = std::ranges::max_element(merges_, {}, [](const auto& merge) { return merge->bytes_left(); });
    const Status room = merges_.size() > 1 ? NoDiskRoom(DiskRoom::kDeletes) : CheckRoomBelowReserve(**largest);
    if (room.ok()) return;
    NoteFailed((*largest)->table()->id, room);
    bytes_left_ -= (*largest)->bytes_left();
    End(largest);
  }
}

void WtRunMerger::BeginMerges() {
  while (merges_.size() < MergesMax()) {
    TableId id;
    {
      const MutexLock lock(mutex_);
      if (waiting_.empty()) return;
      // Each in its turn, and not always the table with the least id.
      const auto next = waiting_.upper_bound(last_);
      id = last_ = waiting_.extract(next == waiting_.end() ? waiting_.begin() : next).value();
    }
    const SortedTablePtr table = tables_.Find(id);
    if (table == nullptr) continue;
    // A table that has one merge to begin may have another.
    if (const Result<bool> begun = BeginMerge(table, PlanMerge)) *begun ? Look(id) : LookAtRest(table);
  }
}

Result<bool> WtRunMerger::BeginMerge(const SortedTablePtr& table, PlanFunction* plan) {
  if (stopping_) return false;
  const auto large = std::ranges::count_if(merges_, [&](const auto& merge) { return IsLarge(merge->bytes()); });
  const auto choose = [&](std::span<const PlannedRun> runs) -> std::optional<MergePlan> {
    const std::optional<MergePlan> chosen = reserve_.room() == DiskRoom::kAll
                                                ? plan(runs, limits_)
                                                : PlanMergeBelowReserve(runs, limits_, RoomBelowReserve());
    if (!chosen || static_cast<size_t>(large) < kLargeMergesMax) return chosen;
    int64_t bytes = 0;
    for (const PlannedRun& run : runs.subspan(chosen->first, chosen->count)) bytes += run.bytes - run.bytes_in_holes;
    if (!IsLarge(bytes)) return chosen;
    put_off_.insert(table->id);
    return std::nullopt;
  };
  Result<std::unique_ptr<WtRunMerge>> merge = Begin(table, choose);
  if (!merge) {
    NoteFailed(table->id, merge.error());
    return std::unexpected(merge.error());
  }
  if (*merge == nullptr) return false;
  bytes_left_ += (*merge)->bytes_left();
  merges_.push_back(*std::move(merge));
  return true;
}

void WtRunMerger::NoteFailed(TableId table, const Status& why) {
  if (stopping_) return;
  LOG(WARNING) << "runs of table " << table << " are not merged: " << why;
  executor_.After(kRetry, [this, gate = gate_, table] { gate->Enter([&] { Look(table); }); });
}

void WtRunMerger::StepSmallest() {
  if (merges_.empty()) return;
  const auto smallest = std::ranges::min_element(merges_, {}, [](const auto& merge) { return merge->bytes_left(); });
  const SortedTablePtr table = (*smallest)->table();
  const int64_t before = (*smallest)->bytes_left();
  Result<bool> done = Step(**smallest);
  if (!done && done.error().code() == Code::kOverloaded) done = false;
  if (!done) NoteFailed(table->id, done.error());
  const bool ends = !done || *done;
  bytes_left_ -= before - (ends ? 0 : (*smallest)->bytes_left());
  if (!ends) return;
  End(smallest);
  if (done) Look(table->id);
}

void WtRunMerger::End(std::vector<std::unique_ptr<WtRunMerge>>::iterator merge) {
  const bool large = IsLarge((*merge)->bytes());
  merges_.erase(merge);
  if (!large) return;
  for (const TableId put_off : std::exchange(put_off_, {})) Look(put_off);
}

void WtRunMerger::LookAtRest(const SortedTablePtr& table) {
  executor_.After(kRest, [this, gate = gate_, weak = std::weak_ptr(table), newest = NewestOf(*table)] {
    gate->Enter([&] {
      const SortedTablePtr table = weak.lock();
      if (table == nullptr || NewestOf(*table) != newest) return;
      if (merges_.size() >= MergesMax()) return LookAtRest(table);
      if (BeginMerge(table, PlanMergeAtRest).value_or(false)) PostTurn();
    });
  });
}

Result<bool> WtRunMerger::MergeAll(const SortedTablePtr& table) {
  if (tables_.IsMerging(*table)) return Error(Code::kComeAgain, "a merge of the table is under way");
  if (reserve_.room() != DiskRoom::kAll && bytes_left_ > 0)
    return Error(Code::kComeAgain, "the disk is full but for its reserve, and another merge is under way");
  EBLA_TRY(tables_.Write(*table));
  const RunSetPtr runs = table->buffer.runs();
  const std::vector<RunOfTable>& all = runs->runs;
  if (all.empty()) return true;
  if (all.size() == 1 && all[0].holes.empty() && all[0].file->run.deletes == 0) return true;
  EBLA_ASSIGN(const std::unique_ptr<WtRunMerge> merge,
              Begin(table, [](std::span<const PlannedRun> runs) -> std::optional<MergePlan> {
                if (runs.empty() || std::ranges::any_of(runs, &PlannedRun::fixed)) return std::nullopt;
                return MergePlan{0, runs.size()};
              }));
  // Not false: the caller would try again at once.
  if (merge == nullptr) return Error(Code::kComeAgain, "the table has changed, is being merged, or has a damaged run");
  for (;;) {
    EBLA_ASSIGN(const bool done, Step(*merge));
    if (done) return true;
  }
}

// Null: there is nothing to merge.
Result<std::unique_ptr<WtRunMerge>> WtRunMerger::Begin(const SortedTablePtr& table,
                                                       const WtSortedTables::MergeChoice& choose) {
  std::optional<TableMerge> chosen = tables_.BeginMerge(table, choose);
  if (!chosen) return nullptr;
  auto merge = std::make_unique<WtRunMerge>(options_, connection_, sessions_, tables_, *std::move(chosen));
  EBLA_TRY(CheckRoom(*merge));
  EBLA_TRY(merge->Begin());
  return merge;
}

Result<bool> WtRunMerger::Step(WtRunMerge& merge) {
  if (stopping_) return Error(Code::kComeAgain, "the store is closing");
  reserve_.Look();  // a merge writes hundreds of megabytes between two looks of the store's own
  if (reserve_.room() != DiskRoom::kAll) EBLA_TRY(CheckRoomBelowReserve(merge));
  return merge.Step(kStepBytes);
}

Status WtRunMerger::CheckRoom(const WtRunMerge& merge) const {
  const DiskSpace space = reserve_.last();
  if (space.total_bytes == 0) return {};  // not looked at yet
  if (reserve_.room() != DiskRoom::kAll) return CheckRoomBelowReserve(merge);
  const int64_t needed = options_.disk_reserve_bytes + (bytes_left_ + merge.bytes()) * 5 / 4;
  if (space.free_bytes >= needed) return {};
  return Error(Code::kComeAgain, "the disk has " + std::to_string(space.free_bytes >> 20) + " MiB free, and " +
                                     std::to_string(needed >> 20) + " are needed with the reserve");
}

Status WtRunMerger::CheckRoomBelowReserve(const WtRunMerge& merge) const {
  if (reserve_.room() == DiskRoom::kNone) return Error(Code::kComeAgain, NoDiskRoom(DiskRoom::kNone).message());
  const int64_t room = RoomBelowReserve(), needed = merge.bytes_expected();
  if (needed <= room) return {};
  return Error(Code::kComeAgain, "the disk is full but for its reserve: a merge may write " +
                                     std::to_string(room >> 20) + " MiB, and this one has " +
                                     std::to_string(needed >> 20) + " MiB of records that stay");
}

}  // namespace ebla::tabletserver
