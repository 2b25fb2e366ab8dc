#include "tabletserver/storage/wiredtiger/store_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "common/base/crc32.h"
#include "common/base/sync_directory.h"
#include "common/base/system_error.h"
#include "tabletserver/storage/wiredtiger/format_conversion.h"

namespace ebla::tabletserver {

namespace {

// Since 2 a log ended in a row that is no entry; since 3 logs are not WiredTiger's (log/). A store of format 4 may have
// sorted tables (wt_sorted_tables.h).
constexpr int kStoreFormat = 3;
constexpr int kSortedFormat = 4;
constexpr std::string_view kFormatName = "ebla-store ";

Result<int> Lock(const std::string& path) {
  const std::string file = path + "/LOCK";
  const int lock = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock < 0) return SystemError(Code::kInternal, "cannot open " + file);
  if (flock(lock, LOCK_EX | LOCK_NB) != 0) {
    char holder[32] = {};
    const ssize_t size = pread(lock, holder, sizeof holder - 1, 0);
    close(lock);
    std::string who(holder, size > 0 ? static_cast<size_t>(size) : 0);
    while (!who.empty() && who.back() == '\n') who.pop_back();
    return Error(Code::kUnavailable, "the data directory " + path + " is in use by another process" +
                                         (who.empty() ? "" : " (pid " + who + ")") +
                                         ": stop that one first, or use another directory");
  }
  const std::string pid = std::to_string(getpid()) + "\n";
  // Only for the message above: the lock holds without it, on a full disk too.
  if (ftruncate(lock, 0) != 0 || pwrite(lock, pid.data(), pid.size(), 0) < 0) errno = 0;
  return lock;
}

// The second line of FORMAT, of the first one: a store of a lesser format would be converted, and its log passed over.
// Builds of before write none, and read none.
std::string ChecksumLine(std::string_view line) {
  char text[16];
  std::snprintf(text, sizeof text, "crc %08x", Crc32(line));
  return text;
}

// Written whole or not at all; a store without it has nothing in it yet.
Status WriteFormat(const std::string& path, int format) {
  const std::string file = path + "/FORMAT";
  const std::string fresh = file + ".new";
  const int fd = open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError(Code::kInternal, "cannot write " + fresh);
  const std::string line = std::string(kFormatName) + std::to_string(format);
  const std::string text = line + "\n" + ChecksumLine(line) + "\n";
  const bool written = write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd) == 0;
  close(fd);
  if (!written) return SystemError(Code::kInternal, "cannot write " + fresh);
  if (rename(fresh.c_str(), file.c_str()) != 0) return SystemError(Code::kInternal, "cannot rename " + fresh);
  return SyncDirectory(path);
}

// It is not made anew: nothing else tells a store of a newer build, which an older one would misread.
Error DamagedFormat(const std::string& path, const std::string& what) {
  return {Code::kInternal, path + "/FORMAT is damaged: " + what + ": put the file back"};
}

// The format that is there; a directory without one gets the current. `had_checksum`: as it was written last.
Result<int> FindStoreFormat(const std::string& path, bool had_checksum) {
  std::ifstream file(path + "/FORMAT");
  if (!file && errno != ENOENT) return SystemError(Code::kInternal, "cannot read " + path + "/FORMAT");
  if (!file) {
    if (std::error_code error; std::filesystem::exists(path + "/WiredTiger", error)) {
      return Error(Code::kInternal, path + " holds a database but no FORMAT file: it is damaged, or not Ebla's");
    }
    EBLA_TRY(WriteFormat(path, kStoreFormat));
    return kStoreFormat;
  }
  std::string line, checksum;
  std::getline(file, line);
  if (file.eof()) return DamagedFormat(path, "its first line is not whole");
  const bool checked = static_cast<bool>(std::getline(file, checksum));
  if (checked && checksum != ChecksumLine(line)) return DamagedFormat(path, "its checksum is another");
  int format = 0;
  if (line.starts_with(kFormatName)) {
    for (char c : line.substr(kFormatName.size())) {
      if (c < '0' || c > '9' || format > 100'000) return DamagedFormat(path, "its first line is no number");
      format = format * 10 + (c - '0');
    }
  }
  if (format == 0) return DamagedFormat(path, "its first line is \"" + line.substr(0, 80) + "\"");
  if (format > kSortedFormat) {
    return Error(Code::kInvalidArgument, path + " has store format " + std::to_string(format) +
                                             ", this build knows up to " + std::to_string(kSortedFormat) +
                                             ": start the newer build that wrote it");
  }
  if (!checked && had_checksum) return DamagedFormat(path, "its checksum is missing");
  if (format >= kStoreFormat && !checked) EBLA_TRY(WriteFormat(path, format));
  return format;
}

// Looks for the files of a store without which a start would make another store in its place.
Status CheckIsThere(const std::string& path, bool had_checksum) {
  const auto gone = [](const std::string& what) {
    return Error(Code::kInternal, what + " is gone, and this directory had a store: is its disk mounted?");
  };
  std::error_code error;
  for (const std::string& needed : {path, path + "/FORMAT"}) {
    const bool there = std::filesystem::exists(needed, error);
    if (error) return SystemError(Code::kInternal, "cannot look at " + needed, error.value());
    if (!there) return gone(needed);
  }
  EBLA_ASSIGN(const int format, FindStoreFormat(path, had_checksum));
  if (format < kStoreFormat) return {};  // its log is in the database
  const std::string log = LogDirectory(path);
  for (std::filesystem::directory_iterator at(log, error), end; !error && at != end; at.increment(error)) {
    if (at->path().extension() == ".log") return {};
  }
  if (error && error.value() != ENOENT) return SystemError(Code::kInternal, "cannot list " + log, error.value());
  return gone(log + "/*.log");
}

}  // namespace

int StoreDirectory::format() { return kStoreFormat; }

Result<StoreDirectory> StoreDirectory::Open(const std::string& path, Former former) {
  const bool had_checksum = former == Former::kChecked;
  if (former != Former::kUnknown) EBLA_TRY(CheckIsThere(path, had_checksum));
  const bool made = mkdir(path.c_str(), 0755) == 0;
  if (!made && errno != EEXIST) return SystemError(Code::kInternal, "cannot make the directory " + path);
  if (made) EBLA_TRY(SyncDirectory(path + "/.."));
  EBLA_ASSIGN(const int lock, Lock(path));
  StoreDirectory directory(path, lock);
  EBLA_ASSIGN(directory.found_format_, FindStoreFormat(path, had_checksum));
  return directory;
}

Status StoreDirectory::NoteConverted() {
  EBLA_TRY(WriteFormat(path_, kStoreFormat));
  found_format_ = kStoreFormat;
  return {};
}

bool StoreDirectory::may_have_sorted_tables() const { return found_format_ >= kSortedFormat; }

Status StoreDirectory::NoteSortedTables(const std::string& path) { return WriteFormat(path, kSortedFormat); }

StoreDirectory::StoreDirectory(StoreDirectory&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)), found_format_(other.found_format_) {}

StoreDirectory::~StoreDirectory() {
  if (lock_ >= 0) close(lock_);
}

}  // namespace ebla::tabletserver
