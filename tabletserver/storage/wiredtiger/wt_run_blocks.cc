#include "tabletserver/storage/wiredtiger/wt_run_blocks.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <span>
#include <vector>

#include "common/base/descriptor.h"
#include "common/base/read_at.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"

namespace ebla::tabletserver {

namespace {

constexpr size_t kUnit = 4096;  // WiredTiger's allocation_size
constexpr size_t kRunStretchBytes = size_t{1} << 20;
constexpr size_t kBlockBytesMax = size_t{128} << 20;  // twice leaf_value_max: a damaged head may name any size

// Past the kernel's memory. False: the file ends before, or the disk cannot read it.
bool ReadUncached(int fd, size_t offset, std::span<char> into) {
  const auto at = static_cast<int64_t>(offset);
  (void)posix_fadvise(fd, at, std::ssize(into), POSIX_FADV_DONTNEED);
  return ReadAt(fd, at, into).bytes == into.size();
}

// The whole blocks that `bytes` begins with: their size together. None: the first is damaged.
std::optional<size_t> CheckBlocks(std::span<char> bytes, size_t rest_of_file) {
  size_t checked = 0;
  while (bytes.size() - checked >= kUnit) {
    const size_t size = BlockSizeAt(bytes.subspan(checked));
    if (size == 0 || size % kUnit != 0 || size > rest_of_file - checked) return std::nullopt;
    if (size > bytes.size() - checked) break;
    if (!BlockIsWhole(bytes.subspan(checked, size))) return std::nullopt;
    checked += size;
  }
  return checked;
}

// The whole blocks from an offset on: their size together. None: the first is damaged.
std::optional<size_t> CheckStretch(int fd, size_t at, size_t end) {
  std::vector<char> bytes(std::min(kRunStretchBytes, end - at));
  if (!ReadUncached(fd, at, bytes)) return std::nullopt;
  const std::optional<size_t> checked = CheckBlocks(bytes, end - at);
  if (checked != 0U) return checked;
  // It is larger than a stretch.
  if (BlockSizeAt(bytes) > kBlockBytesMax) return std::nullopt;
  bytes.resize(BlockSizeAt(bytes));
  if (!ReadUncached(fd, at, bytes) || !BlockIsWhole(bytes)) return std::nullopt;
  return bytes.size();
}

}  // namespace

int CheckRunBlocks(const std::string& path, const RecordFiles::Pace& pace, bool& stopped) {
  const Descriptor fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat found{};
  if (!fd.valid() || fstat(fd.get(), &found) != 0) return errno == ENOENT || errno == EIO ? kDamagedBlock : errno;
  const auto end = static_cast<size_t>(found.st_size);
  std::vector<char> first(kUnit);
  if (!ReadUncached(fd.get(), 0, first) || !FileBlockIsWhole(first)) return kDamagedBlock;
  for (size_t at = kUnit; at < end && !stopped;) {
    std::optional<size_t> checked = CheckStretch(fd.get(), at, end);
    if (!checked) checked = CheckStretch(fd.get(), at, end);  // as a wire may have erred and not the disk
    if (!checked) return kDamagedBlock;
    at += *checked;
    stopped = !pace(static_cast<int64_t>(*checked));
  }
  return 0;
}

}  // namespace ebla::tabletserver
