// tabletserver/storage/wiredtiger/wt_run_writer.h
// Makes the file of a run: a b-tree of WiredTiger, loaded in the order of the keys, that never changes afterwards.
// Rows:    as in data_<table id> (row_encoding.h); an empty value is a deleted row, which hides older runs'.
// Pages:   8 KB, because a get that misses the cache reads one page. Random gets of 1 KB records from a file eight
//          times the cache run at 130,000 a second with pages of 4 to 8 KB and at 40,000 with 32 KB.
// Disk:    its owner adds rows under PacedSyncs::WhileWriting (wt_files.h), so that no flush of the log waits behind a
//          whole run.
// Crash:   a file that no row of the table `runs` names is removed by the next start.
// Errors:  WiredTiger's numbers.
// Threads: thread-compatible. It has a session of its own, because a merge may take minutes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tabletserver/storage/records/record_store.h"
#include "tabletserver/storage/runs/run_set.h"
#include "tabletserver/storage/wiredtiger/wt_connection.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {

class WtRunWriter {
 public:
  // `remove_later` gets a file that is not kept, and that a checkpoint holds when the writer ends.
  WtRunWriter(WtConnection& connection, const std::string& directory, RunFileId file, TableCompression compression,
              std::function<void(RunFileId)> remove_later);
  ~WtRunWriter();
  WtRunWriter(const WtRunWriter&) = delete;
  WtRunWriter& operator=(const WtRunWriter&) = delete;

  // How many rows will be added. More would only let more foreign keys pass the filter.
  int Begin(size_t rows);
  // In the order of the keys.
  int Add(std::string_view key, const std::optional<std::string_view>& row);
  // Closes the file, and makes it durable. No rows: `run` is null.
  int Finish(uint64_t order, std::shared_ptr<const RunFile>& run);
  // After Finish, the bytes of the run's filter.
  std::string_view filter() const { return filter_bytes_; }
  // The file has become part of a table. Else the destructor removes it.
  void Keep() { kept_ = true; }
  // For cursors that read other runs. It reads without snapshots, which a long merge would pin.

 private:
  int CloseCursor();
  int Drop();

  WtConnection& connection_;
  const std::string directory_;
  const RunFileId file_;
  const TableCompression compression_;
  const std::function<void(RunFileId)> remove_later_;
  WT_SESSION* session_ = nullptr;
  WT_CURSOR* cursor_ = nullptr;
  bool kept_ = false;
  Run run_;
  FenceBuilder fences_;
  std::optional<RunFilterBuilder> filter_;
  std::string filter_bytes_;
};

}  // namespace ebla::tabletserver
