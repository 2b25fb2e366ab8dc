// tabletserver/storage/slow_removal.h
// Gives the space of log files that WiredTiger removes back a few MB at a time. A filesystem mounted with `discard`
// tells the disk of all that an unlink frees, and every fsync waits behind that: 20 ms for a file of 64 MB, and half a
// second when a checkpoint makes a dozen of them superfluous; at times it is ten times slower at it.
// How:     a hard link in <directory>/removed keeps the blocks of a file that WiredTiger unlinks; then it is shortened
//          there from its end on. (RocksDB does so with its own: SstFileManager's bytes_max_delete_chunk.)
// Safety:  a file is shortened only when it has no other name and nothing stands where it stood.
// Crash:   nothing in <directory>/removed is ever needed; a start clears it away, and so does an end.
// Errors:  where the filesystem has no hard links, log files go at once; the log says so.
// Threads: any; one mutex, held while the filesystem works.
#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>

#include "common/base/executor.h"

namespace ebla::tabletserver {

class SlowRemoval {
 public:
  static constexpr int64_t kPieceBytes = int64_t{4} << 20;

  // Before the database in `directory` is opened.
  explicit SlowRemoval(const std::string& directory);
  ~SlowRemoval();  // after the database has been closed
  SlowRemoval(const SlowRemoval&) = delete;
  SlowRemoval& operator=(const SlowRemoval&) = delete;

  // Keeps the blocks of the log files that there are now. Before each checkpoint: it is what makes them superfluous.
  void Hold();
  // Frees one piece of what WiredTiger has removed. When to free the next: at 100 MB/s, or a twentieth of what is left in
  // a second, but after nine times as long as this one took; none: nothing is left.
  std::optional<Duration> FreeSome();
  // At once: the space is needed.
  void FreeAll();

 private:
  // A file that WiredTiger has removed, open for shortening; none: it is in use, or gone.
  struct Removed {
    int fd = -1;
    int64_t bytes = 0;
  };
  std::optional<Removed> OpenRemoved(const std::string& name) const;

  const std::string directory_;
  const std::string removed_;
  std::mutex mutex_;
  bool works_ = true;  // guarded by mutex_
};

}  // namespace ebla::tabletserver
