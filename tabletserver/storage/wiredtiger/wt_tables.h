// tabletserver/storage/wiredtiger/wt_tables.h
// WiredTiger's b-trees: those that every store has, and one for the records of each table.
// Threads: any.
#pragma once

#include <map>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/tablet_store.h"
#include "tabletserver/storage/wiredtiger/wt_flusher.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtTables {
 public:
  WtTables(const WtStoreOptions& options, WtSessions& sessions, WtFlusher& flusher)
      : options_(options), sessions_(sessions), flusher_(flusher) {}
  // Makes the b-trees that every store has, and finds those of tables.
  Status Open();

  // As the functions of the port.
  Status Ensure(TableId table, TableCompression compression);
  Status Drop(TableId table);
  void SetFlushInterval(TableId table, int64_t schema_version, Duration interval);
  std::vector<TableId> Ids() const;
  Result<int64_t> FileBytes(TableId table) const;

 private:
  struct Table {
    int64_t schema_version = -1;  // that told flush_interval
    Duration flush_interval = Duration::max();
  };
  Status Find(WtSession& session);
  // Has the flusher go by the most demanding table.
  void ChooseFlushInterval() EBLA_REQUIRES(mutex_);

  const WtStoreOptions& options_;
  WtSessions& sessions_;
  WtFlusher& flusher_;
  mutable Mutex mutex_;
  std::map<TableId, Table> tables_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
