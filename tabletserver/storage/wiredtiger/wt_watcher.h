// tabletserver/storage/wiredtiger/wt_watcher.h
// Looks after the disk while the store is open: has the reserve kept, removed files freed, the log cleaned and its next
// segment prepared, and WiredTiger's counters read.
// Threads: works on the executor `watcher` of WtStoreOptions alone. The destructor waits for the task in progress.
#pragma once

#include <memory>

#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/task_gate.h"
#include "tabletserver/storage/wiredtiger/disk_reserve.h"
#include "tabletserver/storage/wiredtiger/file_recycler.h"
#include "tabletserver/storage/wiredtiger/wt_record_store.h"

namespace ebla::tabletserver {

class WtWatcher {
 public:
  WtWatcher(const WtStoreOptions& options, WtRecordStore& records, DiskReserve& reserve, FileRecycler& recycler,
            TabletStore& store, const SharedLog& log, PosixLogDisk& log_disk)
      : options_(options),
        records_(records),
        reserve_(reserve),
        recycler_(recycler),
        store_(store),
        log_(log),
        log_disk_(log_disk) {}
  ~WtWatcher() { Stop(); }

  // Waits for the task in progress. No other begins.
  void Stop() { gate_->Close(); }

  // Looks at the disk, at WiredTiger's counters and at what it has removed, now and once in a disk_check_period.
  void Watch();

 private:
  bool HasRoom() const;
  void FreeFiles();
  void DropSpares();
  void PrepareSegment();
  void Later(Duration rest, void (WtWatcher::*task)());

  const WtStoreOptions& options_;
  WtRecordStore& records_;
  DiskReserve& reserve_;
  FileRecycler& recycler_;
  TabletStore& store_;
  const SharedLog& log_;
  PosixLogDisk& log_disk_;
  const std::shared_ptr<TaskGate> gate_ = std::make_shared<TaskGate>();
  // Only tasks inside the gate look at these, and the first Watch.
  bool freeing_ = false;    // a call of FreeFiles is to come
  bool preparing_ = false;  // of PrepareSegment
  bool roomy_ = true;       // as the disk was last seen
};

}  // namespace ebla::tabletserver
