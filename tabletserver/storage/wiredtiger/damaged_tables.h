// tabletserver/storage/wiredtiger/damaged_tables.h
// The tables whose file has a damaged block. Reads of the other blocks continue, because each block is checked
// (wt_blocks.h). The whole file is removed once no replica is left in it (TabletStore::ForgetReplica), because
// WiredTiger cannot mend one block.
// Place:   wt_sessions.h owns it: all errors of tables pass there.
// Threads: any.
#pragma once

#include <atomic>
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
  // Its file is gone.
  void Forget(TableId table) {
    MutexLock lock(mutex_);
    tables_.erase(table);
    any_ = !tables_.empty();
  }
  bool Has(TableId table) const {
    if (!any_) return false;
    MutexLock lock(mutex_);
    return tables_.contains(table);
  }
  std::vector<TableId> All() const {
    if (!any_) return {};
    MutexLock lock(mutex_);
    return {tables_.begin(), tables_.end()};
  }

 private:
  std::atomic<bool> any_{false};
  mutable Mutex mutex_;
  std::set<TableId> tables_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
