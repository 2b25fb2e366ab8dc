// tabletserver/storage/wiredtiger/wt_sessions.h
// One WiredTiger session for each thread that uses a store, with its cursors kept open between uses.
// Place:      every operation of the store begins with ForThisThread() and a WtCursor or two.
// Invariants: 1. A session is used by its own thread, or, to close a cursor, by one that holds its mutex.
//             2. A cursor is reset with the end of its WtCursor, because a positioned cursor would pin a page and a
//                snapshot.
//             3. A session is closed when its thread ends, or with the pool, whichever is first.
// Lock order: pool, then session.
// Threads:    any. A thread must not begin a second use while one is going on (CHECK).
#pragma once

#include <wiredtiger.h>

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "common/base/encoding.h"
#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "tabletserver/storage/wiredtiger/cache_admission.h"
#include "tabletserver/storage/wiredtiger/damaged_tables.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"
#include "tabletserver/storage/wiredtiger/wt_connection.h"
#include "tabletserver/storage/wiredtiger/wt_table_files.h"

namespace ebla::tabletserver {

enum class SystemTable : uint8_t { kApplied, kWindow, kRuns };
inline constexpr size_t kSystemTables = 3;

std::string SystemTableUri(SystemTable table);
std::string DataTableUri(TableId table);
// A file of sorted rows (wt_run_files.h).
struct RunFileId {
  uint64_t number = 0;
};
std::string RunFileName(RunFileId file);
std::string RunFileUri(RunFileId file);

inline WT_ITEM ToItem(std::string_view bytes) {
  WT_ITEM item{};
  item.data = bytes.data();
  item.size = bytes.size();
  return item;
}
inline std::string_view ToView(const WT_ITEM& item) { return {static_cast<const char*>(item.data), item.size}; }

// The error of a call on a system table. No other replica has its rows, so its damage ends the store.
inline int OfSystemTable(int error) { return error == kDamagedBlock ? EIO : error; }

// One of the connection's (WT_STAT_CONN_…).
std::optional<int64_t> Statistic(WT_SESSION* session, int key);

// A thread's session. Its functions return WiredTiger's error numbers. Its mutex is held by WtSessions::Use, through
// which alone a thread has one: they assert it.
class WtSession {
 public:
  // `damaged`: of its pool. Null: it opens no cursor of a table.
  explicit WtSession(WT_SESSION* session, const DamagedTables* damaged = nullptr)
      : session_(session), damaged_(damaged) {}
  WT_SESSION* get() const { return session_; }
  ByteWriter& scratch() { return scratch_; }

  int Cursor(SystemTable table, WT_CURSOR** cursor);
  // WT_NOTFOUND or ENOENT: no such table, or its file is missing (WtSessions::CheckTable). kDamagedBlock: its file
  // cannot be opened for damage.
  int DataCursor(TableId table, WT_CURSOR** cursor);
  void CloseCursor(TableId table) EBLA_REQUIRES(mutex_);
  // It reads without a snapshot, because a run never changes. The caller holds the run, so that a missing file is
  // damage.
  int RunCursor(RunFileId file, PageUse use, WT_CURSOR** cursor);
  void CloseCursor(RunFileId file) EBLA_REQUIRES(mutex_);
  void CloseWanted() EBLA_REQUIRES(mutex_);
  void Close();

