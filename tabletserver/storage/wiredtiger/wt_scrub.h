// tabletserver/storage/wiredtiger/wt_scrub.h
// Reads each b-tree as the last checkpoint has it, and checks it. Runs are checked block by block (wt_run_blocks.h).
// How:     a checkpoint's pages are no pages of the tables in use, so they come from the disk, and wt_files.cc checks
//          each block of them. A tree is read a stretch at a time, each in the checkpoint of that moment: an open
//          checkpoint keeps the room of what was changed since. Pages that are only in an older checkpoint do not
//          count.
//          A file's first block, and those that the checkpoint names, are checked by its path, because a cursor that
//          is open reads on in a file that was removed.
// Finds:   damage of a table (DamagedTables), or of a system table, which fails the store because it holds rows of all
//          tablets.
// Threads: one at a time; the store is destroyed only after Run has returned.
#pragma once

#include <functional>
#include <string>
#include <utility>

#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"
#include "tabletserver/storage/wiredtiger/wt_tables.h"

namespace ebla::tabletserver {

class WtScrub {
 public:
  WtScrub(const WtStoreOptions& options, WtSessions& sessions, const WtTables& tables, const WtSortedTables& sorted)
      : options_(options), sessions_(sessions), tables_(tables), sorted_(sorted) {}

  // Run calls it, too.
  void Also(std::function<Status()> beside) { beside_ = std::move(beside); }
  // See RecordFiles::Scrub.
  Status Run(const RecordFiles::Pace& pace);

 private:
  // 0, or an error for which a file cannot be opened, or may not be (wt_checkpoint_blocks.h).
  int CheckFile(const std::string& uri);
  int Open(TableId table);
  // Checks one b-tree. Returns a WiredTiger error, also 0 at its end.
  int Read(const std::string& uri, const RecordFiles::Pace& pace, bool& stopped);
  // From the row after `at` on. WT_NOTFOUND: the end.
  int ReadStretch(WtSession& session, const std::string& uri, std::string& at, int64_t& bytes);

  int CheckRuns(const SortedTable& table, const RecordFiles::Pace& pace, bool& stopped);

  const WtStoreOptions& options_;
  WtSessions& sessions_;
  const WtTables& tables_;
  const WtSortedTables& sorted_;
  std::function<Status()> beside_ = [] { return Status(); };
};

}  // namespace ebla::tabletserver
