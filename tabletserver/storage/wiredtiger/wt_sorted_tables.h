// tabletserver/storage/wiredtiger/wt_sorted_tables.h
// The sorted tables of a store. A write changes a buffer in memory (../buffer/table_buffer.h). Its generations become
// runs, files of sorted rows that never change (wt_run_writer.h); a merge makes one run of several (wt_run_merger.h).
// Why:        a b-tree under random inserts reads and writes a page for each row once the table exceeds the cache. A
//             run is written in order.
// When:       a generation is written once it is full; every buffer before a checkpoint; the largest one while all of
//             them together have half of their bound. At the bound an Apply waits. A table of too many runs has none
//             added but for a checkpoint, so writes never outrun merges.
// Invariants: 1. One transaction brings a generation's run into the table `runs`, and with it the applied states and
//                dedup window rows that belong to the run's records. So each checkpoint has whole Applies.
//             2. The file of a merged run is removed only after a checkpoint that does not name the run, and once no
//                reader has the run.
// Source:     the log-structured merge-tree of O'Neil and others (1996), merged in tiers.
// Lock order: a table's write mutex; a session; the mutexes here.
// Threads:    any. Tasks run on the executor `writer` of WtStoreOptions; Stop() waits for the task in progress.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/buffer/table_buffer.h"
#include "tabletserver/storage/runs/merge_plan.h"
#include "tabletserver/storage/task_gate.h"
#include "tabletserver/storage/wiredtiger/wt_connection.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

struct SortedTable {
  SortedTable(TableId id, TableCompression compression, std::atomic<int64_t>& bytes)
      : id(id), compression(compression), buffer(bytes) {}

  struct UnderMerge {
    std::set<RunNumber> inputs;
    std::vector<KeyRange> cleared;  // since the merge began
  };

  const TableId id;
  const TableCompression compression;
  TableBuffer buffer;
  std::atomic<bool> dropped{false};
  uint64_t next_order EBLA_GUARDED_BY(buffer.write_mutex()) = 1;  // of runs
  // By the order of the newest input.
  std::map<uint64_t, UnderMerge> merges EBLA_GUARDED_BY(buffer.write_mutex());
  std::set<RunNumber> unreadable EBLA_GUARDED_BY(buffer.write_mutex());  // a merge has met a damaged block of these
  std::atomic<size_t> unreadable_count{0};
};
using SortedTablePtr = std::shared_ptr<SortedTable>;

// Adjacent runs of a table that become one; the newest is first.
struct TableMerge {
  SortedTablePtr table;
  std::vector<RunOfTable> inputs;
  bool oldest = false;  // no older run has rows that the inputs' deletions would have to hide
};

class WtSortedTables {
 public:
  WtSortedTables(const WtStoreOptions& options, WtConnection& connection, WtSessions& sessions);
  ~WtSortedTables() { Stop(); }
  // Finds the tables and their runs, and removes files that a crash has left. A run whose file is missing, or does not
  // begin as it was written, is its table's damage.
  Status Open();
  void Stop() { gate_->Close(); }
  // The process is about to stop: buffers are written without rests.
  void Hurry() { ++hurried_; }
  // Called after each change of a table's runs.
  void SetOnRuns(std::function<void(TableId)> on_runs) { on_runs_ = std::move(on_runs); }

  // ---- tables ----
  Status Ensure(TableId table, TableCompression compression);
  Status Drop(const SortedTablePtr& table);
  SortedTablePtr Find(TableId table) const;  // null: no such sorted table
  // Without a lock: every read and write of a table in place asks this.
  bool empty() const { return count_.load(std::memory_order_acquire) == 0; }
  std::vector<SortedTablePtr> All() const;

  int64_t FileBytes(const SortedTable& table) const;

