// tabletserver/storage/wiredtiger/file_recycler.h
// Gives the space of removed files back to the filesystem a MB at a time.
// Why:     a filesystem mounted with `discard` tells the disk of all that an unlink frees, and every sync of the log
//          waits behind that. A sync waits 20 ms for 64 MB, 70 ms for the 4 GB of a replica that has moved away, at
//          times ten times as long. RocksDB spreads its removals too (SstFileManager's bytes_max_delete_chunk).
// How:     removed files are moved to <directory>/removed, under a new name.
// Safety:  a file is shortened only when it has no other name, because an operator may have copied a store by hard
//          links. The filesystem must count those.
// Crash:   nothing in <directory>/removed is ever needed; a start clears it away, and so does an end.
// Errors:  a file that cannot be moved to <directory>/removed is unlinked at once.
// Threads: any; one mutex, held while the filesystem works. Remove waits for no disk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "common/base/status.h"

namespace ebla::tabletserver {

class FileRecycler {
 public:
  static constexpr int64_t kFreedBytes = int64_t{1} << 20;    // at once
  static constexpr int64_t kMuchBytes = int64_t{256} << 20;   // at once, where the space is needed
  static constexpr int64_t kSmallBytes = int64_t{256} << 10;  // a file of less is freed by Remove itself

  // Does and returns the same as unlink(). But the space of a large file in a FileRecycler's directory is given back
  // later. A directory in a file's place is removed, or renamed to "<path>.aside" where it is not empty.
  static int Remove(const std::string& path);
  // The same for a file that lies elsewhere on the filesystem of that directory.
  static int Remove(const std::string& path, const std::string& directory);

  // Before the database in `directory` is opened. It cares for nothing yet: what a start on a full disk removes it has
  // use for.
  explicit FileRecycler(const std::string& directory);
  ~FileRecycler();  // after the database has been closed
  FileRecycler(const FileRecycler&) = delete;
  FileRecycler& operator=(const FileRecycler&) = delete;

  // Frees one piece, and tells when to go on; none: nothing is to be done at present. Frees 100 MB/s, or a fifth of
  // all in a second. Each piece is followed by a rest that is several times as long, as long as all is freed within ten
  // minutes.
  std::optional<Duration> FreeSome();
  // A large piece, as the space is needed, of all there is. False: there is nothing.
  bool FreeMuch();

 private:
  struct Removed {
    std::string path;
    int64_t bytes = 0;
  };
  void MakeDirectory() EBLA_REQUIRES(mutex_);
  std::vector<Removed> FindRemoved() const;
  static bool Shorten(const Removed& file, int64_t bytes);

  const std::string removed_;
  Mutex mutex_;
  bool warned_ EBLA_GUARDED_BY(mutex_) = false;  // that there is no directory for removed files
};

}  // namespace ebla::tabletserver
