#include "tests/chaos/damage/harm.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <utility>
#include <vector>

#include "common/base/system_error.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/processes.h"

namespace ebla::chaos {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kPage = 4096;
// A file of fewer pages is cut into as many pieces, because the places would be the same page otherwise.
constexpr int64_t kPiecesLeast = 8;

class File {
 public:
  static Result<File> Open(const std::string& path, int flags) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    if (fd < 0) return SystemError(errno == ENOENT ? Code::kNotFound : Code::kInternal, "cannot open " + path);
    return File(fd, path);
  }
  File(File&& from) noexcept : fd_(std::exchange(from.fd_, -1)), path_(std::move(from.path_)) {}
  File& operator=(File&&) = delete;
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }

  Result<std::string> Read(int64_t offset, int64_t bytes) const {
    std::string text(static_cast<size_t>(bytes), '\0');
    const ssize_t done = ::pread(fd_, text.data(), text.size(), offset);
    if (done < 0) return SystemError(Code::kInternal, "cannot read " + path_);
    text.resize(static_cast<size_t>(done));
    return text;
  }
  Status Write(int64_t offset, const std::string& bytes) const {
    if (::pwrite(fd_, bytes.data(), bytes.size(), offset) == std::ssize(bytes)) return {};
    return SystemError(Code::kInternal, "cannot write " + path_);
  }
  Status Cut(int64_t bytes) const {
    if (::ftruncate(fd_, bytes) == 0) return {};
    return SystemError(Code::kInternal, "cannot cut " + path_);
  }
  Result<int64_t> Size() const {
    struct stat file{};
    if (::fstat(fd_, &file) != 0) return SystemError(Code::kInternal, "cannot look at " + path_);
    return file.st_size;
  }
  // Behind the last byte that is not zero: a segment of the log is long when it is made.
  Result<int64_t> ContentEnd() const {
    constexpr int64_t kChunk = int64_t{1} << 20;
    EBLA_ASSIGN(int64_t end, Size());
    while (end > 0) {
      const int64_t begin = (end - 1) / kChunk * kChunk;
      EBLA_ASSIGN(const std::string bytes, Read(begin, end - begin));
      if (const size_t last = bytes.find_last_not_of('\0'); last != bytes.npos)
        return begin + static_cast<int64_t>(last) + 1;
      end = begin;
    }
    return 0;
  }

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  int fd_;
  std::string path_;
};

bool IsCopy(Damage damage) { return damage == Damage::kOlder || damage == Damage::kForeign; }

Error Unchanged(const std::string& path) { return Error(Code::kConditionFailed, "nothing changes in " + path); }

// Equal pieces of the content, of a page where there are enough of them.
struct Pieces {
  int64_t bytes = 0;  // of each
  int64_t count = 0;

  explicit Pieces(int64_t end)
      : bytes(std::clamp<int64_t>(end / kPiecesLeast, 1, kPage)), count((end + bytes - 1) / bytes) {}
  int64_t At(int place) const { return place * (count - 1) / 100; }
};

Result<std::string> FlipBit(const Harm& harm, const File& file, int64_t end) {
  const int64_t at = harm.place * (end - 1) / 100;
  const int bit = static_cast<int>(harm.seed % 8);
  EBLA_ASSIGN(std::string byte, file.Read(at, 1));
  byte[0] = static_cast<char>(byte[0] ^ (1 << bit));
  EBLA_TRY(file.Write(at, byte));
  return "bit " + std::to_string(bit) + " of byte " + std::to_string(at) + " of " + harm.path;
}

// The first piece from the place on that is not zero, around the end.
Result<std::string> ZeroPage(const Harm& harm, const File& file, int64_t end) {
  const Pieces pieces(end);
  for (int64_t i = 0; i < pieces.count; ++i) {
    const int64_t at = (pieces.At(harm.place) + i) % pieces.count * pieces.bytes;
    EBLA_ASSIGN(std::string bytes, file.Read(at, std::min(pieces.bytes, end - at)));
    if (bytes.find_first_not_of('\0') == bytes.npos) continue;
    EBLA_TRY(file.Write(at, std::string(bytes.size(), '\0')));
    return std::to_string(bytes.size()) + " bytes from " + std::to_string(at) + " on of " + harm.path + " zero";
  }
  return Unchanged(harm.path);
}

