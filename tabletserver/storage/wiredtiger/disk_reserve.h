// tabletserver/storage/wiredtiger/disk_reserve.h
// Keeps room on the disk for the work that must continue on a full disk (PROTOCOL 25). Below the reserve clients'
// writes are refused, but for deletes, while applying, checkpoints and recovery use it up. A ballast file of the same
// size is given back when a store is opened on a full disk, because WiredTiger panics there without room, or when
// deletes or another process have used the reserve.
// Invariants: 1. A missing ballast counts as used space: puts are accepted only when it could be made again.
//             2. Puts are refused below the reserve, and accepted again an eighth of it above.
//             3. Deletes are refused below a quarter of the reserve, and accepted again a sixteenth of it above. Check
//                gives back the ballast at that quarter, so that they soon pass again, until that is used as well.
// Threads:    any; one mutex, held while the ballast is made or removed.
#pragma once

#include <atomic>
#include <string>

#include "common/base/mutex.h"
#include "tabletserver/storage/records/disk_room.h"
#include "tabletserver/storage/wiredtiger/wt_options.h"

namespace ebla::tabletserver {

Result<DiskSpace> FilesystemSpace(const std::string& directory);

class DiskReserve {
 public:
  DiskReserve(std::string directory, int64_t reserve_bytes,
              std::function<Result<DiskSpace>(const std::string&)> disk_space);

  // Before recovery: gives the ballast back when the disk is short of space.
  void BeforeOpen();
  // Looks at the disk, then makes or gives back the ballast. To be called often, from a thread that may block.
  void Check();
  // Only looks at the disk, unless another thread does so at this moment.
  void Look();
  // Counts bytes of the log, and looks at the disk each sixteenth of the reserve.
  void NoteWritten(int64_t bytes);
  int64_t written() const { return written_; }  // noted since the start

  DiskRoom room() const { return room_.load(std::memory_order_relaxed); }  // for clients' writes
  bool writes_refused() const { return room() != DiskRoom::kAll; }         // but perhaps for deletes
  DiskSpace last() const { return {free_.load(std::memory_order_relaxed), total_.load(std::memory_order_relaxed)}; }

 private:
  std::string BallastPath() const;
  bool Measure() EBLA_REQUIRES(mutex_);  // measures and decides; false when the filesystem does not answer
  DiskRoom RoomNow() const EBLA_REQUIRES(mutex_);
  void Decide() EBLA_REQUIRES(mutex_);
  void MakeBallast() EBLA_REQUIRES(mutex_);
  void RemoveBallast() EBLA_REQUIRES(mutex_);

  const std::string directory_;
  const int64_t reserve_;
  const std::function<Result<DiskSpace>(const std::string&)> disk_space_;

  Mutex mutex_;
  bool ballast_ EBLA_GUARDED_BY(mutex_) = false;

  std::atomic<DiskRoom> room_{DiskRoom::kAll};
  std::atomic<int64_t> free_{0};
  std::atomic<int64_t> total_{0};
  std::atomic<int64_t> written_{0};
  std::atomic<int64_t> written_at_look_{0};  // thereof before the last look
};

}  // namespace ebla::tabletserver
