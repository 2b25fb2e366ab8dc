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
constexpr char kOfWiredTiger[] = "WiredTiger";
constexpr char kLogFile[] = "WiredTigerLog.";
constexpr char kPreparedFile[] = "WiredTigerPreplog.";
constexpr uint32_t kFirstNumber = 2'000'000'000;         // of prepared files; WiredTiger counts its own from one
constexpr int64_t kHeaderBytes = 128;                    // the unit of WiredTiger's log
constexpr std::chrono::microseconds kFreedRest(10'486);  // 100 MB/s
constexpr std::chrono::seconds kFreedWithin(20);         // what takes longer at that rate
constexpr std::chrono::minutes kFreedWithinMax(10);
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

int FileRecycler::Remove(const std::string& path) {
  static std::atomic<uint64_t> moved{0};
  struct stat file{};
  if (lstat(path.c_str(), &file) == 0 && S_ISREG(file.st_mode) && file.st_size >= kSmallBytes) {
    const size_t name = path.rfind('/') + 1;
    const std::string to = path.substr(0, name) + kRemoved + "/" + path.substr(name) + "." + std::to_string(moved++);
    if (rename(path.c_str(), to.c_str()) == 0) return 0;
  }
  return unlink(path.c_str());
}

FileRecycler::FileRecycler(const std::string& directory, int64_t file_bytes)
    : directory_(directory), removed_(directory + "/" + kRemoved), next_(removed_ + "/next"), file_bytes_(file_bytes) {
  std::error_code error;
  fs::remove_all(removed_, error);
}

FileRecycler::~FileRecycler() {
  std::error_code error;
  fs::remove_all(removed_, error);
}

FileRecycler::AllRemoved FileRecycler::FindRemoved() const {
  AllRemoved found;
  for (const std::string& name : Names(removed_, "")) {
    const std::string path = removed_ + "/" + name;
    struct stat file{};
    if (path == next_ || lstat(path.c_str(), &file) != 0) continue;
    if (!S_ISREG(file.st_mode) || file.st_nlink != 1) {
      unlink(path.c_str());  // what it names is somebody else's too
      continue;
    }
    (name.starts_with(kLogFile) ? found.logs : found.others).push_back({path, file.st_size});
  }
  return found;
}

void FileRecycler::MakeDirectory() {
  if (mkdir(removed_.c_str(), 0755) == 0 || errno == EEXIST || std::exchange(told_, true)) return;
  PLOG(WARNING) << "the space of removed files is freed at once: cannot make " << removed_;
}

std::optional<Duration> FileRecycler::FreeSome() {
  MutexLock lock(mutex_);
  MakeDirectory();
  const auto [logs, others] = FindRemoved();
  std::vector<Removed> superfluous(logs.begin() + static_cast<ptrdiff_t>(std::min(logs.size(), kKeptMax)), logs.end());
  superfluous.insert(superfluous.end(), others.begin(), others.end());
  if (superfluous.empty()) return std::nullopt;
  int64_t left = 1;
  for (const Removed& file : superfluous) left += file.bytes;
  const auto begun = std::chrono::steady_clock::now();
  if (!Shorten(superfluous.back(), kFreedBytes)) return std::nullopt;
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
  const auto [logs, others] = FindRemoved();
  std::vector<Removed> all;
  if (zeroed_ > 0) all.push_back({next_, file_bytes_});
  all.insert(all.end(), logs.begin(), logs.end());
  all.insert(all.end(), others.begin(), others.end());
  if (all.empty()) return false;
  if (all.back().path == next_) zeroed_ = 0;
  return Shorten(all.back(), kMuchBytes);
}

std::optional<Duration> FileRecycler::PrepareSome() {
  MutexLock lock(mutex_);
  if (!prepares_) return std::nullopt;
  MakeDirectory();
  const std::vector<Removed> logs = FindRemoved().logs;
  if (logs.size() > 2 * kKeptMax) return std::nullopt;  // the log is written faster than files are zeroed
  const auto begun = std::chrono::steady_clock::now();
  Status status;
  if (zeroed_ == 0) {
    const auto like = NextIsLike();
    if (!like) return std::nullopt;
    status = BeginNext(logs, *like);
  }
  if (status.ok()) status = ZeroNext();
  if (!status.ok()) {
    LOG(WARNING) << "log files are no longer prepared ahead: " << status;
    prepares_ = false;
    unlink(next_.c_str());
    return std::nullopt;
  }
  return kRestFromZeroing * (std::chrono::steady_clock::now() - begun);
}

std::optional<std::string> FileRecycler::NextIsLike() {
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

Status FileRecycler::BeginNext(const std::vector<Removed>& logs, const std::string& like) {
  const Descriptor from(open(like.c_str(), O_RDONLY | O_CLOEXEC));
  char header[kHeaderBytes];
  if (!from.valid() || pread(from.get(), header, sizeof header, 0) != sizeof header) return Failed("read", like);
  if (!logs.empty() && rename(logs.front().path.c_str(), next_.c_str()) != 0) {
    return Failed("rename", logs.front().path);
  }
  // After a crash it is not to be found, with zeros, where it was.
  const Descriptor directory(open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory.valid() || fsync(directory.get()) != 0) return Failed("sync", directory_);
  const Descriptor to(open(next_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!to.valid() || pwrite(to.get(), header, sizeof header, 0) != sizeof header) return Failed("write", next_);
  zeroed_ = kHeaderBytes;
  return {};
}

Status FileRecycler::ZeroNext() {
  static const std::string zeros(kZeroedBytes, '\0');
  const Descriptor file(open(next_.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.valid()) return Failed("open", next_);
  const int64_t bytes = std::min(kZeroedBytes - zeroed_ % kZeroedBytes, file_bytes_ - zeroed_);
  if (pwrite(file.get(), zeros.data(), static_cast<size_t>(bytes), zeroed_) != bytes) return Failed("zero", next_);
  if (fdatasync(file.get()) != 0) return Failed("sync", next_);
  zeroed_ += bytes;
  return zeroed_ < file_bytes_ ? Status() : GiveToWiredTiger(file.get());
}

Status FileRecycler::GiveToWiredTiger(int fd) {
  if (ftruncate(fd, file_bytes_) != 0 || fsync(fd) != 0) return Failed("sync", next_);
  char name[sizeof kPreparedFile + 10];
  std::snprintf(name, sizeof name, "%s%010u", kPreparedFile, kFirstNumber + given_++);
  const std::string path = directory_ + "/" + name;
  // where no file is: each number is used once
  if (rename(next_.c_str(), path.c_str()) != 0) return Failed("make", path);
  zeroed_ = 0;
  return {};
}

}  // namespace ebla::tabletserver
