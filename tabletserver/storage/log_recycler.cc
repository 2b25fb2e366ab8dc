#include "tabletserver/storage/log_recycler.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <vector>

#include "common/base/descriptor.h"

namespace ebla::tabletserver {
namespace {

namespace fs = std::filesystem;

constexpr char kOfWiredTiger[] = "WiredTiger";
constexpr char kLogFile[] = "WiredTigerLog.";
constexpr char kPreparedFile[] = "WiredTigerPreplog.";
constexpr uint32_t kFirstNumber = 2'000'000'000;  // of prepared files; WiredTiger counts its own from one
constexpr int64_t kHeaderBytes = 128;             // the unit of WiredTiger's log
constexpr int64_t kFreedPerSecond = 100'000'000;
constexpr int64_t kSecondsMax = 20;
// A rest is so many times as long as what it follows: who waits for the disk has most of it.
constexpr int kRestFromFreeing = 9;
constexpr int kRestFromZeroing = 4;

// The names of the directory's files that begin with `prefix`; none of a directory that cannot be read.
std::vector<std::string> Names(const std::string& directory, std::string_view prefix) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    if (std::string name = at->path().filename(); name.starts_with(prefix)) names.push_back(std::move(name));
  }
  std::ranges::sort(names);
  return names;
}

// As WiredTiger's names end; 0 of another.
uint64_t NumberOf(const std::string& name, std::string_view prefix) {
  return std::strtoull(name.c_str() + prefix.size(), nullptr, 10);
}

Status Failed(const std::string& doing, const std::string& path) {
  return {Code::kInternal, "cannot " + doing + " " + path + ": " + std::strerror(errno)};
}

}  // namespace

LogRecycler::LogRecycler(const std::string& directory, int64_t file_bytes)
    : directory_(directory), removed_(directory + "/removed"), next_(removed_ + "/next"), file_bytes_(file_bytes) {
  std::error_code error;
  fs::remove_all(removed_, error);
}

LogRecycler::~LogRecycler() {
  std::error_code error;
  fs::remove_all(removed_, error);
}

void LogRecycler::Hold() {
  const std::lock_guard lock(mutex_);
  if (!holds_) return;
  if (mkdir(removed_.c_str(), 0755) != 0 && errno != EEXIST) {
    PLOG(WARNING) << "cannot make " << removed_;
    return;
  }
  for (const std::string& name : Names(directory_, kLogFile)) {
    const std::string held = removed_ + "/" + name;
    struct stat file {};
    if (link((directory_ + "/" + name).c_str(), held.c_str()) == 0) {
      if (lstat(held.c_str(), &file) == 0 && S_ISREG(file.st_mode) && file.st_nlink > 1) continue;
      // Removed just now, after an earlier checkpoint?
      if (lstat((directory_ + "/" + name).c_str(), &file) != 0 && errno == ENOENT) continue;
      unlink(held.c_str());
      errno = ENOTSUP;  // it does not count names
    } else if (errno == EEXIST || errno == ENOENT) {
      continue;  // held since an earlier checkpoint; gone meanwhile
    }
    holds_ = errno == ENOSPC || errno == EDQUOT || errno == EIO;
    PLOG(WARNING) << "the space of removed log files is freed at once: no hard link to " << directory_ << "/" << name;
    return;
  }
}

std::vector<LogRecycler::Removed> LogRecycler::ListRemoved() const {
  std::vector<Removed> removed;
  for (const std::string& name : Names(removed_, kLogFile)) {
    struct stat file {};
    if (lstat((directory_ + "/" + name).c_str(), &file) == 0 || errno != ENOENT) continue;
    const std::string path = removed_ + "/" + name;
    if (lstat(path.c_str(), &file) != 0 || !S_ISREG(file.st_mode) || file.st_nlink != 1) continue;
    removed.push_back({path, file.st_size});
  }
  return removed;
}

std::optional<Duration> LogRecycler::DoSome(bool roomy) {
  const std::lock_guard lock(mutex_);
  const std::vector<Removed> removed = ListRemoved();
  std::optional<Duration> rest;
  // First what is needed soon, unless the log is written faster than files are zeroed.
  if (roomy && prepares_ && removed.size() <= 2 * kKeptMax) rest = ZeroSome(removed);
  if (!rest && removed.size() > kKeptMax) rest = FreeSome(removed);
  return rest;
}

