// tabletserver/storage/log/posix_log_disk.h
// The files of a log in a directory of their own, <number in hex>.log, and spare-<n> for segments to come.
// Spares:     the first sync of new bytes of a file also writes its inode, and takes half as long again. So a removed
//             segment becomes a spare. If there is none, Prepare fills one with zeros beforehand, a piece at a time. A
//             spare's old contents do no harm (log_format.h).
// Links:      a segment that is a symbolic link is of a store that is salvaged: it is read only, and no spare.
// Threads:    any. Prepare: one thread.
#pragma once

#include <functional>

#include "common/base/mutex.h"
#include "tabletserver/storage/log/log_disk.h"

namespace ebla::tabletserver {

class PosixLogDisk final : public LogDisk {
 public:
  static constexpr size_t kSparesMax = 4;

  // Makes the directory where it is missing; its parent must exist.
  // `discard` unlinks a file, or does better; as unlink() in what it returns.
  static Result<std::unique_ptr<PosixLogDisk>> Open(const std::string& directory,
                                                    std::function<int(const std::string& file)> discard = {});
  ~PosixLogDisk() override;
  PosixLogDisk(const PosixLogDisk&) = delete;
  PosixLogDisk& operator=(const PosixLogDisk&) = delete;

  // Writes a piece of a spare for segments of so many bytes. False: there is one; nothing is left to do.
  Result<bool> Prepare(int64_t bytes);
  // Gives up the spares, as their room is needed.
  Status DropSpares();

  Result<std::vector<uint64_t>> List() override;
  Result<std::shared_ptr<LogFile>> Create(uint64_t number, int64_t bytes) override;
  Result<std::shared_ptr<LogFile>> Open(uint64_t number) override;
  Status Remove(uint64_t number) override;
  std::string Name(uint64_t number) const override;

 private:
  PosixLogDisk(std::string path, int fd, std::function<int(const std::string&)> discard)
      : path_(std::move(path)), fd_(fd), discard_(std::move(discard)) {}
  struct Spare {
    std::string name;
    int64_t bytes = 0;
  };
  Status FindSpares();
  std::string NextSpareName() EBLA_REQUIRES(mutex_) { return path_ + "/spare-" + std::to_string(spares_made_++); }
  // Another piece of the spare that is being filled; the last one makes it durable.
  Status Fill(int64_t bytes, const std::string& name);
  // Durable names.
  Status Rename(const std::string& from, const std::string& to);
  Status SyncNames();

  const std::string path_;
  const int fd_;  // of the directory
  const std::function<int(const std::string&)> discard_;
  Mutex mutex_;
  std::vector<Spare> spares_ EBLA_GUARDED_BY(mutex_);
  int64_t usual_bytes_ EBLA_GUARDED_BY(mutex_) = INT64_MAX;  // of a segment; larger ones are no spares
  uint64_t spares_made_ EBLA_GUARDED_BY(mutex_) = 0;
  // The spare that is being filled: only Prepare uses it.
  int filling_ = -1;
  int64_t filled_ = 0;
};

}  // namespace ebla::tabletserver
