#include "common/coordination/change_mark.h"

#include <fcntl.h>
#include <glog/logging.h>

#include <array>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "common/base/crc32.h"
#include "common/base/read_at.h"
#include "common/base/sync_directory.h"
#include "common/base/system_error.h"

namespace ebla::coordination {
namespace {

constexpr size_t kBytes = 512;  // a disk's sector, which is written whole or not at all
constexpr std::string_view kHeading = "ebla catalog, format 1, crc ";

std::string Text(uint64_t count) {
  const std::string line = "changes " + std::to_string(count) + "\n";
  char checksum[16];
  std::snprintf(checksum, sizeof checksum, "%08x\n", Crc32(line));
  return std::string(kHeading) + checksum + line;
}

// 0: the text is damaged. No file counts 0 changes for longer than its first one takes.
uint64_t Parse(std::string_view text) {
  constexpr std::string_view kCount = "changes ";
  const size_t at = text.find(kCount);
  if (at == text.npos) return 0;
  uint64_t count = 0;
  std::from_chars(text.data() + at + kCount.size(), text.data() + text.size(), count);
  return text.substr(0, text.find('\0')) == Text(count) ? count : 0;
}

}  // namespace

Status ChangeMark::Open(const std::string& path) {
  path_ = path;
  if (path.empty()) return {};
  fd_ = std::make_unique<Descriptor>(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd_->valid()) return SystemError(Code::kUnavailable, "cannot open " + path);
  std::array<char, kBytes> text{};
  const ReadAtResult read = ReadAt(fd_->get(), 0, text);
  count_ = read.error == 0 ? Parse({text.data(), read.bytes}) : 0;
  if (count_ != 0) return {};
  LOG_IF(WARNING, read.bytes > 0 || read.error != 0)
      << path << " is damaged: it is written anew, and this start cannot tell whether the catalog is older than it was";
  return SyncDirectory(path.substr(0, path.rfind('/') + 1));
}

Status ChangeMark::Raise(uint64_t count) {
  if (fd_ == nullptr || count <= count_) return {};
  std::string text = Text(count);
  text.resize(kBytes, '\0');
  if (::pwrite(fd_->get(), text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::fdatasync(fd_->get()) != 0) {
    return SystemError(Code::kInternal, "cannot write " + path_);
  }
  count_ = count;
  return {};
}

}  // namespace ebla::coordination
