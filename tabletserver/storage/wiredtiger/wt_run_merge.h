// tabletserver/storage/wiredtiger/wt_run_merge.h
// One merge of runs under way. It takes many steps, so that a small merge overtakes a large one.
// Place:   wt_run_merger.h begins merges, and gives each its turns.
// Errors:  those of the store. OVERLOADED: a step found no room in the cache, and the next one may. UNAVAILABLE: an
//          input has a damaged block. COME_AGAIN: the disk has no room for the merged run. A merge that ends before it
//          is done leaves the inputs as they are.
// Threads: thread-compatible. The steps may be on several threads.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "tabletserver/storage/wiredtiger/wt_run_scan.h"
#include "tabletserver/storage/wiredtiger/wt_run_writer.h"
#include "tabletserver/storage/wiredtiger/wt_sorted_tables.h"

namespace ebla::tabletserver {

class WtRunMerge {
 public:
  WtRunMerge(const WtStoreOptions& options, WtConnection& connection, WtSessions& sessions, WtSortedTables& tables,
             TableMerge merge);
  ~WtRunMerge();
  WtRunMerge(const WtRunMerge&) = delete;
  WtRunMerge& operator=(const WtRunMerge&) = delete;

  // Before the first step.
  Status Begin();
  // Reads some more bytes of the inputs. True: the merged run is in the place of the inputs.
  Result<bool> Step(int64_t bytes);

  const SortedTablePtr& table() const { return merge_.table; }
  int64_t bytes() const { return bytes_; }  // of the inputs, without their holes; the merged run has no more
  // An estimate of those that the merge has yet to write, if each deleted row hides another one of the inputs.
  int64_t bytes_expected() const;
  int64_t bytes_left() const { return std::max<int64_t>(0, bytes_ - read_); }

 private:
  Status Wrote(int error);
  Status Copy(WtRunScan& rows, int64_t bytes);

  WtSessions& sessions_;
  WtSortedTables& tables_;
  const TableMerge merge_;
  const int64_t bytes_;
  int64_t read_ = 0;  // of them
  bool ended_ = false;
  std::optional<RunNumber> damaged_;
  WtRunWriter writer_;
  KeyRange rest_;  // after the last key that was read
};

}  // namespace ebla::tabletserver
