// tabletserver/storage/wiredtiger/wt_store.h
// A TabletStore in a directory: one log of the server's own (log/shared_log.h) on the filesystem, and beside it records
// in WiredTiger (wt_record_store.h), with one connection per server and one b-tree per table.
// Place:      made by server_process.cc (or by a test). It opens and closes the classes that own the state: README.md
//             says which.
// On disk:    <directory>/FORMAT     "ebla-store <n>\ncrc <that line's CRC-32>\n"; a greater number is refused
//             <directory>/LOCK       held (flock) while a process has the store open; names its pid
//             <directory>/BALLAST    disk_reserve_bytes of nothing, given back to recovery on a full disk
//             <directory>/removed/   files whose space is being given back (file_recycler.h)
//             <directory>/log/       the log: log/log_format.h gives its bytes
//             <directory>/INVENTORY  the extent of log and records, for the next start (store_inventory.h)
//             the rest               WiredTiger's: applied, window and data_<table id>. row_encoding.h and log_entry.cc
//                                    give the rows' bytes.
// Errors:     a directory that Open cannot use (in use, newer, damaged) is a Status with the remedy. INTERNAL: damage
//             or a loss. UNAVAILABLE: in use, or no room, no permission, too many open files and the like. When
//             WiredTiger fails while running, health() holds why and every later call answers the same; the process is
//             left alone.
// Threads:    any; see tablet_store.h. Close() and the destructor wait for work in progress on the three executors. No
//             other call may be in progress.
#pragma once

#include <memory>
#include <optional>

#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"

namespace ebla::tabletserver {

class WtStore {
 public:
  // Opens or makes the store, converting one of a former format, and reads the log.
  static Result<std::unique_ptr<WtStore>> Open(WtStoreOptions options);
  ~WtStore();  // Close(), and logs its error

  TabletStore& operator*();
  TabletStore* operator->() { return &**this; }
  // Null: it was not opened for a salvage.
  const SalvagedReplicas* salvaged() const;
  // The machine's clocks, as the process before this one has noted them last; none: there is no such note.
  std::optional<ClockMark> found_clock() const;
  // The disk lacks writes of the process before this one, though the machine ran on (LogCounts::lost_unsynced).
  bool lost_unsynced() const;
  // Notes the clocks now, durably, once WtStoreOptions::clock has a mark to give.
  Status NoteClock();
  // The process is about to stop: checkpoints rest no more.
  void Hurry();
  // Ends the store, once: syncs the log and marks its end, takes a last checkpoint, closes the database and releases
  // the directory. OK: the disk has all of it. An error: the store has failed, now or before. Nothing may be called
  // after it.
  Status Close();

 private:
  struct Parts;
  explicit WtStore(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace ebla::tabletserver
