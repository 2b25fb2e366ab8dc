#include "tabletserver/storage/wiredtiger/unwritten_file.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "common/base/read_at.h"
#include "tabletserver/storage/log/open_retrying.h"

namespace ebla::tabletserver {

std::expected<std::shared_ptr<UnwrittenFile>, int> UnwrittenFile::Open(const std::string& path) {
  const int base = OpenRetrying(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (base < 0) return std::unexpected(errno);
  struct stat file{};
  std::string nameless = path + ".written-XXXXXX";
  const int written = fstat(base, &file) == 0 ? mkostemp(nameless.data(), O_CLOEXEC) : -1;
  const int error = errno;
  if (written < 0) close(base);
  if (written < 0) return std::unexpected(error);
  unlink(nameless.c_str());
  return std::shared_ptr<UnwrittenFile>(new UnwrittenFile(base, written, file.st_size));
}

int64_t UnwrittenFile::size() const {
  MutexLock lock(mutex_);
  return bytes_;
}

// A part of one block. Zeros stand behind the end.
int UnwrittenFile::ReadBlock(int64_t block, int64_t begin, std::span<char> into) const {
  const bool is_written = blocks_.contains(block);
  const int64_t offset = block * kBlockBytes + begin;
  const int64_t end = is_written ? INT64_MAX : base_bytes_;
  const int64_t there = std::clamp<int64_t>(end - offset, 0, std::ssize(into));
  const ReadAtResult read =
      ReadAt((is_written ? written_ : base_).get(), offset, into.first(static_cast<size_t>(there)));
  std::ranges::fill(into.subspan(read.bytes), '\0');
  return read.error;
}

int UnwrittenFile::Read(int64_t offset, std::span<char> into) const {
  MutexLock lock(mutex_);
  if (offset + std::ssize(into) > bytes_) return EIO;
  while (!into.empty()) {
    const int64_t begin = offset % kBlockBytes;
    const auto piece = static_cast<size_t>(std::min<int64_t>(kBlockBytes - begin, std::ssize(into)));
    if (const int error = ReadBlock(offset / kBlockBytes, begin, into.first(piece)); error != 0) return error;
    into = into.subspan(piece);
    offset += static_cast<int64_t>(piece);
  }
  return 0;
}

// Copies the block, of which a part is about to be written.
int UnwrittenFile::KeepBlock(int64_t block) {
  std::array<char, kBlockBytes> whole{};
  if (blocks_.contains(block)) return 0;
  if (const int error = ReadBlock(block, 0, whole); error != 0) return error;
  if (pwrite(written_.get(), whole.data(), whole.size(), block * kBlockBytes) != std::ssize(whole))
    return errno == 0 ? ENOSPC : errno;
  blocks_.insert(block);
  return 0;
}

int UnwrittenFile::Write(int64_t offset, std::string_view bytes) {
  MutexLock lock(mutex_);
  const int64_t end = offset + std::ssize(bytes);
  const int64_t first = offset / kBlockBytes, last = (end - 1) / kBlockBytes;
  if (bytes.empty()) return 0;
  for (const int64_t cut : {offset, end}) {
    if (cut % kBlockBytes == 0) continue;
    if (const int error = KeepBlock(cut / kBlockBytes); error != 0) return error;
  }
  while (!bytes.empty()) {
    const ssize_t done = pwrite(written_.get(), bytes.data(), bytes.size(), offset);
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    bytes.remove_prefix(static_cast<size_t>(done));
    offset += done;
  }
  for (int64_t block = first; block <= last; ++block) blocks_.insert(block);
  bytes_ = std::max(bytes_, end);
  return 0;
}

int UnwrittenFile::Truncate(int64_t bytes) {
  MutexLock lock(mutex_);
  const int64_t cut = std::min(bytes, bytes_);
  if (cut % kBlockBytes != 0) {
    if (const int error = KeepBlock(cut / kBlockBytes); error != 0) return error;
  }
  // If the file grows again, it reads as zeros there.
  if (ftruncate(written_.get(), cut) != 0) return errno;
  blocks_.erase(blocks_.lower_bound((cut + kBlockBytes - 1) / kBlockBytes), blocks_.end());
  base_bytes_ = std::min(base_bytes_, cut);
  bytes_ = bytes;
  return 0;
}

}  // namespace ebla::tabletserver
