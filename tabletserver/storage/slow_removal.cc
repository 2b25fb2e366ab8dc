#include "tabletserver/storage/slow_removal.h"

#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

namespace ebla::tabletserver {
namespace {

namespace fs = std::filesystem;

constexpr char kLogFile[] = "WiredTigerLog.";
constexpr int64_t kBytesPerSecond = 100'000'000;
constexpr int64_t kSecondsMax = 20;

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

void SlowRemoval::Hold() {
  const std::lock_guard lock(mutex_);
  if (!works_) return;
  if (mkdir(removed_.c_str(), 0755) != 0 && errno != EEXIST) {
    LOG_EVERY_N(WARNING, 100) << "cannot make " << removed_ << ": " << std::strerror(errno);
    return;
  }
  for (const std::string& name : Names(directory_, kLogFile)) {
    if (link((directory_ + "/" + name).c_str(), (removed_ + "/" + name).c_str()) == 0) continue;
    if (errno == EEXIST || errno == ENOENT) continue;  // held since an earlier checkpoint; gone meanwhile
    LOG(WARNING) << "the space of removed log files is freed at once: no hard link to " << directory_ << "/" << name
                 << ": " << std::strerror(errno);
    works_ = false;
    return;
  }
}

std::optional<Duration> SlowRemoval::FreeSome() {
  const std::lock_guard lock(mutex_);
  int64_t left = 0;
  std::string path;  // to shorten, of so many bytes
  int64_t bytes = 0;
  for (const std::string& name : Names(removed_, kLogFile)) {
    struct stat file {};
    const std::string one = removed_ + "/" + name;
    if (stat(one.c_str(), &file) != 0 || file.st_nlink > 1) continue;  // in use
    left += file.st_size;
    if (!path.empty()) continue;
    path = one;
    bytes = file.st_size;
  }
  if (path.empty()) return std::nullopt;
  const int64_t piece = std::min(bytes, kPieceBytes);
  if (piece == bytes ? unlink(path.c_str()) != 0 : truncate(path.c_str(), bytes - piece) != 0) {
    LOG_EVERY_N(WARNING, 100) << "cannot shorten " << path << ": " << std::strerror(errno);
  }
  const int64_t rate = std::max(kBytesPerSecond, left / kSecondsMax);
  return std::chrono::microseconds(1'000'000 * kPieceBytes / rate);
}

void SlowRemoval::FreeAll() {
  const std::lock_guard lock(mutex_);
  for (const std::string& name : Names(removed_, kLogFile)) unlink((removed_ + "/" + name).c_str());
}

}  // namespace ebla::tabletserver
