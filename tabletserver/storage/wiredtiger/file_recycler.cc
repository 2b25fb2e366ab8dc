#include "tabletserver/storage/wiredtiger/file_recycler.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/mutex.h"

namespace ebla::tabletserver {
namespace {

namespace fs = std::filesystem;

constexpr char kRemoved[] = "removed";
constexpr std::chrono::microseconds kFreedRest(10'486);  // 100 MB/s
constexpr std::chrono::seconds kFreedWithin(5);          // what takes longer at that rate
constexpr std::chrono::minutes kFreedWithinMax(10);
// A rest is so many times as long as the piece before it, so that other users of the disk have most of it.
constexpr int kRestFromFreeing = 4;

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

Status Failed(const std::string& doing, const std::string& path) {
  return {Code::kInternal, "cannot " + doing + " " + path + ": " + std::strerror(errno)};
}

}  // namespace

int FileRecycler::Remove(const std::string& path) { return Remove(path, path.substr(0, path.rfind('/'))); }

int FileRecycler::Remove(const std::string& path, const std::string& directory) {
  static std::atomic<uint64_t> moved{0};
  struct stat file{};
  if (lstat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && file.st_size >= kSmallBytes) {
    const std::string name = path.substr(path.rfind('/') + 1);
    const std::string to = directory + "/" + kRemoved + "/" + name + "." + std::to_string(moved++);
    if (rename(path.c_str(), to.c_str()) == 0) return 0;
  }
  if (unlink(path.c_str()) == 0) return 0;
  if (errno != EISDIR) return -1;
  return rmdir(path.c_str()) == 0 ? 0 : rename(path.c_str(), (path + ".aside").c_str());
}

FileRecycler::FileRecycler(const std::string& directory) : removed_(directory + "/" + kRemoved) {
  std::error_code error;
  fs::remove_all(removed_, error);
}

FileRecycler::~FileRecycler() {
  std::error_code error;
  fs::remove_all(removed_, error);
}

std::vector<FileRecycler::Removed> FileRecycler::FindRemoved() const {
  std::vector<Removed> found;
  for (const std::string& name : Names(removed_, "")) {
    const std::string path = removed_ + "/" + name;
    struct stat file{};
    if (lstat(path.c_str(), &file) != 0) continue;
    if (!S_ISREG(file.st_mode) || file.st_nlink != 1) {
      unlink(path.c_str());  // other names share the file
      continue;
    }
    found.push_back({path, file.st_size});
  }
  return found;
}

void FileRecycler::MakeDirectory() {
  if (mkdir(removed_.c_str(), 0755) == 0 || errno == EEXIST || std::exchange(warned_, true)) return;
  PLOG(WARNING) << "the space of removed files is freed at once: cannot make " << removed_;
}

std::optional<Duration> FileRecycler::FreeSome() {
  MutexLock lock(mutex_);
  MakeDirectory();
  const std::vector<Removed> removed = FindRemoved();
  if (removed.empty()) return std::nullopt;
  int64_t left = 1;
  for (const Removed& file : removed) left += file.bytes;
  const auto begun = std::chrono::steady_clock::now();
  if (!Shorten(removed.back(), kFreedBytes)) return std::nullopt;
  const Duration took = std::chrono::steady_clock::now() - begun;
  const auto for_all_in = [left](std::chrono::microseconds time) { return time * kFreedBytes / left; };
  const Duration least = std::min(for_all_in(kFreedWithin), kFreedRest);
  return std::max(least, std::min<Duration>(kRestFromFreeing * took, for_all_in(kFreedWithinMax)));
}

bool FileRecycler::Shorten(const Removed& file, int64_t bytes) {
  if (file.bytes > bytes && truncate(file.path.c_str(), file.bytes - bytes) == 0) return true;
  if (unlink(file.path.c_str()) == 0) return true;
  LOG_EVERY_N(WARNING, 100) << Failed("remove", file.path);
  return false;
}

bool FileRecycler::FreeMuch() {
  MutexLock lock(mutex_);
  const std::vector<Removed> removed = FindRemoved();
  return !removed.empty() && Shorten(removed.back(), kMuchBytes);
}

}  // namespace ebla::tabletserver
