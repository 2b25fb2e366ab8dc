// common/coordination/change_mark.h
// A file that counts the changes of a coordinator's database and lies outside its directory. A database that has fewer
// changes than the file counts has lost some: its log was cut, or an older copy was put in its place.
// Place:      embedded_coordinator.h raises it after each change that the database has durably.
// Format:     <data_dir>/CATALOG, text, overwritten in place: "ebla catalog, format 1, crc C" (the CRC-32 of the next
//             line), then "changes N", then zeros up to 512 bytes.
// Invariants: the file never counts a change that the database does not have on the disk. It may lag by one.
// Errors:     a file that is damaged counts nothing, and is written anew. So does one that is missing.
// Threads:    thread-compatible.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "common/base/descriptor.h"
#include "common/base/status.h"

namespace ebla::coordination {

class ChangeMark {
 public:
  // Makes the file where it is missing. An empty path: there is no file, and nothing is counted.
  Status Open(const std::string& path);
  const std::string& path() const { return path_; }
  uint64_t count() const { return count_; }
  // Durably, if `count` is above the file's.
  Status Raise(uint64_t count);

 private:
  std::string path_;
  std::unique_ptr<Descriptor> fd_;  // null: there is no file
  uint64_t count_ = 0;
};

}  // namespace ebla::coordination
