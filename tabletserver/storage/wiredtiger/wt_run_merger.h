// tabletserver/storage/wiredtiger/wt_run_merger.h
// Merges the runs of sorted tables in the background (../runs/merge_plan.h says which), so that reads meet few of them
// and replaced rows give their room back.
// Errors:  a merge that fails is logged, and repeated with the table's next run.
// Threads: any. Merges run on the executor `merger` of WtStoreOptions, and MergeAll on the caller's thread. Stop() ends
//          the merge in progress, and waits for that.
#pragma once

#include <atomic>
#include <memory>
#include <set>

#include "common/base/mutex.h"
#include "tabletserver/storage/runs/merge_plan.h"
#include "tabletserver/storage/task_gate.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"

namespace ebla::tabletserver {

class WtRunMerger {
 public:
  WtRunMerger(const WtStoreOptions& options, WtConnection& connection, const DiskReserve& reserve, WtSessions& sessions,
              WtSortedTables& tables);
  ~WtRunMerger() { Stop(); }
  void Stop();

  // Soon looks whether runs of the table are to be merged.
  void Look(TableId table);
  // Makes one run of all. True: there is no more to gain. COME_AGAIN: another merge is under way, or the disk has no
  // room for the merged run beside the reserve.
  Result<bool> MergeAll(SortedTable& table);

 private:
  void MergeNext();
  void MergeTable(TableId id);
  // Looks again after a while, and merges more if the table has no newer run by then.
  void LookAtRest(const SortedTablePtr& table);
  using PlanFunction = std::optional<MergePlan>(std::span<const int64_t> bytes, const MergeLimits& limits);
  WtSortedTables::MergeChoice Choice(PlanFunction* plan) const;
  // True: it has merged something.
  Result<bool> MergeSome(SortedTable& table, const WtSortedTables::MergeChoice& choose);
  Status CheckRoom(const std::vector<RunOfTable>& inputs) const;
  Status Merge(SortedTable& table, const std::vector<RunOfTable>& inputs);

  const WtStoreOptions& options_;
  const MergeLimits limits_;
  Executor& executor_;
  WtConnection& connection_;
  const DiskReserve& reserve_;
  WtSessions& sessions_;
  WtSortedTables& tables_;
  std::atomic<bool> stopping_{false};
  Mutex mutex_;
  std::set<TableId> waiting_ EBLA_GUARDED_BY(mutex_);
  bool posted_ EBLA_GUARDED_BY(mutex_) = false;
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
};

}  // namespace ebla::tabletserver
