// tabletserver/storage/wiredtiger/wt_table_files.h
// Whether the files that WiredTiger's metadata names are there, and begin as WiredTiger wrote them.
// Why:     WiredTiger opens a file with the first use of its table. A missing file looks to it like a missing table,
//          and a damaged first block is a general error of whatever call meets it, which would fail the store. So each
//          named file is checked before a cursor opens it, and again when a call fails.
// Limits:  only the first block is read, because wt_blocks.h checks each later block when WiredTiger reads it.
// Threads: any.
#pragma once

#include <wiredtiger.h>

#include <cerrno>
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/ids.h"
#include "common/base/mutex.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

// "applied.wt" of "table:applied", and "data_7.wt" of "file:data_7.wt".
std::string FileOfTable(const std::string& uri);

// Reads the first block from the disk. 0: it is whole. kDamagedBlock: there is no file, or it is shorter than its first
// block, or that is damaged or cannot be read. Another errno: the file cannot be opened, which tells nothing of it.
int CheckTableFile(const std::string& path);

// An error of opening a file: the process lacks descriptors or memory, and the file may be whole.
inline bool IsShortage(int error) { return error == EMFILE || error == ENFILE || error == ENOMEM; }

Error ShortageError(int error, std::string_view doing);

// An error of opening a file: a directory is in its place, or the process may not open it.
inline bool IsBarred(int error) { return error == EISDIR || error == EACCES || error == EPERM; }

// There is a file, and it is shorter than its first block.
bool IsCutShort(const std::string& path);

// The names of all files that the metadata names. A WiredTiger error.
int ReadFileNames(WT_SESSION* session, std::set<std::string>& names);

// 7 of "run_7.wt" and the prefix "run_"; none: it is another file.
std::optional<uint64_t> NumberInName(std::string_view name, std::string_view prefix);

// The tables that have a file of their own, data_<table id>.wt, by the metadata.
class TablesInPlace {
 public:
  void Add(TableId table) {
    const MutexLock lock(mutex_);
    tables_.insert(table);
  }
  void Remove(TableId table) {
    const MutexLock lock(mutex_);
    tables_.erase(table);
  }
  bool Has(TableId table) const {
    const MutexLock lock(mutex_);
    return tables_.contains(table);
  }
  std::vector<TableId> All() const {
    const MutexLock lock(mutex_);
    return {tables_.begin(), tables_.end()};
  }

 private:
  mutable Mutex mutex_;
  std::set<TableId> tables_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::tabletserver
