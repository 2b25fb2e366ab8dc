// tabletserver/storage/wiredtiger/wt_tables.h
// WiredTiger's b-trees: those that every store has, and one for the records of each table.
// Threads: any.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// How the file of a run is made (wt_run_writer.h).
std::string RunConfig(TableCompression compression);

class WtTables {
 public:
  WtTables(const WtStoreOptions& options, WtSessions& sessions) : options_(options), sessions_(sessions) {}
  // Makes the b-trees that every store has, and finds those of tables.
  Status Open();

  // See the functions of the port.
  Status Ensure(TableId table, TableCompression compression);
  Status Drop(TableId table);
  std::vector<TableId> Ids() const;
  bool Has(TableId table) const;
  Result<int64_t> FileBytes(TableId table) const;

 private:
  Status Find(WtSession& session);

  const WtStoreOptions& options_;
  WtSessions& sessions_;
  mutable Mutex mutex_;
  std::set<TableId> tables_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
