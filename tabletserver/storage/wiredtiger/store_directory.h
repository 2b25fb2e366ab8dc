// tabletserver/storage/wiredtiger/store_directory.h
// The directory of a store: made, locked against other processes, and of a format that this build knows.
// Place:   WtStore::Open takes it before WiredTiger sees the directory, and keeps it until WiredTiger has closed.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/status.h"

namespace ebla::tabletserver {

class StoreDirectory {
 public:
  // The part that is known before the directory is looked at.
  enum class Former : uint8_t {
    kUnknown,
    kStore,    // there was a store: none is made. A new one would vote without what this server had acknowledged.
    kChecked,  // and FORMAT has its checksum
  };
  // INVALID_ARGUMENT: a newer format, or the files of another program. UNAVAILABLE: in use by another process, or the
  // system refuses for now. INTERNAL: the filesystem failed, or the store that was there is not, or FORMAT is damaged.
  // Each message says what to do.
  static Result<StoreDirectory> Open(const std::string& path, Former former = Former::kUnknown);
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
