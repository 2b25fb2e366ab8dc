// tabletserver/storage/wiredtiger/wt_tables.h
// WiredTiger's b-trees: those that every store has, and one for the records of each table.
// Entries: the metadata has one entry for a b-tree of records, that of its file. Earlier builds made a table of
//          WiredTiger's, which has three. A checkpoint writes the metadata as it is, also while another thread makes or
//          drops such a table, and after a crash it could be neither opened nor made again (WiredTiger's WT-14586).
// Damage:  a table whose file is missing, or does not begin as it was written, is noted (DamagedTables) and exists on.
//          Every tablet needs the system tables, so that a start without the file of one is refused.
// Threads: any.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

// How the file of a run is made (wt_run_writer.h).
std::string RunConfig(TableCompression compression);

class WtTables {
 public:
  WtTables(const WtStoreOptions& options, WtSessions& sessions) : options_(options), sessions_(sessions) {}
  // Makes the b-trees that every store has, and finds those of tables. INTERNAL: the file of a system table is missing,
  // damaged or another; the message names it.
  Status Open();

  // See the functions of the port. A damaged table is left as it is.
  Status Ensure(TableId table, TableCompression compression);
  Status Drop(TableId table);
  std::vector<TableId> Ids() const;
  bool Has(TableId table) const;
  Result<int64_t> FileBytes(TableId table) const;

 private:
  Status OpenSystemTable(WtSession& session, SystemTable table, const std::set<std::string>& files);
  void Find(WtSession& session, const std::set<std::string>& files);
  std::string PathOf(const std::string& uri) const { return options_.directory + "/" + FileOfTable(uri); }

  const WtStoreOptions& options_;
  WtSessions& sessions_;
};

}  // namespace ebla::tabletserver
