// tabletserver/storage/wiredtiger/wt_dedup_rows.h
// The rows of tablets' dedup windows. A row that each write puts, and the next few writes erase, would cost as much as
// the write itself. So changes stay in memory, and are written to the table `window` before a checkpoint, because only
// checkpoints make rows durable.
// How:        While nothing is WrittenThrough, an Apply puts its rows into memory. A checkpoint first writes out all of
//             that, then keeps a WrittenThrough while it runs: each Apply then writes rows in its own transaction. So
//             whatever WiredTiger sees as of one moment, the rows go with the records.
// Bounds:     memory holds no more rows than the windows do, or did when the last checkpoint began.
// Invariants: a tablet's rows are in `window` and its Waiting together; both change only under its mutex.
// Lock order: a session; the tablets' mutexes by growing id; mutex_ alone.
// Threads:    any, but one tablet is changed only from its shard.
#pragma once

#include <atomic>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/buffer/unwritten_dedup_rows.h"
#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// Removes the tablet's rows, inside the caller's transaction. A WiredTiger error.
int RemoveDedupRows(WtSession& session, TabletId tablet);

class WtDedupRows {
  struct Waiting;

 public:
  // For an Apply, from before its transaction until after it.
  class Change {
   public:
    Change(WtDedupRows& rows, std::span<const ApplyBatch> batches);
    ~Change();
    Change(const Change&) = delete;
    Change& operator=(const Change&) = delete;

    // Inside the transaction, maybe more than once: what must go with it. A WiredTiger error.
    int Write(WtSession& session) const;
    // It is committed.
    void Commit();

   private:
    const std::span<const ApplyBatch> batches_;
    std::vector<std::shared_ptr<Waiting>> of_;  // of each batch
    std::vector<Waiting*> locked_;
    bool through_ = false;
  };
  // A checkpoint may be taken while one exists.
  class WrittenThrough {
   public:
    explicit WrittenThrough(WtDedupRows& rows) : rows_(&rows) { ++rows.through_; }
    WrittenThrough(WrittenThrough&& other) noexcept : rows_(std::exchange(other.rows_, nullptr)) {}
    WrittenThrough& operator=(WrittenThrough&&) = delete;
    ~WrittenThrough() {
      if (rows_ != nullptr) --rows_->through_;
    }

   private:
    WtDedupRows* rows_;
  };

  // Writes out what waits, and from then on writes through. A WiredTiger error.
  std::expected<WrittenThrough, int> WriteThrough(WtSession& session);
  // Writes out what waits: all of it where no Apply runs. A WiredTiger error.
  int WriteOut(WtSession& session);

  // Removes a tablet's rows.
  int Forget(WtSession& session, TabletId tablet);
  // After a start.
  static Result<std::vector<DedupRow>> Read(WtSessions& sessions, WtSession& session, TabletId tablet);

 private:
  struct Waiting {
    explicit Waiting(TabletId of) : tablet(of) {}
    // The first so many. A WiredTiger error.
    int Write(WtCursor& window, size_t rows_max) const EBLA_REQUIRES(mutex);

    const TabletId tablet;
    Mutex mutex;
    UnwrittenDedupRows rows EBLA_GUARDED_BY(mutex);
  };

  std::shared_ptr<Waiting> Of(TabletId tablet);
  std::vector<std::shared_ptr<Waiting>> All() const;

  std::atomic<int> through_{0};
  mutable Mutex mutex_;
  std::map<TabletId, std::shared_ptr<Waiting>> waiting_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
