#include "tabletserver/storage/wiredtiger/wt_table_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "common/base/descriptor.h"
#include "common/base/read_at.h"
#include "tabletserver/storage/log/open_retrying.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kFileBlockBytes = 4096;  // WiredTiger's allocation_size

bool BeginsWhole(int fd) {
  std::array<char, kFileBlockBytes> block{};
  (void)posix_fadvise(fd, 0, std::ssize(block), POSIX_FADV_DONTNEED);
  return ReadAt(fd, 0, block).bytes == block.size() && FileBlockIsWhole(block);
}

}  // namespace

std::string FileOfTable(const std::string& uri) {
  std::string name = uri.substr(uri.find(':') + 1);
  return name.ends_with(".wt") ? name : name + ".wt";
}

int CheckTableFile(const std::string& path) {
  const Descriptor fd(OpenRetrying(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return errno == ENOENT || errno == EIO ? kDamagedBlock : errno;
  // Twice, as a wire may have erred and not the disk.
  return BeginsWhole(fd.get()) || BeginsWhole(fd.get()) ? 0 : kDamagedBlock;
}

Error ShortageError(int error, std::string_view doing) {
  return {Code::kOverloaded, std::string(doing) + ": " + std::strerror(error) +
                                 (error == ENOMEM ? "" : ": raise the limit (LimitNOFILE= of systemd, ulimit -Hn)")};
}

bool IsCutShort(const std::string& path) {
  struct stat file{};
  return stat(path.c_str(), &file) == 0 && file.st_size < static_cast<off_t>(kFileBlockBytes);
}

std::optional<uint64_t> NumberInName(std::string_view name, std::string_view prefix) {
  constexpr std::string_view kSuffix = ".wt";
  if (!name.starts_with(prefix) || !name.ends_with(kSuffix)) return std::nullopt;
  name = name.substr(prefix.size(), name.size() - prefix.size() - kSuffix.size());
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  return error == std::errc() && end == name.data() + name.size() ? std::optional(number) : std::nullopt;
}

int ReadFileNames(WT_SESSION* session, std::set<std::string>& names) {
  constexpr std::string_view kFile = "file:";
  WT_CURSOR* cursor = nullptr;
  if (const int error = session->open_cursor(session, "metadata:", nullptr, nullptr, &cursor)) return error;
  int error = 0;
  while ((error = cursor->next(cursor)) == 0) {
    const char* key = nullptr;
    error = cursor->get_key(cursor, &key);
    if (error != 0) break;
    const std::string_view uri = key;
    if (uri.starts_with(kFile)) names.emplace(uri.substr(kFile.size()));
  }
  const int closed = cursor->close(cursor);
  return error == WT_NOTFOUND ? closed : error;
}

}  // namespace ebla::tabletserver