// With the next whole piece that differs.
Result<std::string> ExchangePages(const Harm& harm, const File& file, int64_t end) {
  const Pieces pieces(end);
  const int64_t whole = end / pieces.bytes;
  const int64_t one = std::min(pieces.At(harm.place), whole - 1);
  for (int64_t i = 0; i + 1 < whole; ++i) {
    const int64_t other = (one + whole / 2 + i) % whole;
    EBLA_ASSIGN(const std::string first, file.Read(one * pieces.bytes, pieces.bytes));
    EBLA_ASSIGN(const std::string second, file.Read(other * pieces.bytes, pieces.bytes));
    if (first == second) continue;
    EBLA_TRY(file.Write(one * pieces.bytes, second));
    EBLA_TRY(file.Write(other * pieces.bytes, first));
    return std::to_string(pieces.bytes) + " bytes from " + std::to_string(one * pieces.bytes) + " on of " + harm.path +
           " exchanged with those from " + std::to_string(other * pieces.bytes) + " on";
  }
  return Unchanged(harm.path);
}

// Written over the file, which stays the same for those that have it open. Never shorter than it ends up meanwhile.
Result<std::string> WriteOlder(const Harm& harm, const File& file) {
  EBLA_ASSIGN(const File older, File::Open(harm.older, O_RDONLY));
  EBLA_ASSIGN(const int64_t size, older.Size());
  EBLA_ASSIGN(const int64_t older_end, older.ContentEnd());
  EBLA_ASSIGN(const int64_t end, file.ContentEnd());
  EBLA_ASSIGN(const int64_t present, file.Size());
  EBLA_ASSIGN(std::string bytes, older.Read(0, older_end));
  EBLA_ASSIGN(const std::string now, file.Read(0, end));
  if (bytes == now && size == present) return Unchanged(harm.path);
  bytes.resize(static_cast<size_t>(std::clamp<int64_t>(end, older_end, std::max(size, older_end))), '\0');
  EBLA_TRY(file.Write(0, bytes));
  EBLA_TRY(file.Cut(size));
  return harm.path + (harm.damage == Damage::kForeign ? " as " + harm.older : " as it was before");
}

Status Exchange(const Harm& harm) {
  if (::renameat2(AT_FDCWD, harm.path.c_str(), AT_FDCWD, harm.older.c_str(), RENAME_EXCHANGE) == 0) return {};
  return SystemError(errno == ENOENT ? Code::kNotFound : Code::kInternal,
                     "cannot exchange " + harm.path + " and " + harm.older);
}

Status Permit(const Harm& harm, mode_t mode) {
  if (::chmod(harm.path.c_str(), mode) == 0) return {};
  return SystemError(errno == ENOENT ? Code::kNotFound : Code::kInternal, "cannot change the mode of " + harm.path);
}

Result<std::string> InflictOnDirectory(const Harm& harm) {
  std::error_code error;
  if (!fs::is_directory(harm.path, error)) return Error(Code::kNotFound, "no directory " + harm.path);
  if (IsCopy(harm.damage) && !fs::is_directory(harm.older, error))
    return Error(Code::kNotFound, "no directory " + harm.older);
  if (harm.damage == Damage::kEmptied) {
    std::vector<fs::path> entries;
    for (const auto& entry : fs::directory_iterator(harm.path, error)) entries.push_back(entry.path());
    for (const fs::path& entry : entries) fs::remove_all(entry, error);
    return harm.path + " emptied";
  }
  fs::remove_all(harm.path, error);
  if (harm.damage == Damage::kDeleted) return harm.path + " deleted";
  EBLA_TRY(CopyDirectory(harm.older, harm.path));
  return harm.path + (harm.damage == Damage::kForeign ? " as " + harm.older : " as it was before");
}

}  // namespace