std::optional<Duration> LogRecycler::FreeSome(const std::vector<Removed>& removed) const {
  int64_t left = 0;
  for (size_t i = kKeptMax; i < removed.size(); ++i) left += removed[i].bytes;
  const auto& [path, bytes] = removed.back();
  const bool last = bytes <= kFreedBytes;
  const auto begun = std::chrono::steady_clock::now();
  if ((last ? unlink(path.c_str()) : truncate(path.c_str(), bytes - kFreedBytes)) != 0) {
    LOG_EVERY_N(WARNING, 100) << Failed("shorten", path);
    return std::nullopt;
  }
  const Duration took = std::chrono::steady_clock::now() - begun;
  const int64_t rate = std::max(kFreedPerSecond, left / kSecondsMax);
  return std::max<Duration>(std::chrono::microseconds(1'000'000 * kFreedBytes / rate), kRestFromFreeing * took);
}

std::optional<Duration> LogRecycler::ZeroSome(const std::vector<Removed>& removed) {
  const auto begun = std::chrono::steady_clock::now();
  Status status;
  if (zeroed_ == 0) {
    const auto like = NextIsLike();
    if (!like) return std::nullopt;
    status = BeginNext(removed, *like);
  }
  if (status.ok()) status = ZeroNext();
  if (!status.ok()) {
    LOG(WARNING) << "log files are prepared no more: " << status;
    prepares_ = false;
    unlink(next_.c_str());
    return std::nullopt;
  }
  return kRestFromZeroing * (std::chrono::steady_clock::now() - begun);
}

std::optional<std::string> LogRecycler::NextIsLike() {
  std::string last;
  size_t prepared = 0;
  for (const std::string& name : Names(directory_, kOfWiredTiger)) {
    if (name.starts_with(kLogFile)) last = name;
    if (name.starts_with(kPreparedFile) && NumberOf(name, kPreparedFile) >= kFirstNumber) ++prepared;
  }
  if (first_.empty()) first_ = last;
  if (last.empty() || last == first_ || prepared >= kPreparedMax) return std::nullopt;
  return directory_ + "/" + last;
}

Status LogRecycler::BeginNext(const std::vector<Removed>& removed, const std::string& like) {
  const Descriptor from(open(like.c_str(), O_RDONLY | O_CLOEXEC));
  char header[kHeaderBytes];
  if (!from.valid() || pread(from.get(), header, sizeof header, 0) != sizeof header) return Failed("read", like);
  mkdir(removed_.c_str(), 0755);
  if (!removed.empty() && rename(removed.front().path.c_str(), next_.c_str()) != 0) {
    return Failed("rename", removed.front().path);
  }
  const Descriptor to(open(next_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!to.valid() || pwrite(to.get(), header, sizeof header, 0) != sizeof header) return Failed("write", next_);
  zeroed_ = kHeaderBytes;
  return {};
}

Status LogRecycler::ZeroNext() {
  static const std::string zeros(kZeroedBytes, '\0');
  const Descriptor file(open(next_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return Failed("open", next_);
  const int64_t bytes = std::min(kZeroedBytes - zeroed_ % kZeroedBytes, file_bytes_ - zeroed_);
  if (pwrite(file.get(), zeros.data(), static_cast<size_t>(bytes), zeroed_) != bytes) return Failed("zero", next_);
  if (fdatasync(file.get()) != 0) return Failed("sync", next_);
  zeroed_ += bytes;
  return zeroed_ < file_bytes_ ? Status() : HandOver(file.get());
}

Status LogRecycler::HandOver(int fd) {
  if (ftruncate(fd, file_bytes_) != 0 || fsync(fd) != 0) return Failed("sync", next_);
  char name[sizeof kPreparedFile + 10];
  std::snprintf(name, sizeof name, "%s%010u", kPreparedFile, kFirstNumber + handed_over_++);
  const std::string path = directory_ + "/" + name;
  if (rename(next_.c_str(), path.c_str()) != 0) return Failed("make", path);  // where no file is: each number is used once
  zeroed_ = 0;
  return {};
}

void LogRecycler::FreeAll() {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : Names(removed_, kLogFile)) unlink((removed_ + "/" + name).c_str());
  unlink(next_.c_str());
  zeroed_ = 0;
}

}  // namespace ebla::tabletserver
