#include "tabletserver/storage/wiredtiger/disk_reserve.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/mutex.h"
#include "common/base/system_error.h"

namespace ebla::tabletserver {

Result<DiskSpace> FilesystemSpace(const std::string& directory) {
  struct statvfs space{};
  if (statvfs(directory.c_str(), &space) != 0) {
    return SystemError(Code::kInternal, "cannot ask for the free space of " + directory);
  }
  // The filesystem's room for root counts in neither, as in df's percentage.
  const auto bytes = [&](fsblkcnt_t blocks) {
    return static_cast<int64_t>(blocks) * static_cast<int64_t>(space.f_frsize);
  };
  return DiskSpace{bytes(space.f_bavail), bytes(space.f_blocks - space.f_bfree + space.f_bavail)};
}

DiskReserve::DiskReserve(std::string directory, int64_t reserve_bytes,
                         std::function<Result<DiskSpace>(const std::string&)> disk_space)
    : directory_(std::move(directory)),
      reserve_(reserve_bytes),
      disk_space_(disk_space ? std::move(disk_space) : FilesystemSpace) {
  struct stat file{};
  // A ballast of another size (the option changed) is made anew.
  ballast_ = stat(BallastPath().c_str(), &file) == 0 && file.st_size == reserve_ && reserve_ > 0;
  if (!ballast_) unlink(BallastPath().c_str());
}

std::string DiskReserve::BallastPath() const { return directory_ + "/BALLAST"; }

void DiskReserve::BeforeOpen() {
  MutexLock lock(mutex_);
  if (reserve_ == 0 || !Measure()) return;
  if (ballast_ && free_ < reserve_) {
    LOG(WARNING) << "only " << (free_ >> 20) << " MiB are free in " << directory_
                 << ": the ballast file is removed for recovery";
    RemoveBallast();
    Measure();
  }
}

void DiskReserve::Check() {
  MutexLock lock(mutex_);
  if (!Measure() || reserve_ == 0) return;
  if (ballast_ && free_ < reserve_ / 4) {
    LOG(WARNING) << "only " << (free_ >> 20) << " MiB are free in " << directory_ << ": the ballast file is removed";
    RemoveBallast();
    Measure();
  } else if (!ballast_ && free_ >= 2 * reserve_ + reserve_ / 8) {
    MakeBallast();
    Measure();
  }
}

void DiskReserve::NoteWritten(int64_t bytes) {
  const int64_t written = written_.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (written - written_at_look_.load(std::memory_order_relaxed) >= reserve_ / 16) Look();
}

void DiskReserve::Look() {
  if (reserve_ == 0 || !mutex_.TryLock()) return;
  MutexLock lock(mutex_, std::adopt_lock);
  Measure();
}

bool DiskReserve::Measure() {
  written_at_look_.store(written_, std::memory_order_relaxed);
  const Result<DiskSpace> space = disk_space_(directory_);
  if (!space) {
    LOG_EVERY_N(WARNING, 100) << space.error().message();
    return false;
  }
  free_ = space->free_bytes;
  total_ = space->total_bytes;
  if (reserve_ > 0) Decide();
  return true;
}

DiskRoom DiskReserve::RoomNow() const {
  const DiskRoom before = room();
  const int64_t usable = free_ - (ballast_ ? 0 : reserve_);
  if (usable >= reserve_ + (before == DiskRoom::kAll ? 0 : reserve_ / 8)) return DiskRoom::kAll;
  const int64_t for_deletes = reserve_ / 4 + (before == DiskRoom::kNone ? reserve_ / 16 : 0);
  return free_ >= for_deletes ? DiskRoom::kDeletes : DiskRoom::kNone;
}

void DiskReserve::Decide() {
  const DiskRoom now = RoomNow();
  if (now == room_.exchange(now)) return;
  switch (now) {
    case DiskRoom::kAll:
      LOG(INFO) << "the disk of " << directory_ << " has room again (" << (free_ >> 20)
                << " MiB are free): writes are accepted";
      break;
    case DiskRoom::kDeletes:
      LOG(WARNING) << "the disk of " << directory_ << " is full but for its reserve (" << (free_ >> 20) << " of "
                   << (total_ >> 20) << " MiB are free, the reserve is " << (reserve_ >> 20)
                   << " MiB): writes are refused until there is room, but for deletes";
      break;
    case DiskRoom::kNone:
      LOG(WARNING) << "the disk of " << directory_ << " is full (" << (free_ >> 20) << " of " << (total_ >> 20)
                   << " MiB are free, the reserve is " << (reserve_ >> 20) << " MiB): deletes are refused, too";
      break;
  }
}

void DiskReserve::MakeBallast() {
  const std::string path = BallastPath();
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  const int error = fd < 0 ? errno : posix_fallocate(fd, 0, reserve_);
  if (fd >= 0) close(fd);
  ballast_ = error == 0;
  if (error == 0) return;
  LOG(WARNING) << "cannot make the ballast file " << path << " of " << (reserve_ >> 20)
               << " MiB: " << std::strerror(error);
  unlink(path.c_str());
}

void DiskReserve::RemoveBallast() {
  if (unlink(BallastPath().c_str()) != 0)
    LOG(WARNING) << "cannot remove " << BallastPath() << ": " << std::strerror(errno);
  ballast_ = false;
}

}  // namespace ebla::tabletserver
