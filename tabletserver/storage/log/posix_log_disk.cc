#include "tabletserver/storage/log/posix_log_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "common/base/system_error.h"
#include "tabletserver/storage/log/open_retrying.h"

namespace ebla::tabletserver {

namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::string_view kSpare = "spare-";
constexpr char kUnfinished[] = "/filling";
constexpr int64_t kPiece = int64_t{1} << 20;

Status WriteAll(int fd, std::string_view bytes, int64_t offset, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t done = pwrite(fd, bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return SystemError(Code::kInternal, "cannot write " + name);
    bytes.remove_prefix(static_cast<size_t>(done));
    offset += done;
  }
  return {};
}

class PosixLogFile final : public LogFile {
 public:
  PosixLogFile(std::string name, int fd) : name_(std::move(name)), fd_(fd) {}
  ~PosixLogFile() override { close(fd_); }

  Status Write(int64_t offset, std::string_view bytes) override {
    EBLA_TRY(WriteAll(fd_, bytes, offset, name_));
    begun_ = begun_ < 0 ? offset : begun_;
    const int64_t end = offset + std::ssize(bytes);
    if (end - begun_ < kPiece) return {};
    // Its way to the disk begins now: a Sync would take long over a second's bytes, and what comes next would wait. No
    // error counts here, as Sync has them all.
    sync_file_range(fd_, begun_, end - begun_, SYNC_FILE_RANGE_WRITE);
    begun_ = end;
    return {};
  }

  Status Sync() override {
    if (fdatasync(fd_) == 0) return {};
    return SystemError(Code::kInternal, "cannot sync " + name_);
  }

  Result<std::string> Read(int64_t offset, int64_t size) override {
    std::string bytes(static_cast<size_t>(size), '\0');
    size_t done = 0;
    while (done < bytes.size()) {
      const ssize_t more = pread(fd_, bytes.data() + done, bytes.size() - done, offset + static_cast<int64_t>(done));
      if (more < 0 && errno == EINTR) continue;
      if (more < 0) return SystemError(Code::kInternal, "cannot read " + name_);
      if (more == 0) break;
      done += static_cast<size_t>(more);
    }
    bytes.resize(done);
    return bytes;
  }

  void DropCached(int64_t offset, int64_t size) override {
    (void)posix_fadvise(fd_, offset, size, POSIX_FADV_DONTNEED);
  }

  Result<int64_t> Size() override {
    struct stat file{};
    if (fstat(fd_, &file) != 0) return SystemError(Code::kInternal, "cannot look at " + name_);
    return file.st_size;
  }

 private:
  const std::string name_;
  const int fd_;
  int64_t begun_ = -1;  // up to there the writes are on their way; only the writer's thread
};

// None: some other file.
std::optional<uint64_t> NumberOf(const std::string& name) {
  if (name.size() != 16 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  if (name.find_first_not_of("0123456789abcdef") != 16) return std::nullopt;
  return std::stoull(name.substr(0, 16), nullptr, 16);
}

}  // namespace

Result<std::unique_ptr<PosixLogDisk>> PosixLogDisk::Open(const std::string& directory,
                                                         std::function<int(const std::string& file)> discard) {
  if (mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST)
    return SystemError(Code::kInternal, "cannot make the directory " + directory);
  const int fd = OpenRetrying(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return SystemError(Code::kInternal, "cannot open the directory " + directory);
  std::unique_ptr<PosixLogDisk> disk(new PosixLogDisk(
      directory, fd, discard ? std::move(discard) : [](const std::string& file) { return unlink(file.c_str()); }));
  EBLA_TRY(disk->FindSpares());
  return disk;
}

PosixLogDisk::~PosixLogDisk() {
  if (filling_ >= 0) close(filling_);
  close(fd_);
}

Status PosixLogDisk::FindSpares() {
  MutexLock lock(mutex_);
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kSpare)) continue;
    spares_.push_back({entry.path(), static_cast<int64_t>(entry.file_size(error))});
    const std::string digits = name.substr(kSpare.size());
    if (digits.size() < 18 && digits.find_first_not_of("0123456789") == std::string::npos && !digits.empty())
      spares_made_ = std::max<uint64_t>(spares_made_, std::stoull(digits) + 1);
  }
  if (error) return Error(Code::kInternal, "cannot list " + path_ + ": " + error.message());
  return {};
}

