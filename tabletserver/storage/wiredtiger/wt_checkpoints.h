// tabletserver/storage/wiredtiger/wt_checkpoints.h
// Checkpoints, consistent over all tables; and the compaction of a table's file, which takes checkpoints of its own:
// more of them than the host asked for never harm, and nothing is concluded from them.
// Invariants: dedup rows are written through while a checkpoint runs (wt_dedup_rows.h), also while WiredTiger closes.
// Threads: any. The destructor waits for a checkpoint in progress; one not begun by then is dropped unanswered.
#pragma once

#include <atomic>
#include <memory>

#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/task_gate.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"
#include "tabletserver/storage/wiredtiger/wt_tablet_states.h"

namespace ebla::tabletserver {

class WtCheckpoints {
 public:
  using CheckpointResult = TabletStore::CheckpointResult;

  // `background` runs the checkpoints.
  WtCheckpoints(WtSessions& sessions, StoreLog& log, const WtTabletStates& states, WtDedupRows& dedup_rows,
                const DiskReserve& reserve, Executor& background)
      : sessions_(sessions),
        log_(log),
        states_(states),
        dedup_rows_(dedup_rows),
        reserve_(reserve),
        background_(background) {}
  ~WtCheckpoints();

  // As the functions of the port.
  void Start(Executor& executor, std::move_only_function<void(Result<CheckpointResult>)> done);
  int64_t LogBytesSince() const { return reserve_.written() - covered_bytes_; }
  Result<bool> Compact(TableId table, Duration limit);
  // For the one that WiredTiger takes as it closes: nobody applies anything any more. Where that fails, the connection
  // is not closed.
  void PrepareLast(WtConnection& connection);
  // The process is about to stop: checkpoints rest no more.
  void Hurry() { closing_ = true; }

 private:
  Result<CheckpointResult> Take();
  // The store's end waits for what goes on, or the log's files that a checkpoint frees are needed.
  bool Hurried() const { return closing_ || reserve_.writes_refused(); }

  WtSessions& sessions_;
  StoreLog& log_;
  const WtTabletStates& states_;
  WtDedupRows& dedup_rows_;
  const DiskReserve& reserve_;
  Executor& background_;
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
  std::atomic<bool> closing_{false};
  std::atomic<int64_t> covered_bytes_{0};  // logged before the last finished checkpoint began
};

}  // namespace ebla::tabletserver
