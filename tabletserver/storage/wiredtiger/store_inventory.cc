#include "tabletserver/storage/wiredtiger/store_inventory.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <sstream>
#include <utility>

#include "common/base/crc32.h"
#include "common/base/descriptor.h"
#include "common/base/read_at.h"
#include "common/base/sync_directory.h"
#include "common/base/system_error.h"
#include "tabletserver/storage/log/open_retrying.h"

namespace ebla::tabletserver {

namespace {

constexpr std::string_view kHeading = "ebla inventory, format 1, crc ";

constexpr size_t kSumBytes = 8;

std::string Sum(std::string_view text) {
  char sum[16];
  std::snprintf(sum, sizeof sum, "%08x", Crc32(text));
  return sum;
}

// Takes a line of `contents`. False: this build does not know it.
bool TakeLine(const std::string& line, StoreInventory::Contents& contents) {
  std::istringstream in(line);
  std::string word;
  in >> word;
  LogExtent& log = contents.log;
  if (word == "generation") {
    in >> contents.generation;
  } else if (word == "life") {
    in >> contents.life;
  } else if (word == "written") {
    in >> contents.written_ms;
  } else if (word == "server") {
    in >> contents.server;
  } else if (word == "log") {
    in >> log.log;
    log.end.log = log.log;
  } else if (word == "segments") {
    in >> log.first_segment >> log.last_segment >> log.last_bytes;
  } else if (word == "end") {
    in >> log.end.segment >> log.end.offset >> log.end.sequence;
  } else if (word == "needed") {
    in >> log.needed;
  } else if (word == "checkpoint") {
    in >> contents.checkpoint;
  } else if (word == "clock") {
    in >> contents.clock.boot >> contents.clock.since_boot_ms >> contents.clock.day_ms;
  } else {
    return false;
  }
  return true;
}

// Reads the disk itself. NOT_FOUND: there is no such file. UNAVAILABLE: it cannot be read now.
Result<std::string> ReadBlock(const std::string& file) {
  const Descriptor fd(OpenRetrying(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return SystemError(errno == ENOENT ? Code::kNotFound : Code::kInternal, "cannot read " + file);
  (void)posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED);
  std::string block(kInventoryBytes, '\0');
  const ReadAtResult read = ReadAt(fd.get(), 0, block);
  if (read.error != 0) return SystemError(Code::kInternal, "cannot read " + file, read.error);
  block.resize(read.bytes);
  return block;
}

Result<StoreInventory::Contents> ReadFile(const std::string& file) {
  EBLA_ASSIGN(const std::string block, ReadBlock(file));
  return DecodeInventory(block);
}

bool Differ(const std::string& one, const std::string& other) { return !one.empty() && !other.empty() && one != other; }

std::string Described(const StoreInventory::Contents& contents) {
  return "log " + std::to_string(contents.log.log) +
         (contents.server.empty() ? "" : " of the server with the uuid " + contents.server);
}

}  // namespace

StoreInventory::Files InventoryFiles(const std::string& directory, const std::string& other) {
  const std::string name = "/INVENTORY";
  return {other.empty() ? directory + name + ".2" : other + name, directory + name};
}

std::optional<StoreInventory::Contents> FoundByLife(const StoreInventory& inventory, uint64_t life) {
  std::optional<StoreInventory::Contents> found = inventory.found();
  if (!found) return found;
  found->log.told_ms = found->written_ms;
  if (found->life + 1 < life) found->log.first_segment = UINT64_MAX;
  return found;
}

std::string EncodeInventory(const StoreInventory::Contents& contents) {
  const LogExtent& log = contents.log;
  std::ostringstream lines;
  lines << "generation " << contents.generation << "\nlife " << contents.life << "\nwritten " << contents.written_ms;
  if (!contents.server.empty()) lines << "\nserver " << contents.server;
  lines << "\nlog " << log.log << "\nsegments " << log.first_segment << " " << log.last_segment << " " << log.last_bytes
        << "\nend " << log.end.segment << " " << log.end.offset << " " << log.end.sequence << "\nneeded " << log.needed
        << "\ncheckpoint " << contents.checkpoint << "\n";
  if (const ClockMark& clock = contents.clock; !clock.boot.empty())
    lines << "clock " << clock.boot << " " << clock.since_boot_ms << " " << clock.day_ms << "\n";
  for (const std::string& line : contents.others) {
    if (kHeading.size() + kSumBytes + static_cast<size_t>(lines.tellp()) + line.size() < kInventoryBytes - 2)
      lines << line << "\n";
  }
  std::string block = std::string(kHeading) + Sum(lines.str()) + "\n" + lines.str();
  CHECK_LE(block.size(), kInventoryBytes);
  block.resize(kInventoryBytes, '\0');
  return block;
}

Result<StoreInventory::Contents> DecodeInventory(std::string_view block) {
  if (block.size() < kInventoryBytes || !block.starts_with(kHeading))
    return Error(Code::kInternal, "it is no inventory of a format that this build knows");
  const size_t begin = block.find('\n') + 1;
  const size_t padding = block.find('\0');
  const std::string_view lines = block.substr(begin, (padding == block.npos ? block.size() : padding) - begin);
  if (block.substr(kHeading.size(), begin - 1 - kHeading.size()) != Sum(lines))
    return Error(Code::kInternal, "its checksum is another");
  StoreInventory::Contents contents;
  std::istringstream in{std::string(lines)};
  for (std::string line; std::getline(in, line);) {
    if (!TakeLine(line, contents)) contents.others.push_back(std::move(line));
  }
  return contents;
}

StoreInventory::StoreInventory(Files files) : files_(std::move(files)) {
  MutexLock lock(mutex_);
  for (size_t file = 0; file < files_.size(); ++file) {
    Result<Contents> contents = ReadFile(files_[file]);
    if (!contents) {
      const Status& error = contents.error();
      if (error.code() == Code::kUnavailable) unusable_ = error;
      if (error.code() == Code::kInternal) damaged_.push_back(files_[file] + ": " + error.message());
      continue;
    }
    if (found_ && (found_->log.log != contents->log.log || Differ(found_->server, contents->server)))
      unusable_ = Error(Code::kInvalidArgument, files_[found_in_] + " is of " + Described(*found_) + ", and " +
                                                    files_[file] + " of " + Described(*contents) +
                                                    ": put each server's directories and disks back in their places");
    if (found_ && contents->generation <= found_->generation) continue;
    found_ = *std::move(contents);
    found_in_ = file;
  }
  if (!found_) return;
  generation_ = found_->generation;
  next_ = 1 - found_in_;
}

Status StoreInventory::CheckIsOf(const std::string& server) const {
  EBLA_TRY(unusable_);
  if (!found_ || !Differ(found_->server, server)) return {};
  return Error(Code::kInvalidArgument, files_[found_in_] + " is of " + Described(*found_) +
                                           ", and this server's IDENTITY has the uuid " + server +
                                           ": put each server's files and disks back in their places");
}

StoreInventory::~StoreInventory() {
  MutexLock lock(mutex_);
  for (const int fd : open_) {
    if (fd >= 0) close(fd);
  }
}

Status StoreInventory::Write(Contents contents, bool both) {
  MutexLock lock(mutex_);
  if (found_) contents.others = found_->others;
  for (int times = both ? 2 : 1; times > 0; --times) {
    contents.generation = ++generation_;
    const size_t file = std::exchange(next_, 1 - next_);
    std::string block = EncodeInventory(contents);
    EBLA_TRY(WriteTo(file, block));
    blocks_[file] = std::move(block);
  }
  return {};
}

// A file that was removed is still open, and takes all writes unseen.
Status StoreInventory::Scrub() {
  MutexLock lock(mutex_);
  for (size_t file = 0; file < files_.size(); ++file) {
    if (blocks_[file].empty()) continue;
    const Result<std::string> block = ReadBlock(files_[file]);
    if (block ? *block == blocks_[file] : block.error().code() == Code::kUnavailable) continue;
    LOG(ERROR) << files_[file] << " is missing, or not as it was written: it is made again";
    EBLA_TRY(MakeFile(file, blocks_[file]));
  }
  return {};
}

// A file that cannot be overwritten is made again: its sector may be bad.
Status StoreInventory::WriteTo(size_t file, const std::string& block) {
  int& fd = open_[file];
  if (fd < 0) fd = OpenRetrying(files_[file].c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return MakeFile(file, block);
  const ssize_t done = pwrite(fd, block.data(), block.size(), 0);
  if (done == std::ssize(block) && fdatasync(fd) == 0) return {};
  LOG(ERROR) << Status(SystemError(Code::kInternal, "cannot overwrite " + files_[file])) << ": it is made again";
  return MakeFile(file, block);
}

Status StoreInventory::MakeFile(size_t file, const std::string& block) {
  const std::string& name = files_[file];
  const std::string fresh = name + ".new";
  const int fd = OpenRetrying(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC);
  if (fd < 0) return SystemError(Code::kInternal, "cannot make " + fresh);
  const bool written = pwrite(fd, block.data(), block.size(), 0) == std::ssize(block) && fsync(fd) == 0;
  if (!written || rename(fresh.c_str(), name.c_str()) != 0) {
    Error error = SystemError(Code::kInternal, "cannot write " + fresh + " and rename it to " + name);
    close(fd);
    return error;
  }
  if (const int former = std::exchange(open_[file], fd); former >= 0) close(former);
  return SyncDirectory(std::filesystem::path(name).parent_path());
}

}  // namespace ebla::tabletserver
