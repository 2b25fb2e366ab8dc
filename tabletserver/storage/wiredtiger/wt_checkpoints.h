// tabletserver/storage/wiredtiger/wt_checkpoints.h
// Checkpoints, consistent over all tables; and the compaction of a table's file, which takes checkpoints of its own:
// more of them than the host asked for never harm, and nothing is concluded from them.
// Invariants: dedup rows are written through while a checkpoint runs (wt_dedup_rows.h), also while WiredTiger closes.
// Threads: any; one checkpoint at a time.
#pragma once

#include <atomic>
#include <functional>

#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/wt_dedup_rows.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtCheckpoints {
 public:
  WtCheckpoints(WtSessions& sessions, WtDedupRows& dedup_rows, const DiskReserve& reserve)
      : sessions_(sessions), dedup_rows_(dedup_rows), reserve_(reserve) {}

  // Reads the number of the checkpoint that the database was opened at. Each later checkpoint has a greater number,
  // as a row of `applied` within it. So a start notices records that are older than the inventory's checkpoint.
  Status Open();
  uint64_t number() const { return number_; }  // of the last one that has begun
  // Gets the number of each checkpoint that Take has taken. Before the first one.
  void WhenTaken(std::function<Status(uint64_t number)> taken) { taken_ = std::move(taken); }

  // See the functions of the port.
  Status Take();
  Result<bool> Compact(TableId table, Duration limit);
  // Prepares the checkpoint that WiredTiger takes as it closes, once nothing is applied any more. After an error the
  // connection is not closed.
  Status PrepareLast(WtConnection& connection);
  // The process is about to stop: checkpoints rest no more.
  void Hurry() { closing_ = true; }

 private:
  // A WiredTiger error.
  int PutNumber(WtSession& session);
  // The store's end waits for the checkpoint, or the disk needs the files of the log that it frees.
  bool Hurried() const { return closing_ || reserve_.writes_refused(); }

  WtSessions& sessions_;
  WtDedupRows& dedup_rows_;
  const DiskReserve& reserve_;
  std::atomic<bool> closing_{false};
  std::atomic<uint64_t> number_{0};  // one checkpoint at a time changes it
  std::function<Status(uint64_t number)> taken_;
};

}  // namespace ebla::tabletserver
