// tabletserver/storage/wiredtiger/wt_connection.h
// The WiredTiger connection of a store, and the one place where its errors become Statuses.
// Invariants: once Fail() was called, status() is not OK, for ever: the store answers nothing else.
// Threads:    any.
#pragma once

#include <wiredtiger.h>

#include <atomic>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/mutex.h"
#include "common/wiredtiger/error_messages.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"

namespace ebla::tabletserver {

// How many bytes of the cache may be changed before eviction writes pages out, as WiredTiger is told it. WiredTiger's
// own twentieth is for a store that cannot wait for its checkpoints. Here, where the log is apart, each page is best
// written once for each checkpoint: at a twentieth, eviction wrote five times as much and took half of a put's
// processor time (docs/lab/log.md). So a half, but no more than a process that ends may take its time to write.
std::string DirtyTarget(int64_t cache_bytes);

class WtConnection {
 public:
  // With WiredTiger's own log only where a store of a former format has one.
  static Result<std::unique_ptr<WtConnection>> Open(const WtStoreOptions& options, bool with_log = false);
  ~WtConnection();  // Close()

  WT_CONNECTION* get() const { return connection_; }

  // Takes a last checkpoint and closes the database, once. An error: the store has failed, now or before.
  Status Close();
  // The store answers from now on. A failure is INTERNAL then, because UNAVAILABLE tells of a damaged part. Before that
  // UNAVAILABLE tells of a failure that is of this moment (system_error.h), and another start may succeed.
  void NoteOpened();
  // Leaves the database open: its memory and its lock on the directory stay with the process.
  void Abandon();

  bool failed() const { return failed_.load(std::memory_order_acquire); }
  Status status() const;
  // The store is dead from now on. Returns what it died of: the first such reason.
  Status Fail(Status reason);
  // OK for 0. Everything else is fatal for the store, but for what IsTransient accepts (OVERLOADED).
  Status Check(int error, std::string_view doing);

  // The transaction was rolled back and may be tried again: a conflict, or no room in the cache in time.
  static bool IsTransient(int error) { return error == WT_ROLLBACK || error == WT_CACHE_FULL; }
  // WiredTiger's latest error messages, in brackets.
  std::string LastMessages() const { return messages_->All(); }

 private:
  WtConnection();
  Code CodeOf(int error) const;
  std::unique_ptr<wiredtiger::ErrorMessages> messages_;
  WT_CONNECTION* connection_ = nullptr;
  std::atomic<bool> failed_{false};
  mutable Mutex mutex_;
  Status reason_ EBLA_GUARDED_BY(mutex_);
  bool opened_ EBLA_GUARDED_BY(mutex_) = false;
};

}  // namespace ebla::tabletserver
