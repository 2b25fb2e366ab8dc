// tabletserver/storage/wiredtiger/damaged_tables.h
// The tables whose file has a damaged block, or is missing. Reads of the other blocks continue, because each block is
// checked (wt_blocks.h). The whole file is removed once no replica is left in it (TabletStore::ForgetReplica), because
// WiredTiger cannot mend one block.
// Place:   wt_sessions.h owns it: all errors of tables pass there.
// Threads: any.
#pragma once

#include <atomic>
#include <cstdint>
#include <set>
#include <vector>

#include "common/base/ids.h"
#include "common/base/mutex.h"

namespace ebla::tabletserver {

class DamagedTables {
 public:
  // True: it was not known to be.
  bool Note(TableId table) {
    MutexLock lock(mutex_);
    any_ = true;
    return tables_.insert(table).second;
  }
  // It is damaged, and its file has nothing to read. It is not opened any more, because each try is a line in the log.
  // It is not changed any more, because a checkpoint of the changes may read the file, and fail the store.
  void NoteLost(TableId table) {
    MutexLock lock(mutex_);
    any_lost_ = true;
    lost_.insert(table);
  }
  // The same for a file of a sorted table, whose number no other file gets.
  void NoteLostRun(uint64_t number) {
    MutexLock lock(mutex_);
    any_lost_ = true;
    lost_runs_.insert(number);
  }
  // Its file is gone.
  void Forget(TableId table) {
    MutexLock lock(mutex_);
    tables_.erase(table);
    lost_.erase(table);
    any_ = !tables_.empty();
    any_lost_ = !lost_.empty() || !lost_runs_.empty();
  }
  bool Has(TableId table) const {
    if (!any_) return false;
    MutexLock lock(mutex_);
    return tables_.contains(table);
  }
  bool IsLost(TableId table) const {
    if (!any_lost_) return false;
    MutexLock lock(mutex_);
    return lost_.contains(table);
  }
  bool IsLostRun(uint64_t number) const {
    if (!any_lost_) return false;
    MutexLock lock(mutex_);
    return lost_runs_.contains(number);
  }
  std::vector<TableId> All() const {
    if (!any_) return {};
    MutexLock lock(mutex_);
    return {tables_.begin(), tables_.end()};
  }

 private:
  std::atomic<bool> any_{false};
  std::atomic<bool> any_lost_{false};
  mutable Mutex mutex_;
  std::set<TableId> tables_ EBLA_GUARDED_BY(mutex_);
  std::set<TableId> lost_ EBLA_GUARDED_BY(mutex_);
  std::set<uint64_t> lost_runs_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
