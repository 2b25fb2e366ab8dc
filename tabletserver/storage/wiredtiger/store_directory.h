// tabletserver/storage/wiredtiger/store_directory.h
// The directory of a store: made, locked against other processes, and of a format that this build knows.
// Place:   WtStore::Open takes it before WiredTiger sees the directory, and keeps it until WiredTiger has closed.
// Threads: thread-compatible.
#pragma once

#include <string>

#include "common/base/status.h"

namespace ebla::tabletserver {

class StoreDirectory {
 public:
  // `made_before`: no store is made, as there was one. A new one in its place would vote without what this server had
  // acknowledged.
  // INVALID_ARGUMENT: a newer format, or the files of another program. UNAVAILABLE: in use by another process.
  // INTERNAL: the filesystem failed, or the store that was there is not. Each message says what to do.
  static Result<StoreDirectory> Open(const std::string& path, bool made_before = false);
  ~StoreDirectory();  // unlocks
  StoreDirectory(StoreDirectory&& other) noexcept;
  StoreDirectory& operator=(StoreDirectory&&) = delete;

  // The format that this build writes.
  static int format();
  // Durably notes that the store in the directory may have sorted tables, whose records an earlier build would miss.
  static Status NoteSortedTables(const std::string& path);
  // What was found: a lesser one has to be converted before anything else.
  int found_format() const { return found_format_; }
  // Earlier builds refuse it whatever it has from now on.
  bool may_have_sorted_tables() const;
  // Durably notes that the store has the format that this build writes.
  Status NoteConverted();
  const std::string& path() const { return path_; }

 private:
  StoreDirectory(std::string path, int lock) : path_(std::move(path)), lock_(lock) {}
  std::string path_;
  int lock_;  // the open LOCK file; -1: moved from
  int found_format_ = 0;
};

}  // namespace ebla::tabletserver