std::string PosixLogDisk::Name(uint64_t number) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%016llx.log", static_cast<unsigned long long>(number));
  return path_ + name;
}

Status PosixLogDisk::SyncNames() {
  if (fsync(fd_) == 0) return {};
  return SystemError(Code::kInternal, "cannot sync the directory " + path_);
}

Status PosixLogDisk::Rename(const std::string& from, const std::string& to) {
  if (rename(from.c_str(), to.c_str()) != 0) return SystemError(Code::kInternal, "cannot rename " + from + " to " + to);
  return SyncNames();
}

Result<std::vector<uint64_t>> PosixLogDisk::List() {
  std::vector<uint64_t> numbers;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    if (const auto number = NumberOf(entry.path().filename())) numbers.push_back(*number);
  }
  if (error) return Error(Code::kInternal, "cannot list " + path_ + ": " + error.message());
  std::ranges::sort(numbers);
  return numbers;
}

Result<std::shared_ptr<LogFile>> PosixLogDisk::Open(uint64_t number) {
  const std::string name = Name(number);
  const int fd = OpenRetrying(name.c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return SystemError(Code::kInternal, "cannot open " + name);
  return std::make_shared<PosixLogFile>(name, fd);
}

Result<std::shared_ptr<LogFile>> PosixLogDisk::Create(uint64_t number, int64_t bytes) {
  const std::string name = Name(number);
  std::string spare;
  {
    MutexLock lock(mutex_);
    usual_bytes_ = std::min(usual_bytes_, bytes);
    const auto found = std::ranges::find(spares_, bytes, &Spare::bytes);
    if (found != spares_.end()) {
      spare = found->name;
      spares_.erase(found);
    }
  }
  if (!spare.empty()) {
    EBLA_TRY(Rename(spare, name));
    return Open(number);
  }
  const int fd = OpenRetrying(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return SystemError(Code::kInternal, "cannot make " + name);
  auto file = std::make_shared<PosixLogFile>(name, fd);
  if (ftruncate(fd, bytes) != 0) return SystemError(Code::kInternal, "cannot size " + name);
  EBLA_TRY(SyncNames());
  return file;
}

Status PosixLogDisk::Remove(uint64_t number) {
  const std::string name = Name(number);
  std::error_code error;
  const auto bytes = static_cast<int64_t>(std::filesystem::file_size(name, error));
  std::string spare;
  {
    MutexLock lock(mutex_);
    if (!error && bytes <= usual_bytes_ && spares_.size() < kSparesMax) spare = NextSpareName();
  }
  if (spare.empty()) {
    if (discard_(name) != 0) return SystemError(Code::kInternal, "cannot remove " + name);
    return SyncNames();
  }
  EBLA_TRY(Rename(name, spare));
  MutexLock lock(mutex_);
  spares_.push_back({spare, bytes});
  return {};
}

Status PosixLogDisk::DropSpares() {
  MutexLock lock(mutex_);
  for (; !spares_.empty(); spares_.pop_back()) {
    const std::string& name = spares_.back().name;
    if (discard_(name) != 0 && errno != ENOENT) return SystemError(Code::kInternal, "cannot remove " + name);
  }
  return {};
}

Result<bool> PosixLogDisk::Prepare(int64_t bytes) {
  {
    MutexLock lock(mutex_);
    if (std::ranges::find(spares_, bytes, &Spare::bytes) != spares_.end()) return false;
  }
  const std::string name = path_ + kUnfinished;
  if (filling_ < 0) {
    filling_ = OpenRetrying(name.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC);
    if (filling_ < 0) return SystemError(Code::kInternal, "cannot make " + name);
    filled_ = 0;
  }
  const std::string zeros(static_cast<size_t>(std::min(kPiece, bytes - filled_)), '\0');
  EBLA_TRY(WriteAll(filling_, zeros, filled_, name));
  filled_ += std::ssize(zeros);
  if (fdatasync(filling_) != 0) return SystemError(Code::kInternal, "cannot sync " + name);
  if (filled_ < bytes) return true;
  close(std::exchange(filling_, -1));
  std::string spare;
  {
    MutexLock lock(mutex_);
    spare = NextSpareName();
  }
  EBLA_TRY(Rename(name, spare));
  MutexLock lock(mutex_);
  spares_.push_back({spare, bytes});
  return false;
}

}  // namespace ebla::tabletserver