  // ---- changes ----
  // OVERLOADED: no room became free in time.
  Status WaitForRoom(Duration longest);
  void NoteApplied();
  int64_t generation_bytes_max() const { return generation_bytes_max_; }
  // True if a buffer knows the tablet, and its next generation removes the tablet's rows.
  bool Forget(TabletId tablet);
  // From now on the runs have no rows in the range. The buffer's rows of the range are written before.
  Status Clear(SortedTable& table, const KeyRange& range);

  // ---- files ----
  // Everything applied before is in runs afterwards.
  Status Write(SortedTable& table);
  Status WriteAll();
  RunFileId NextFile() { return {next_file_.fetch_add(1)}; }
  // Adjacent runs to be merged, which stay until EndMerge or AbandonMerge. None: there is nothing to merge. Several
  // merges of a table may be under way; the runs of each are fixed in what `choose` gets.
  using MergeChoice = std::function<std::optional<MergePlan>(std::span<const PlannedRun>)>;
  std::optional<TableMerge> BeginMerge(const SortedTablePtr& table, const MergeChoice& choose);
  // Puts the merged run in the place of the inputs; null: nothing is left of their rows.
  Status EndMerge(const TableMerge& merge, const std::shared_ptr<const RunFile>& merged, std::string_view filter);
  // `unreadable`: an input with a damaged block, which no merge takes again.
  void AbandonMerge(const TableMerge& merge, std::optional<RunNumber> unreadable);
  bool IsMerging(SortedTable& table) const;
  // A file that is no run, and that a checkpoint still held.
  void RemoveLater(RunFileId file);
  // Around WiredTiger's checkpoint, once everything is written.
  uint64_t BeginCheckpoint();
  void EndCheckpoint(uint64_t begun);
  // The size of files that no table has any more since the last checkpoint began, and that the next one frees.
  int64_t retired_bytes() const { return retired_bytes_.load(std::memory_order_relaxed); }
  int64_t buffer_bytes() const { return buffer_bytes_.load(std::memory_order_relaxed); }

 private:
  // A run that no table has any more.
  struct Retired {
    RunFileId file;
    std::shared_ptr<const RunFile> run;  // null: no reader has known it
    uint64_t since;                      // the last checkpoint that was begun before
  };

  void Add(SortedTablePtr table);
  Status RemoveLeftFiles();
  Status WriteGenerations(SortedTable& table, const TableBuffer::Generations& generations)
      EBLA_REQUIRES(table.buffer.write_mutex());
  Status WriteGeneration(SortedTable& table, const BufferGeneration& generation)
      EBLA_REQUIRES(table.buffer.write_mutex());
  void WriteSome();
  Status WriteFull(SortedTable& table);
  static bool WaitsForMerges(const SortedTable& table);
  SortedTablePtr Largest() const;  // of those that wait for no merge
  void NoteRoom();
  void Retire(std::shared_ptr<const RunFile> file);
  bool RemoveFile(RunFileId file);

  const WtStoreOptions& options_;
  const int64_t bytes_max_;
  const int64_t generation_bytes_max_;
  Executor& executor_;
  WtConnection& connection_;
  WtSessions& sessions_;
  std::function<void(TableId)> on_runs_ = [](TableId) {};
  std::atomic<int64_t> buffer_bytes_{0};
  std::atomic<size_t> count_{0};  // of tables_
  std::atomic<int64_t> retired_bytes_{0};
  std::atomic<uint64_t> next_file_{1};
  std::atomic<uint64_t> checkpoints_{0};
  std::atomic<bool> writing_{false};    // a task is posted
  std::atomic<Duration> full_until_{};  // of the steady clock: until then the buffers have no room without a wait
  std::atomic<int> hurried_{0};         // who wants buffers to be written without rests
  mutable SharedMutex mutex_;
  std::map<TableId, SortedTablePtr> tables_ EBLA_GUARDED_BY(mutex_);
  Mutex room_mutex_;
  CondVar written_;
  Mutex retired_mutex_;
  std::vector<Retired> retired_ EBLA_GUARDED_BY(retired_mutex_);
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
};

}  // namespace ebla::tabletserver
