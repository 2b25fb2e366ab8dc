// tabletserver/storage/log/log_disk.h
// The port to the files of a log: segments of one size, each known by a number that grows and is never used again.
// Contract:   1. Write is handed to the operating system; a Sync that begins after it makes it durable. Unsynced writes
//                may survive a crash of the machine or not, sector by sector.
//             2. Create and Remove are durable when they return, in their order.
//             3. A segment that was just created holds anything at all, such as zeros or the bytes of an earlier life
//                of the file.
//             4. A LogFile may be read after its segment is removed; what it returns then is anything.
// Errors:     INTERNAL: the filesystem failed. After a failed Sync the contents of the disk are unknown.
// Threads:    any; one segment is written by one thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"

namespace ebla::tabletserver {

class LogFile {
 public:
  virtual ~LogFile() = default;

  // Usually copies in memory.
  virtual Status Write(int64_t offset, std::string_view bytes) = 0;
  virtual Status Sync() = 0;
  // Starts to write out what was written, if it is much. Sync reports the errors.
  virtual void StartWriting() {}
  // Fewer than `size` where the file ends.
  virtual Result<std::string> Read(int64_t offset, int64_t size) = 0;
  virtual Result<int64_t> Size() = 0;
  // The next read of synced bytes reads the disk itself, as far as the system can do that.
  virtual void DropCached(int64_t offset, int64_t size) {}
};

class LogDisk {
 public:
  virtual ~LogDisk() = default;

  // In growing order.
  virtual Result<std::vector<uint64_t>> List() = 0;
  // A new segment of at least `bytes`.
  virtual Result<std::shared_ptr<LogFile>> Create(uint64_t number, int64_t bytes) = 0;
  virtual Result<std::shared_ptr<LogFile>> Open(uint64_t number) = 0;
  virtual Status Remove(uint64_t number) = 0;
  // The file of a segment, for messages.
  virtual std::string Name(uint64_t number) const = 0;
};

}  // namespace ebla::tabletserver
