#include "tabletserver/storage/wiredtiger/store_inventory.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "common/base/crc32.h"
#include "common/base/system_error.h"

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

Result<StoreInventory::Contents> ReadFile(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string block{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  return DecodeInventory(block);
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
  lines << "generation " << contents.generation << "\nlife " << contents.life << "\nwritten " << contents.written_ms
        << "\nlog " << log.log << "\nsegments " << log.first_segment << " " << log.last_segment << " " << log.last_bytes
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
    std::error_code error;
    if (!std::filesystem::exists(files_[file], error)) continue;
    Result<Contents> contents = ReadFile(files_[file]);
    if (!contents) {
      damaged_.push_back(files_[file] + ": " + contents.error().message());
    } else if (!found_ || contents->generation > found_->generation) {
      found_ = *std::move(contents);
      next_ = 1 - file;
    }
  }
  if (found_) generation_ = found_->generation;
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
    EBLA_TRY(WriteTo(std::exchange(next_, 1 - next_), EncodeInventory(contents)));
  }
  return {};
}

// A file that cannot be overwritten is made again: its sector may be bad.
Status StoreInventory::WriteTo(size_t file, const std::string& block) {
  int& fd = open_[file];
  if (fd < 0) fd = open(files_[file].c_str(), O_RDWR | O_CLOEXEC);
  if (fd < 0) return MakeFile(file, block);
  const ssize_t done = pwrite(fd, block.data(), block.size(), 0);
  if (done == std::ssize(block) && fdatasync(fd) == 0) return {};
  LOG(ERROR) << Status(SystemError(Code::kInternal, "cannot overwrite " + files_[file])) << ": it is made again";
  close(std::exchange(fd, -1));
  return MakeFile(file, block);
}

Status StoreInventory::MakeFile(size_t file, const std::string& block) {
  const std::string& name = files_[file];
  const std::string fresh = name + ".new";
  const int fd = open(fresh.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(Code::kInternal, "cannot make " + fresh);
  const bool written = pwrite(fd, block.data(), block.size(), 0) == std::ssize(block) && fsync(fd) == 0;
  if (!written || rename(fresh.c_str(), name.c_str()) != 0) {
    Error error = SystemError(Code::kInternal, "cannot write " + fresh + " and rename it to " + name);
    close(fd);
    return error;
  }
  open_[file] = fd;
  const std::string directory = std::filesystem::path(name).parent_path();
  const int names = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  const bool synced = names >= 0 && fsync(names) == 0;
  if (names >= 0) close(names);
  return synced ? Status() : SystemError(Code::kInternal, "cannot sync " + directory);
}

}  // namespace ebla::tabletserver
