// tabletserver/storage/wiredtiger/wt_files.h
// The files that WiredTiger works on: the kernel's, as its own default has them, but what a checkpoint has written goes
// to the disk a piece at a time, and what it cuts off them is given back so.
// Why:     a checkpoint writes all changed pages to the kernel within some 100 ms, and then syncs each file. 35 MB, or
//          a GB, are handed to the disk at once by that, and every fsync of the log, for which clients wait, stands in
//          line behind them: 30 to 60 ms on a disk of half a GB/s, where one takes 0.3 otherwise. In pieces of 256 KB,
//          with a rest after each, it waits for one piece at most.
//          What a checkpoint cuts off a file the disk is told of at once, where the filesystem is mounted with
//          `discard`: the log waits for 70 to 190 ms behind some hundred MB. 4 MB at a time it waits for 3.
//          What eviction has written is on its way a MB or two at a time (WiredTiger's os_cache_dirty_max says when;
//          its own functions send all of the file then, and with it what a checkpoint has just written). WiredTiger's
//          io_capacity slows down the log before the checkpoint.
// How:     WT_FILE_SYSTEM, WiredTiger's place for such a thing: all of it or nothing, so the rest is here too, call by
//          call as a database on a local disk needs it. It has no memory maps and no direct I/O, which no store here
//          asks for, nor WiredTiger's backups: what is put off would be cut off under them.
// Place:   wt_connection.cc names kFilesEntry to WiredTiger, which looks it up in the running program;
//          wt_checkpoints.cc says when to take time.
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

// What WiredTiger calls while it opens a database.
extern "C" int EblaUseWtFiles(WT_CONNECTION* connection, WT_CONFIG_ARG* config) noexcept;

namespace ebla::tabletserver {

inline constexpr char kFilesEntry[] = "EblaUseWtFiles";

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
  // Of all rests, and of all that follow cuts: from then on pieces follow one another, as a checkpoint that takes for
  // ever makes recovery long.
  static constexpr Duration kRestsMax = std::chrono::seconds(10);

  // Once it is `hurried` it does not rest, and cuts at once.
  explicit PacedSyncs(std::function<bool()> hurried, Duration rests_max = kRestsMax);
  ~PacedSyncs();
  PacedSyncs(const PacedSyncs&) = delete;
  PacedSyncs& operator=(const PacedSyncs&) = delete;

  static PacedSyncs* OfThisThread();
  bool hurried() const { return hurried_(); }
  // Both return how long they rested.
  Duration RestAfter(Duration piece);
  Duration RestAfterCut(Duration piece);
  int64_t pieces() const { return pieces_; }
  int64_t cuts() const { return cuts_; }

 private:
  Duration Rest(Duration wanted, Duration& left);

  const std::function<bool()> hurried_;
  Duration rests_left_, cut_rests_left_;
  int64_t pieces_ = 0, cuts_ = 0;
};

// Has what the calling thread reads come from the disk itself, and not from the kernel's memory, for as long as it lives.
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
  // Some that nobody has been given since they were written, with about so many bytes, each in its turn; none: there
  // are none.
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
