// tabletserver/storage/wiredtiger/wt_files.h
// The files that WiredTiger works on: the kernel's, as in its own default. But a checkpoint's writes are sent to the
// disk a piece at a time, and so is the room that it cuts off.
// Why:     a checkpoint writes all changed pages to the kernel within some 100 ms, and then syncs each file. The sync
//          passes 35 MB, or a GB, to the disk at once, and every fsync of the log, for which clients wait, queues
//          behind them. It then takes 30 to 60 ms on a disk of half a GB/s, instead of 0.3 ms. In pieces of 256 KB,
//          with a rest after each, it waits for one piece at most. A filesystem mounted with `discard` tells the disk
//          at once of the room that a checkpoint cuts off a file. The log waits 70 to 190 ms behind some hundred MB,
//          and 3 ms behind 4 MB. Eviction's writes are sent a MB or two at a time, as WiredTiger's os_cache_dirty_max
//          tells. WiredTiger's own functions would send all of the file, and with it the latest writes of a checkpoint.
//          WiredTiger's io_capacity slows down the log before the checkpoint.
// How:     WT_FILE_SYSTEM, WiredTiger's interface for such a purpose. It must be complete, so the other calls are here
//          too, as a database on a local disk needs them. It has no memory maps and no direct I/O, which no store here
//          uses. It does not support WiredTiger's backups, because delayed cuts would remove room under them.
// Place:   wt_connection.cc names kFilesEntry to WiredTiger, which looks it up in the running program;
//          wt_checkpoints.cc says when to take time.
// Views:   in a view of a store a file that is a symbolic link is read and never written (unwritten_file.h).
// Errors:  errno, to WiredTiger; its event handler is told. Once a sync has failed none succeeds: the kernel tells of
//          what it could not write once. The store fails for good then (WtConnection::Check), as it does by
//          WiredTiger's own panic.
// Threads: any.
#pragma once

#include <wiredtiger.h>

#include <cstdint>
#include <functional>
#include <map>

#include "common/base/executor.h"
#include "common/base/mutex.h"

// WiredTiger calls this function while it opens a database.
extern "C" int EblaUseWtFiles(WT_CONNECTION* connection, WT_CONFIG_ARG* config) noexcept;
// The same for a view of a store (tools/standalone/salvage_view.h).
extern "C" int EblaUseWtFilesOfView(WT_CONNECTION* connection, WT_CONFIG_ARG* config) noexcept;

namespace ebla::tabletserver {

inline constexpr char kFilesEntry[] = "EblaUseWtFiles";
inline constexpr char kViewFilesEntry[] = "EblaUseWtFilesOfView";

// Has what the calling thread syncs, and what it cuts off files, go to the disk in pieces, for as long as it lives; one
// at a time in a thread.
class PacedSyncs {
 public:
  static constexpr int64_t kPieceBytes = int64_t{256} << 10;
  static constexpr int64_t kCutBytes = int64_t{4} << 20;
  static constexpr int kRestFrom = 4;  // a rest is so many times as long as the piece before it took
  static constexpr Duration kRestMax = std::chrono::milliseconds(100);
  // the disk may still be busy with what it was told
  static constexpr Duration kCutRestMin = std::chrono::milliseconds(10);
  // The limits of all rests, and of all rests after cuts. Beyond them pieces follow each other at once, because an
  // endless checkpoint makes recovery long.
  static constexpr Duration kRestsMax = std::chrono::seconds(10);

  // Once it is `hurried` it does not rest, and cuts at once.
  explicit PacedSyncs(std::function<bool()> hurried, Duration rests_max = kRestsMax);
  // For a writer of much, without a limit of all rests: what the thread writes is sent to the disk in pieces while it
  // writes, each followed by a rest as long as the piece took.
  static PacedSyncs WhileWriting(std::function<bool()> hurried) {
    return PacedSyncs(std::move(hurried), Duration::max(), /*rest_from=*/1, /*while_writing=*/true);
  }
  ~PacedSyncs();
  PacedSyncs(const PacedSyncs&) = delete;
  PacedSyncs& operator=(const PacedSyncs&) = delete;

  static PacedSyncs* OfThisThread();
  bool hurried() const { return hurried_(); }
  bool while_writing() const { return while_writing_; }
  // Both return how long they rested.
  Duration RestAfter(Duration piece);
  Duration RestAfterCut(Duration piece);
  int64_t pieces() const { return pieces_; }
  int64_t cuts() const { return cuts_; }

 private:
  PacedSyncs(std::function<bool()> hurried, Duration rests_max, int rest_from, bool while_writing);
  Duration Rest(Duration wanted, Duration& left);

  const std::function<bool()> hurried_;
  const int rest_from_;
  const bool while_writing_;
  Duration rests_left_, cut_rests_left_;
  int64_t pieces_ = 0, cuts_ = 0;
};

// Has what the calling thread reads come from the disk itself, and not from the kernel's memory, for as long as it
// lives.
class UncachedReads {
 public:
  UncachedReads();
  ~UncachedReads();
  UncachedReads(const UncachedReads&) = delete;
  UncachedReads& operator=(const UncachedReads&) = delete;
};

// Which parts of a file have been written and not been synced.
class WrittenParts {
 public:
  static constexpr int64_t kPartBytes = PacedSyncs::kPieceBytes;
  // a part's number, from the file's start on: how many bytes were written in it
  using Parts = std::map<int64_t, int64_t>;

  void Note(int64_t offset, int64_t bytes);
  // Some parts that were not taken since they were written, with about so many bytes, each in its turn; none: there are
  // none.
  Parts NextToSend(int64_t bytes_max);
  // All, which are to be synced.
  Parts Take();

 private:
  Mutex mutex_;
  Parts written_ EBLA_GUARDED_BY(mutex_);
  Parts sent_ EBLA_GUARDED_BY(mutex_);
  int64_t next_ EBLA_GUARDED_BY(mutex_) = 0;  // whose turn it is
};

}  // namespace ebla::tabletserver
