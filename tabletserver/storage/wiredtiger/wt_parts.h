// tabletserver/storage/wiredtiger/wt_parts.h
// What a WtStore is made of; its members are defined in wt_store.cc (life, tables, health), wt_log.cc, wt_unresolved.cc,
// wt_records.cc, wt_ranges.cc, wt_recovery.cc (replicas) and wt_checkpoint.cc.
// Invariants: 1. Parts are closed in the reverse order of their declaration: tasks, flusher, sessions, connection,
//                the directory's lock last.
//             2. `applied` never names more than what is committed, so that a checkpoint holds at least what was noted
//                before it began.
// Threads:    as each part says.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <optional>

#include "common/base/mutex.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/file_recycler.h"
#include "tabletserver/storage/wiredtiger/store_directory.h"
#include "tabletserver/storage/wiredtiger/wt_connection.h"
#include "tabletserver/storage/wiredtiger/wt_flusher.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// Lets tasks on an executor outlive the store: each runs inside Enter(), or not at all once the gate is closed.
class TaskGate {
 public:
  // False, without running it: closed.
  template <class Body>
  bool Enter(const Body& body) {
    MutexLock lock(mutex_);
    if (closed_) return false;
    body();
    return true;
  }
  // Waits for the task inside.
  void Close() {
    MutexLock lock(mutex_);
    closed_ = true;
  }

 private:
  Mutex mutex_;
  bool closed_ EBLA_GUARDED_BY(mutex_) = false;
};

struct WtStore::Parts {
  explicit Parts(WtStoreOptions given, StoreDirectory locked)
      : options(std::move(given)),
        directory(std::move(locked)),
        recycler(directory.path(), options.log_file_bytes),
        reserve(directory.path(), options.disk_reserve_bytes, options.disk_space) {}

  Status OpenDatabase();
  // Looks at the disk, at WiredTiger's counters and at what it has removed, now and once in a disk_check_period.
  void Watch();
  void ReadCounters();
  void FreeFiles();
  void PrepareFiles();
  // In watch_gate.
  void Later(Duration rest, void (Parts::*task)());
  // Error numbers of WiredTiger about a table: NO_SUCH_TABLE when that is what they say.
  Status CheckTable(int error, TableId table, std::string_view doing);
  // Removes all rows from `first` to `last`, both included; neither need exist. A WiredTiger error.
  int TruncateRows(WtSession& session, SystemTable table, std::string_view first, std::string_view last);
  Result<std::optional<AppliedState>> ReadApplied(WtSession& session, TabletId tablet);
  Result<std::vector<DedupRow>> ReadDedupRows(WtSession& session, TabletId tablet);
  // Counts what is kept since earlier lives.
  Status CountUnresolved(WtSession& session);
  // True: there is nothing but the log's end.
  Result<bool> ReadLogBounds(WtSession& session, RecoveredReplica& replica);
  Result<CheckpointResult> TakeCheckpoint();

  const WtStoreOptions options;
  StoreDirectory directory;
  FileRecycler recycler;
  // In watch_gate.
  bool freeing = false;    // a call of FreeFiles is to come
  bool preparing = false;  // of PrepareFiles
  bool roomy = true;       // as the disk was last seen
  DiskReserve reserve;
  std::unique_ptr<WtConnection> connection;
  std::shared_ptr<WtSessions> sessions;
  std::unique_ptr<WtFlusher> flusher;
  const std::shared_ptr<TaskGate> gate = std::make_shared<TaskGate>();  // of tasks on options.background
  const std::shared_ptr<TaskGate> watch_gate =
      std::make_shared<TaskGate>();  // of tasks on options.watcher: waits for no other

  std::atomic<bool> closing{false};
  // The store's end waits for what goes on, or the log's files that a checkpoint frees are needed.
  bool Hurried() const { return closing || reserve.writes_refused(); }

  std::atomic<int64_t> log_bytes{0};             // appended since the start
  std::atomic<int64_t> log_bytes_checkpoint{0};  // thereof before the last finished checkpoint began
  struct Unresolved {
    std::atomic<int64_t> entries{0};
    std::atomic<int64_t> bytes{0};
    void Add(int64_t more_entries, int64_t more_bytes) {
      entries += more_entries;
      bytes += more_bytes;
    }
  };
  Unresolved rolled_back;  // of tablets' logs
  Unresolved hinted;       // under no tablet
  Unresolved& UnresolvedOf(TabletId tablet) { return tablet ? rolled_back : hinted; }
  std::atomic<int64_t> cache_bytes{0};
  std::atomic<int64_t> cache_misses{0};

  // Finds the b-trees that are there.
  Status FindTables(WtSession& session);

  struct Table {
    int64_t schema_version = -1;  // that told flush_interval
    Duration flush_interval = Duration::max();
  };
  // Has the flusher go by the most demanding table.
  void ChooseFlushInterval() EBLA_REQUIRES(tables_mutex);

  mutable Mutex tables_mutex;
  std::map<TableId, Table> tables EBLA_GUARDED_BY(tables_mutex);

  Mutex applied_mutex;
  CheckpointResult applied EBLA_GUARDED_BY(applied_mutex);
};

}  // namespace ebla::tabletserver
