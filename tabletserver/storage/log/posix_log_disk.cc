#include "tabletserver/storage/log/posix_log_disk.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

#include "common/base/read_at.h"
#include "common/base/system_error.h"
#include "tabletserver/storage/log/log_format.h"
#include "tabletserver/storage/log/open_retrying.h"

namespace ebla::tabletserver {

namespace {

constexpr std::string_view kSuffix = ".log";
constexpr std::string_view kSpare = "spare-";
constexpr char kUnfinished[] = "/filling";
constexpr int64_t kWriteBehind = int64_t{1} << 20;
constexpr int64_t kFill = int64_t{128} << 10;     // at a time: what is synced meanwhile waits for them
constexpr int64_t kFillCall = int64_t{16} << 10;  // of these in one call, within which a thread may keep its processor
constexpr std::array<char, kFillCall> kZeros{};
static_assert(kZeros.size() >= kLogBlock);

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
  PosixLogFile(std::string name, int fd, int64_t bytes) : name_(std::move(name)), fd_(fd), bytes_(bytes) {}
  ~PosixLogFile() override { close(fd_); }

  // Fills the rest of the last block with zeros. The kernel would otherwise read that block of a used file from the
  // disk, which takes 60 us instead of 2.
  Status Write(int64_t offset, std::string_view bytes) override {
    const int64_t end = offset + std::ssize(bytes);
    const int64_t rest = std::max<int64_t>(std::min(AlignUp(end, kLogBlock), bytes_) - end, 0);
    const std::array<iovec, 2> pieces{{{const_cast<char*>(bytes.data()), bytes.size()},
                                       {const_cast<char*>(kZeros.data()), static_cast<size_t>(rest)}}};
    const ssize_t done = pwritev(fd_, pieces.data(), pieces.size(), offset);
    // An error or a short write, which repeats itself or continues.
    const auto missing = bytes.substr(std::min(bytes.size(), static_cast<size_t>(std::max<ssize_t>(done, 0))));
    EBLA_TRY(WriteAll(fd_, missing, end - std::ssize(missing), name_));
    if (begun_ < 0) begun_ = offset;
    written_ = end;
    return {};
  }

  // A Sync would take long over a second's bytes, and the next write would wait. The last block is written again, which
  // would have to wait for its way to the disk.
  void StartWriting() override {
    const int64_t end = written_ - written_ % kLogBlock;
    if (end - begun_ < kWriteBehind) return;
    sync_file_range(fd_, begun_, end - begun_, SYNC_FILE_RANGE_WRITE);
    begun_ = end;
  }

  Status Sync() override {
    if (fdatasync(fd_) != 0) return SystemError(Code::kInternal, "cannot sync " + name_);
    begun_ = written_;
    return {};
  }

  Result<std::string> Read(int64_t offset, int64_t size) override {
    std::string bytes(static_cast<size_t>(size), '\0');
    const ReadAtResult read = ReadAt(fd_, offset, bytes);
    if (read.error != 0) return SystemError(Code::kInternal, "cannot read " + name_);
    bytes.resize(read.bytes);
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
  const int64_t bytes_;  // of the file
  // One thread at a time writes and syncs.
  int64_t begun_ = -1;  // up to there the writes are on their way; negative: there were none
  int64_t written_ = -1;
};

// None: some other file.
std::optional<uint64_t> NumberOf(const std::string& name) {
  if (name.size() != 16 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  if (name.find_first_not_of("0123456789abcdef") != 16) return std::nullopt;
  return std::stoull(name.substr(0, 16), nullptr, 16);
}

// Another directory's segment.
bool IsLink(const std::string& name) {
  struct stat file{};
  return lstat(name.c_str(), &file) == 0 && S_ISLNK(file.st_mode);
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
  if (error) return SystemError(Code::kInternal, "cannot list " + path_, error.value());
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
  if (error) return SystemError(Code::kInternal, "cannot list " + path_, error.value());
  std::ranges::sort(numbers);
  return numbers;
}

Result<std::shared_ptr<LogFile>> PosixLogDisk::Open(uint64_t number) {
  const std::string name = Name(number);
  const int how = IsLink(name) ? O_RDONLY : O_RDWR;
  const int fd = OpenRetrying(name.c_str(), how | O_CLOEXEC);
  if (fd < 0) return SystemError(Code::kInternal, "cannot open " + name);
  struct stat file{};
  if (fstat(fd, &file) != 0) {
    close(fd);
    return SystemError(Code::kInternal, "cannot look at " + name);
  }
  return std::make_shared<PosixLogFile>(name, fd, file.st_size);
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
  auto file = std::make_shared<PosixLogFile>(name, fd, bytes);
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
    if (!error && !IsLink(name) && bytes <= usual_bytes_ && spares_.size() < kSparesMax) spare = NextSpareName();
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

Status PosixLogDisk::Fill(int64_t bytes, const std::string& name) {
  const int64_t begin = filled_, end = std::min(filled_ + kFill, bytes);
  while (filled_ < end) {
    const int64_t piece = std::min(kFillCall, end - filled_);
    EBLA_TRY(WriteAll(filling_, {kZeros.data(), static_cast<size_t>(piece)}, filled_, name));
    filled_ += piece;
  }
  // Each sync of a file that grows would write the file system's journal, too.
  sync_file_range(filling_, begin, end - begin, SYNC_FILE_RANGE_WRITE);
  if (filled_ < bytes || fdatasync(filling_) == 0) return {};
  return SystemError(Code::kInternal, "cannot sync " + name);
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
  const Status filled = Fill(bytes, name);
  // After an error it starts again, because the system reports only once that bytes did not reach the disk.
  if (!filled.ok() || filled_ == bytes) close(std::exchange(filling_, -1));
  EBLA_TRY(filled);
  if (filled_ < bytes) return true;
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
