// common/process/directory_lock.h
// One process at a time owns a data directory: it holds <dir>/LOCK flock()ed until it ends. It takes the lock before it
// writes anything there, even its log.
// Place:      InitProcess takes it before the log is opened; the tablet server's identity.h uses it to find out whether
//             the process before this one is dead.
// Errors:     UNAVAILABLE: another process holds it. INVALID_ARGUMENT: the directory's files are not Ebla's. INTERNAL:
//             the disk refused. An error leaves nothing behind but directories that were missing.
// Threads:    thread-compatible.
#pragma once

#include <string>
#include <utility>

#include "common/base/status.h"

namespace ebla::process {

class DirectoryLock {
 public:
  enum class Content {
    kAny,      // files of an operator's may lie there as well
    kStore,    // a directory without a store that holds anything which no Ebla makes is refused
    kNoStore,  // a directory with a store is another server's, and refused
  };
  // Makes the directory where it is missing.
  static Result<DirectoryLock> Take(const std::string& directory, Content content);

  DirectoryLock() = default;  // holds nothing
  DirectoryLock(DirectoryLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~DirectoryLock();

  bool held() const { return fd_ >= 0; }
  int fd() const { return fd_; }

 private:
  explicit DirectoryLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace ebla::process