Result<std::string> FindFile(const KindFacts& facts, const std::string& data_dir) {
  const std::string folder = facts.folder.empty() ? data_dir : data_dir + "/" + std::string(facts.folder);
  if (facts.directory()) return folder;
  std::vector<std::pair<std::string, uintmax_t>> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(facts.prefix) || !name.ends_with(facts.suffix) || !entry.is_regular_file(error)) continue;
    // An exact name, but for those of which there are several.
    const bool exact = name.size() == facts.prefix.size() + facts.suffix.size();
    const bool several = facts.pick != Pick::kFirst || facts.kind == FileKind::kFirstSegment;
    if (exact || several) found.emplace_back(entry.path(), entry.file_size(error));
  }
  if (found.empty()) return Error(Code::kNotFound, "no " + std::string(facts.name) + " in " + folder);
  std::ranges::sort(found);
  switch (facts.pick) {
    case Pick::kFirst: return found.front().first;
    case Pick::kMiddle: return found[found.size() / 2].first;
    case Pick::kLast: return found.back().first;
    case Pick::kLargest: return std::ranges::max_element(found, {}, &decltype(found)::value_type::second)->first;
  }
  return found.front().first;
}

Result<std::string> Inflict(const Harm& harm) {
  if (harm.damage == Damage::kForbidden) {
    EBLA_TRY(Permit(harm, 0));
    return harm.path + " cannot be opened";
  }
  if (harm.damage == Damage::kSwapped) {
    EBLA_TRY(Exchange(harm));
    return harm.path + " exchanged with " + harm.older;
  }
  if (harm.directory) return InflictOnDirectory(harm);
  EBLA_ASSIGN(const File file, File::Open(harm.path, O_RDWR));
  EBLA_ASSIGN(const int64_t end, file.ContentEnd());
  if (IsCopy(harm.damage)) return WriteOlder(harm, file);
  if (harm.damage == Damage::kDeleted || harm.damage == Damage::kDirectory) {
    std::error_code error;
    fs::remove(harm.path, error);
    if (harm.damage == Damage::kDeleted) return harm.path + " deleted";
    fs::create_directory(harm.path, error);
    return harm.path + " is a directory";
  }
  if (end == 0) return Unchanged(harm.path);
  switch (harm.damage) {
    case Damage::kBit: return FlipBit(harm, file, end);
    case Damage::kPage: return ZeroPage(harm, file, end);
    case Damage::kExchanged: return ExchangePages(harm, file, end);
    default: break;
  }
  const int64_t left = harm.damage == Damage::kHalf ? end / 2 : 0;
  EBLA_TRY(file.Cut(left));
  return harm.path + " cut to " + std::to_string(left) + " bytes";
}

Status CopyDirectory(const std::string& from, const std::string& to) {
  std::error_code error;
  fs::create_directories(fs::path(to).parent_path(), error);
  EBLA_ASSIGN(const cluster::ProcessId copy,
              cluster::Spawn({.command = {"/bin/cp", "-a", "--reflink=auto", "--sparse=always", from, to},
                              .working_dir = "/",
                              .output_file = to + ".cp",
                              .die_with_parent = true}));
  EBLA_ASSIGN(const int code, cluster::ExitCode(copy, std::chrono::seconds(60)));
  const std::string said = cluster::LastLines(to + ".cp", 1);
  fs::remove(to + ".cp", error);
  // Files of a server that runs may vanish meanwhile.
  if (code == 0 || said.contains("No such file")) return {};
  return Error(Code::kInternal, "cannot copy " + from + ": " + said);
}

Status Undo(const Harm& harm) {
  return harm.damage == Damage::kSwapped ? Exchange(harm) : Permit(harm, harm.directory ? 0755 : 0644);
}

}  // namespace ebla::chaos
