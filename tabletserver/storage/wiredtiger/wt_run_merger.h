// tabletserver/storage/wiredtiger/wt_run_merger.h
// Merges the runs of sorted tables in the background (../runs/merge_plan.h says which), so that reads meet few of them
// and replaced rows give their room back.
// How:     several merges are under way, and the one that has least left takes the next step. So new runs are merged
//          soon, also while a large merge lasts for hours.
// Room:    below the disk's reserve (PROTOCOL 25) merges are how deletes give room back. There is one at a time then,
//          the first that has room (PlanMergeBelowReserve): the merged run is expected to need no more than half of the
//          free room. A merge ends unfinished if the disk has no room for deletes any more.
// Errors:  a merge that fails is logged, and tried again after ten seconds. A run with a damaged block is left out.
// Threads: any. Merges run on the executor `merger` of WtStoreOptions, and MergeAll on the caller's thread. Stop() ends
//          the merge in progress, and waits for that.
#pragma once

#include <atomic>
#include <memory>
#include <set>
#include <span>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/runs/merge_plan.h"
#include "tabletserver/storage/task_gate.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/wt_run_merge.h"
#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"

namespace ebla::tabletserver {

class WtRunMerger {
 public:
  WtRunMerger(const WtStoreOptions& options, WtConnection& connection, DiskReserve& reserve, WtSessions& sessions,
              WtSortedTables& tables);
  ~WtRunMerger() { Stop(); }
  void Stop();
  // No step begins any more, so that a stop waits for none.
  void Hurry() { stopping_ = true; }

  // Soon looks whether runs of the table are to be merged.
  void Look(TableId table);
  // Makes one run of all. True: there is no more to gain. COME_AGAIN: another merge is under way, a run has a damaged
  // block, or the disk has no room for the merged run.
  Result<bool> MergeAll(const SortedTablePtr& table);
  int64_t bytes_left() const { return bytes_left_; }  // of the merges under way

 private:
  using PlanFunction = std::optional<MergePlan>(std::span<const PlannedRun> runs, const MergeLimits& limits);

  void PostTurn();
  // Begins merges, and lets the one that has least left go forward a step.
  void Turn();
  void BeginMerges();
  // True: a merge has begun.
  Result<bool> BeginMerge(const SortedTablePtr& table, PlanFunction* plan);
  bool IsLarge(int64_t bytes) const {
    return bytes > limits_.smallest_tier_bytes * static_cast<int64_t>(limits_.runs_per_tier);
  }
  void NoteFailed(TableId table, const Status& why);
  void StepSmallest();
  // Below the reserve, gives up all merges but the smallest, and that one as well if it needs too much.
  void SpareRoom();
  void End(std::vector<std::unique_ptr<WtRunMerge>>::iterator merge);
  size_t MergesMax() const;
  // Looks again after a while, and merges more if the table has no newer run by then.
  void LookAtRest(const SortedTablePtr& table);
  Result<std::unique_ptr<WtRunMerge>> Begin(const SortedTablePtr& table, const WtSortedTables::MergeChoice& choose);
  Result<bool> Step(WtRunMerge& merge);
  Status CheckRoom(const WtRunMerge& merge) const;
  Status CheckRoomBelowReserve(const WtRunMerge& merge) const;
  int64_t RoomBelowReserve() const { return reserve_.last().free_bytes / 2 / 5 * 4; }  // for a merged run's rows

  const WtStoreOptions& options_;
  const MergeLimits limits_;
  Executor& executor_;
  WtConnection& connection_;
  DiskReserve& reserve_;
  WtSessions& sessions_;
  WtSortedTables& tables_;
  std::atomic<bool> stopping_{false};
  std::vector<std::unique_ptr<WtRunMerge>> merges_;  // inside the gate
  std::set<TableId> put_off_;                        // inside the gate: their large merges
  std::atomic<int64_t> bytes_left_{0};               // of them all
  Mutex mutex_;
  std::set<TableId> waiting_ EBLA_GUARDED_BY(mutex_);
  TableId last_ EBLA_GUARDED_BY(mutex_);  // of waiting_, that had its turn
  bool posted_ EBLA_GUARDED_BY(mutex_) = false;
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
};

}  // namespace ebla::tabletserver