 private:
  friend class WtSessions;
  using RunCursors = std::array<WT_CURSOR*, kPageUses>;  // null: not opened yet
  WT_SESSION* const session_;
  const DamagedTables* const damaged_;
  WT_SESSION* runs_session_ = nullptr;  // made with the first use
  bool in_use_ = false;                 // only its own thread looks
  Mutex mutex_;
  WT_CURSOR* system_[kSystemTables] EBLA_GUARDED_BY(mutex_) = {};
  std::unordered_map<TableId, WT_CURSOR*> data_ EBLA_GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, RunCursors> runs_ EBLA_GUARDED_BY(mutex_);
  ByteWriter scratch_;  // only its own thread uses it
  // Cursors that its thread closes before its next use, because another thread has found it in use.
  Mutex closing_mutex_;  // after mutex_
  std::vector<std::variant<TableId, RunFileId>> closing_ EBLA_GUARDED_BY(closing_mutex_);
  std::atomic<bool> closes_{false};
};

// A cursor for one use: one that the session keeps is reset at its end, one more is closed.
class WtCursor {
 public:
  WtCursor(WtSession& session, SystemTable table) : error_(session.Cursor(table, &cursor_)) {}
  WtCursor(WtSession& session, TableId table) : error_(session.DataCursor(table, &cursor_)) {}
  WtCursor(WtSession& session, RunFileId file, PageUse use) : error_(session.RunCursor(file, use, &cursor_)) {}
  WtCursor(WtSession& session, const std::string& uri, const char* config)
      : kept_(false), error_(session.get()->open_cursor(session.get(), uri.c_str(), nullptr, config, &cursor_)) {}
  WtCursor(const WtCursor&) = delete;
  WtCursor& operator=(const WtCursor&) = delete;
  ~WtCursor() {
    if (error_ == 0) kept_ ? cursor_->reset(cursor_) : cursor_->close(cursor_);
  }

  // Why it could not be opened: then nothing else may be called.
  int error() const { return error_; }

  void SetKey(std::string_view key) {
    WT_ITEM item = ToItem(key);
    cursor_->set_key(cursor_, &item);
  }
  void SetValue(std::string_view value) {
    WT_ITEM item = ToItem(value);
    cursor_->set_value(cursor_, &item);
  }
  // Views are valid until the cursor moves.
  int GetKey(std::string_view* key) {
    WT_ITEM item{};
    const int error = cursor_->get_key(cursor_, &item);
    *key = ToView(item);
    return error;
  }
  int GetValue(std::string_view* value) {
    WT_ITEM item{};
    const int error = cursor_->get_value(cursor_, &item);
    *value = ToView(item);
    return error;
  }
  int GetRow(std::string_view* key, std::string_view* value) {
    const int error = GetKey(key);
    return error != 0 ? error : GetValue(value);
  }
  int Search(std::string_view key) {
    SetKey(key);
    return cursor_->search(cursor_);
  }
  int Insert(std::string_view key, std::string_view value) {
    SetKey(key);
    SetValue(value);
    return cursor_->insert(cursor_);
  }
  // An absent row is no error.
  int Remove(std::string_view key) {
    SetKey(key);
    const int error = cursor_->remove(cursor_);
    return error == WT_NOTFOUND ? 0 : error;
  }
  // Removes the row it is at, and stays there.
  int RemoveHere() { return cursor_->remove(cursor_); }
  int Next() { return cursor_->next(cursor_); }
  int Prev() { return cursor_->prev(cursor_); }
  // At the first row at or after `key`; WT_NOTFOUND: none.
  int SeekAtOrAfter(std::string_view key);
  // At the last row before `key` (empty: at the last of all); WT_NOTFOUND: none.
  int SeekBefore(std::string_view key);
  WT_CURSOR* get() const { return cursor_; }

 private:
  WT_CURSOR* cursor_ = nullptr;
  const bool kept_ = true;
  const int error_;
};

class WtSessions : public std::enable_shared_from_this<WtSessions> {
 public:
  WtSessions(WtConnection& connection, int sessions_max);
  ~WtSessions();

  // The calling thread's session, its own until the end of the Use.
  class Use {
   public:
    explicit Use(WtSession* session) : session_(session) {}
    Use(Use&& other) noexcept : session_(std::exchange(other.session_, nullptr)) {}
    Use& operator=(Use&&) = delete;
    ~Use();
    WtSession* operator->() const { return session_; }
    WtSession& operator*() const { return *session_; }

   private:
    WtSession* session_;
  };
  // OVERLOADED: sessions_max threads have one already.
  Result<Use> ForThisThread();

