// tabletserver/storage/log/log_writer.h
// The end of the log on its disk: the segment that frames are written to, and how far the disk has them.
// Place:   shared_log.h, whose frames come in their order.
// Threads: one at a time; LogCounts is read by any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>

#include "common/base/mutex.h"
#include "tabletserver/storage/log/log_disk.h"
#include "tabletserver/storage/log/log_extent.h"
#include "tabletserver/storage/log/log_format.h"
#include "tabletserver/storage/log/log_tail.h"

namespace ebla::tabletserver {

// How far the disk has the log, and what that took.
class LogCounts {
 public:
  // But for `first_segment`, which the log knows.
  LogExtent extent() const {
    MutexLock lock(mutex_);
    return extent_;
  }
  void SetExtent(const LogExtent& extent) {
    MutexLock lock(mutex_);
    extent_ = extent;
  }

  std::atomic<int64_t> bytes{0};  // written, in this life, frames and all
  std::atomic<int64_t> syncs{0};
  std::atomic<uint64_t> synced{0};  // the last frame that the disk has
  // The start found that the disk lacks writes that no sync had covered, though the machine ran on, because the disk
  // had refused a sync. For writes that waited for no sync that is like a crash of the machine.
  std::atomic<bool> lost_unsynced{false};

 private:
  mutable Mutex mutex_;
  LogExtent extent_ EBLA_GUARDED_BY(mutex_);
};

class LogWriter {
 public:
  LogWriter(LogDisk& disk, LogCounts& counts) : disk_(disk), counts_(counts) {}

  // A segment of at least so many bytes. The frames up to its first one are on the disk.
  Status Begin(const SegmentHeader& header, int64_t bytes);
  bool Writes(uint64_t segment) const { return header_.number == segment; }
  const std::shared_ptr<LogFile>& file() const { return file_; }
  const SegmentHeader& header() const { return header_; }

  // The present segment.
  Status Write(LogTail::Frame& frame);
  Status Sync();
  // Starts to write out much that was written.
  void StartWriting();
  // Whether writing them is a copy in memory: it begins no segment, and not so much was written since the last
  // StartWriting() or Sync() that the disk should begin.
  bool WritesInMemory(std::span<const LogTail::FramePtr> frames) const;

  uint64_t written() const { return written_; }  // the last frame
  bool synced() const { return counts_.synced == written_; }

 private:
  LogDisk& disk_;
  LogCounts& counts_;
  std::shared_ptr<LogFile> file_;
  SegmentHeader header_;
  uint64_t written_ = 0;
  uint64_t needed_ = 0;  // of those, the last that is no end mark
  int64_t bytes_ = 0;    // of the segment
  int64_t end_ = 0;      // of its last frame
  int64_t unstarted_bytes_ = 0;
};

}  // namespace ebla::tabletserver
