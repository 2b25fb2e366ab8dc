// tabletserver/storage/wiredtiger/wt_watcher.h
// Looks after the disk while the store is open: has the reserve kept, removed files freed, the log cleaned and its next segment prepared, and
// reads WiredTiger's counters for health().
// Threads: works on the executor `watcher` of WtStoreOptions alone; the counters are for any. The destructor waits for
//          what goes on.
#pragma once

#include <atomic>
#include <memory>

#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/log_feeder.h"
#include "tabletserver/storage/store_log.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/file_recycler.h"
#include "tabletserver/storage/wiredtiger/task_gate.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtWatcher {
 public:
  WtWatcher(const WtStoreOptions& options, WtSessions& sessions, DiskReserve& reserve, FileRecycler& recycler,
            StoreLog& log, LogFeeder& feeder, PosixLogDisk& log_disk)
      : options_(options),
        sessions_(sessions),
        reserve_(reserve),
        recycler_(recycler),
        log_(log),
        feeder_(feeder),
        log_disk_(log_disk) {}
  ~WtWatcher() { gate_->Close(); }

  // Looks at the disk, at WiredTiger's counters and at what it has removed, now and once in a disk_check_period.
  void Watch();
  int64_t cache_bytes() const { return cache_bytes_; }
  int64_t cache_misses() const { return cache_misses_; }

 private:
  bool HasRoom() const;
  void ReadCounters();
  void FreeFiles();
  void CleanLog();
  void DropSpares();
  void PrepareSegment();
  void Later(Duration rest, void (WtWatcher::*task)());

  const WtStoreOptions& options_;
  WtSessions& sessions_;
  DiskReserve& reserve_;
  FileRecycler& recycler_;
  StoreLog& log_;
  LogFeeder& feeder_;
  PosixLogDisk& log_disk_;
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
  // Only tasks inside the gate look at these, and the first Watch.
  bool freeing_ = false;    // a call of FreeFiles is to come
  bool preparing_ = false;  // of PrepareSegment
  bool roomy_ = true;       // as the disk was last seen

  std::atomic<int64_t> cache_bytes_{0};
  std::atomic<int64_t> cache_misses_{0};
};

}  // namespace ebla::tabletserver