  // WtConnection::Check for a table of records. Returns NO_SUCH_TABLE if there is no such table. A damaged block, or a
  // missing file, is UNAVAILABLE: the table is noted, and the store lives. Want of descriptors is OVERLOADED.
  Status Check(int error, std::string_view doing) { return connection_.Check(error, doing); }
  Status CheckTable(int error, TableId table, std::string_view doing);
  // For a file that the metadata names, before a cursor opens it. True: no cursor can, or WiredTiger would panic
  // (wt_checkpoint_blocks.h). Then the table is noted.
  bool NoteIfDamaged(WtSession& session, TableId table, const std::string& file, bool only_to_read = false);
  DamagedTables& damaged() { return damaged_; }
  TablesInPlace& in_place() { return in_place_; }

  // Closes every thread's cursor on a table or a run. A session that is in use closes its own before its next use.
  void CloseCursors(TableId table) { CloseCursors(ToClose(table)); }
  void CloseCursors(RunFileId file) { CloseCursors(ToClose(file)); }
  // Closes all sessions; no thread may use one any more.
  void Close();
  size_t count() const;

 private:
  friend struct ThreadSlots;
  using ToClose = std::variant<TableId, RunFileId>;
  void CloseCursors(ToClose closed);
  Result<WtSession*> Open();
  void ThreadEnded(WtSession* session);
  std::string PathOf(const std::string& uri) const;
  bool CannotOpen(int error, TableId table) const;

  WtConnection& connection_;
  const size_t sessions_max_;
  const uint64_t id_;  // never used again in this process
  DamagedTables damaged_;
  TablesInPlace in_place_;
  mutable Mutex mutex_;
  std::vector<std::unique_ptr<WtSession>> sessions_ EBLA_GUARDED_BY(mutex_);
};

// Waits a little before another attempt after a conflict or with a full cache; false: ten seconds of that are enough.
class Patience {
 public:
  bool WaitAfter(int error);

 private:
  std::chrono::steady_clock::time_point start_;
  int attempts_ = 0;
};

// Runs `body`, which returns a WiredTiger error, in a transaction, again while it is worth it. An error of the body is
// returned after rolling back.
template <class Body>
int RunTransaction(WtSession& session, const Body& body) {
  WT_SESSION* const raw = session.get();
  Patience patience;
  for (;;) {
    if (const int error = raw->begin_transaction(raw, nullptr)) return error;
    int error = body();
    if (error == 0) {
      error = raw->commit_transaction(raw, nullptr);  // rolled back when it fails
      if (error == 0) return 0;
    } else if (const int rollback = raw->rollback_transaction(raw, nullptr)) {
      return rollback;
    }
    if (!patience.WaitAfter(error)) return error;
  }
}

// The same for a body that only reads with one cursor, outside a transaction: a snapshot lasts while it is positioned.
template <class Body>
int RunRead(const Body& body) {
  Patience patience;
  for (;;) {
    const int error = body();
    if (error == 0 || !patience.WaitAfter(error)) return error;
  }
}

// The same for a body that reads with several cursors, which all see one snapshot.
template <class Body>
int RunSnapshot(WtSession& session, const Body& body) {
  WT_SESSION* const raw = session.get();
  return RunRead([&]() -> int {
    if (const int error = raw->begin_transaction(raw, "isolation=snapshot")) return error;
    const int error = body();
    const int rollback = raw->rollback_transaction(raw, nullptr);
    return error != 0 ? error : rollback;
  });
}

// Removes all rows from `first` to `last`, both included; neither need exist. A WiredTiger error.
int TruncateRows(WtSession& session, SystemTable table, std::string_view first, std::string_view last);

// Removes all rows whose keys begin so, inside the caller's transaction. A WiredTiger error.
int RemoveRowsWith(WtCursor& rows, std::string_view prefix);

}  // namespace ebla::tabletserver
