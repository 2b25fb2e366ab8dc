#include "tabletserver/storage/slow_removal.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <vector>

namespace ebla::tabletserver {
namespace {

namespace fs = std::filesystem;

constexpr char kLogFile[] = "WiredTigerLog.";
constexpr int64_t kBytesPerSecond = 100'000'000;
constexpr int64_t kSecondsMax = 20;
constexpr int kRest = 9;  // times as long as a piece took: who waits for the disk has most of it

// The names of the directory's files that begin with `prefix`; none of a directory that cannot be read.
std::vector<std::string> Names(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (std::string name = at->path().filename(); name.starts_with(prefix)) names.push_back(std::move(name));
  }
  return names;
}

}  // namespace

SlowRemoval::SlowRemoval(const std::string& directory) : directory_(directory), removed_(directory + "/removed") {
  std::error_code error;
  fs::remove_all(removed_, error);
}

SlowRemoval::~SlowRemoval() {
  std::error_code error;
  fs::remove_all(removed_, error);
}

void SlowRemoval::Hold() {
  const std::lock_guard lock(mutex_);
  if (!works_) return;
  if (mkdir(removed_.c_str(), 0755) != 0 && errno != EEXIST) {
    PLOG(WARNING) << "cannot make " << removed_;
    return;
  }
  for (const std::string& name : Names(directory_, kLogFile)) {
    const std::string held = removed_ + "/" + name;
    struct stat file {};
    if (link((directory_ + "/" + name).c_str(), held.c_str()) == 0) {
      if (lstat(held.c_str(), &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink > 1) continue;
      unlink(held.c_str());
      errno = ENOTSUP;  // it does not count names
    } else if (errno == EEXIST || errno == ENOENT) {
      continue;  // held since an earlier checkpoint; gone meanwhile
    }
    works_ = errno == ENOSPC || errno == EDQUOT || errno == EIO;
    PLOG(WARNING) << "the space of removed log files is freed at once: no hard link to " << directory_ << "/" << name;
    return;
  }
}

std::optional<SlowRemoval::Removed> SlowRemoval::OpenRemoved(const std::string& name) const {
  struct stat file {};
  if (lstat((directory_ + "/" + name).c_str(), &file) == 0 || errno != ENOENT) return std::nullopt;
  const int fd = open((removed_ + "/" + name).c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return std::nullopt;
  if (fstat(fd, &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink == 1) return Removed{fd, file.st_size};
  close(fd);
  return std::nullopt;
}

std::optional<Duration> SlowRemoval::FreeSome() {
  const std::lock_guard lock(mutex_);
  int64_t left = 0;
  bool freed = false;
  std::chrono::steady_clock::duration took{};
  for (const std::string& name : Names(removed_, kLogFile)) {
    const std::optional<Removed> file = OpenRemoved(name);
    if (!file) continue;
    left += file->bytes;
    if (!freed) {
      const std::string path = removed_ + "/" + name;
      const bool last = file->bytes <= kPieceBytes;
      const auto begun = std::chrono::steady_clock::now();
      freed = (last ? unlink(path.c_str()) : ftruncate(file->fd, file->bytes - kPieceBytes)) == 0;
      took = std::chrono::steady_clock::now() - begun;
      if (!freed) {
        LOG_EVERY_N(WARNING, 100) << "cannot shorten " << path << ": " << std::strerror(errno);
      }
    }
    close(file->fd);
  }
  if (!freed) return std::nullopt;
  const int64_t rate = std::max(kBytesPerSecond, left / kSecondsMax);
  return std::max<Duration>(std::chrono::microseconds(1'000'000 * kPieceBytes / rate), kRest * took);
}

void SlowRemoval::FreeAll() {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : Names(removed_, kLogFile)) unlink((removed_ + "/" + name).c_str());
}

}  // namespace ebla::tabletserver
