// tabletserver/storage/wiredtiger/file_recycler.h
// The care of WiredTiger's files once it has removed them, and of its log files before it uses them: what is removed is
// given back to the filesystem a MB at a time; the next log files are filled with zeros beforehand, in removed ones
// where there are some.
// Why:     1. A filesystem mounted with `discard` tells the disk of all that an unlink frees, and every fsync waits
//          behind that: 20 ms for a log file of 64 MB, half a second when a checkpoint makes a dozen of them
//          superfluous, and at times ten times that; 70 ms for the 4 GB of a replica that has moved away. (RocksDB
//          spreads its removals so: SstFileManager's bytes_max_delete_chunk.)
//          2. An fsync of what is written to a file for the first time writes the file's inode too, after it. In a file
//          that has been written before, it takes two thirds as long. (PostgreSQL fills and reuses its log's segments
//          so.) WiredTiger's own zero_fill writes and syncs a file all at once, and every other fsync waits behind
//          that.
// How:     what WiredTiger removes goes to <directory>/removed, under a new name. When few prepared log files are left,
//          a removed one, or a new one, becomes <directory>/removed/next and is zeroed; then it gets the name of a file
//          that WiredTiger has prepared, of which WiredTiger takes any. Not long before it is needed: what is no longer
//          in memory then would have to be read. Nor in a store whose log does not fill a file.
// Safety:  a file is changed only when it has no other name (somebody may have copied a store by hard links, which the
//          filesystem is taken to count), zeroed only once its removal is on the disk, and handed over only once its
//          zeros are: what was in it before would be replayed after a crash. Its header is that of the file that is
//          written now, as all files of a store and a version have the same.
// Crash:   nothing in <directory>/removed is ever needed; a start clears it away, and so does an end. What is prepared
//          and not used WiredTiger removes at its start.
// Errors:  what cannot be moved to <directory>/removed goes at once; where a log file cannot be prepared, none is any
//          more, and the process's log says so.
// Threads: any; one mutex, held while the filesystem works. Remove waits for nobody.
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
  static constexpr int64_t kFreedBytes = int64_t{1} << 20;     // at once
  static constexpr int64_t kMuchBytes = int64_t{256} << 20;    // at once, where the space is needed
  static constexpr int64_t kSmallBytes = int64_t{256} << 10;   // a file of less is freed by Remove itself
  static constexpr int64_t kZeroedBytes = int64_t{256} << 10;  // at once
  static constexpr size_t kKeptMax = 16;                       // removed log files, to be used again
  static constexpr size_t kPreparedMax = 2;                    // handed over and not used yet

  // What unlink() does and returns to a file, but for the space of a large one in a directory that a FileRecycler cares
  // for, which is given back later.
  static int Remove(const std::string& path);

  // Before the database in `directory` is opened, whose log files are to have so many bytes. It cares for nothing yet:
  // what a start on a full disk removes it has use for.
  FileRecycler(const std::string& directory, int64_t file_bytes);
  ~FileRecycler();  // after the database has been closed
  FileRecycler(const FileRecycler&) = delete;
  FileRecycler& operator=(const FileRecycler&) = delete;

  // Both do one piece, and tell when to go on; none: nothing is to be done at present.
  // What is freed goes at 100 MB/s, or a twentieth of it in a second, but each piece is followed by a rest that is
  // several times as long as it took, as long as all goes within ten minutes.
  std::optional<Duration> FreeSome();
  // Of a log file. Where there is room for more files.
  std::optional<Duration> PrepareSome();
  // A large piece, as the space is needed, of all there is. False: there is nothing.
  bool FreeMuch();

 private:
  // A file that WiredTiger has removed.
  struct Removed {
    std::string path;
    int64_t bytes = 0;
  };
  struct AllRemoved {
    std::vector<Removed> logs;  // the oldest first
    std::vector<Removed> others;
  };
  void MakeDirectory() EBLA_REQUIRES(mutex_);
  AllRemoved FindRemoved() const;
  static bool Shorten(const Removed& file, int64_t bytes);
  // The file that WiredTiger writes now, if the log has come so far that another is to be prepared.
  std::optional<std::string> NextIsLike() EBLA_REQUIRES(mutex_);
  Status BeginNext(const std::vector<Removed>& logs, const std::string& like) EBLA_REQUIRES(mutex_);
  Status ZeroNext() EBLA_REQUIRES(mutex_);
  Status GiveToWiredTiger(int fd) EBLA_REQUIRES(mutex_);

  const std::string directory_;
  const std::string removed_;
  const std::string next_;
  const int64_t file_bytes_;
  Mutex mutex_;
  bool told_ EBLA_GUARDED_BY(mutex_) = false;  // that there is no directory for removed files
  bool prepares_ EBLA_GUARDED_BY(mutex_) = true;
  std::string first_ EBLA_GUARDED_BY(mutex_);  // the log file that was written when this began
  int64_t zeroed_ EBLA_GUARDED_BY(mutex_) =
      0;  // bytes of the next file that are done, with the header; 0: there is none
  uint32_t given_ EBLA_GUARDED_BY(mutex_) = 0;
};

}  // namespace ebla::tabletserver
