#include "tabletserver/server/identity.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "common/base/crc32.h"
#include "common/base/key_range.h"
#include "common/base/mutex.h"
#include "common/base/sync_directory.h"
#include "common/base/system_error.h"

namespace ebla::tabletserver {
namespace {

constexpr std::string_view kHeading = "ebla tablet server data, format ";

Error DiskError(const std::string& what, const std::string& path) {
  return SystemError(Code::kInternal, what + " " + path);
}

std::string NewUuid() {
  std::random_device device;
  std::string uuid;
  for (int i = 0; i < 16; ++i) {
    uint32_t byte = device() & 0xff;
    if (i == 6) byte = (byte & 0x0f) | 0x40;  // RFC 4122: version 4,
    if (i == 8) byte = (byte & 0x3f) | 0x80;  // random
    if (i == 4 || i == 6 || i == 8 || i == 10) uuid += '-';
    uuid += "0123456789abcdef"[byte >> 4];
    uuid += "0123456789abcdef"[byte & 15];
  }
  return uuid;
}

// Names appear in coordinator paths, flags and tables of the shell.
Status CheckName(const ServerName& name) {
  constexpr std::string_view kAllowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.";
  if (name.empty() || name.size() > 128 || name.find_first_not_of(kAllowed) != name.npos || name[0] == '.') {
    return Error(Code::kInvalidArgument,
                 "server name \"" + name + "\" must be 1 to 128 of A-Z a-z 0-9 _ - . and not begin with a dot");
  }
  return Status::Ok();
}

Status SyncFile(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return DiskError("cannot open", path);
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  if (!synced) return DiskError("cannot fsync", path);
  return Status::Ok();
}

Status WriteDurably(const std::string& directory, const std::string& file, const std::string& text) {
  const std::string path = directory + "/" + file;
  const std::string temporary = path + ".new";
  {
    std::ofstream out(temporary, std::ios::trunc);
    out << text;
    out.close();
    if (!out) return DiskError("cannot write", temporary);
  }
  EBLA_TRY(SyncFile(temporary));
  if (::rename(temporary.c_str(), path.c_str()) != 0) return DiskError("cannot replace", path);
  return SyncDirectory(directory);
}

Error Damaged(const std::string& path, const std::string& why) {
  return Error(Code::kInternal, path + " is damaged (" + why + ")");
}

// The end of the first line: a checksum of all that follows that line. Builds of before write none, and pass over it.
std::string Checksum(std::string_view text) {
  char checksum[24];
  std::snprintf(checksum, sizeof checksum, ", crc %08x", Crc32(text.substr(std::min(text.size(), text.find('\n')))));
  return checksum;
}

Result<Identity> ParseIdentity(const std::string& path, const std::string& text) {
  std::istringstream in(text);
  std::string line;
  std::getline(in, line);
  if (!line.starts_with(kHeading))
    return Damaged(path, "its first line is \"" + EscapeBytes(line.substr(0, 60)) + "\"");
  int format = 0;
  std::from_chars(line.data() + kHeading.size(), line.data() + line.size(), format);
  if (format > kDataFormatVersion) {
    return Error(Code::kInvalidArgument, path + " has format " + std::to_string(format) + ", newer than this build's " +
                                             std::to_string(kDataFormatVersion) + "; start a newer ebla-tabletserver");
  }
  if (format < 1) return Damaged(path, "no format number");
  const std::string_view heading = std::string_view(text).substr(0, text.find('\n'));
  const size_t comma = heading.find(',', kHeading.size());
  const bool checked = comma != heading.npos;
  if (checked ? heading.substr(comma) != Checksum(text)
              : heading.find_first_not_of("0123456789", kHeading.size()) != heading.npos) {
    return Damaged(path, "its checksum is another");
  }
  Identity identity;
  while (std::getline(in, line)) {
    const size_t space = line.find(' ');
    if (space == line.npos) return Damaged(path, "line \"" + EscapeBytes(line) + "\"");
    const std::string key = line.substr(0, space);
    const std::string value = line.substr(space + 1);
    if (key == "uuid") {
      identity.uuid = value;
    } else if (key == "name") {
      identity.name = value;
    } else if (key == "cluster") {
      identity.cluster_id = value;
    } else if (key == "starts") {
      std::from_chars(value.data(), value.data() + value.size(), identity.incarnation.value);
    } else if (key == "boot") {
      identity.running_boot = value;
    } else if (key == "mark") {
      std::from_chars(value.data(), value.data() + value.size(), identity.life_mark);
    } else {
      return Damaged(path, "unknown field \"" + EscapeBytes(key) + "\"");
    }
  }
  if (identity.uuid.empty() || identity.name.empty() || !identity.incarnation)
    return Damaged(path, "a field is missing");
  return identity;
}

std::string BootId() {
  std::string boot;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> boot;
  return boot;
}

// Another machine, boot or copy of the directory has another one: the file stays open for as long as the lock is held,
// so its inode is given to no other.
std::string LockMark(int fd) {
  struct stat file{};
  const std::string boot = BootId();
  if (boot.empty() || ::fstat(fd, &file) != 0) return {};
  return boot + "/" + std::to_string(file.st_dev) + "/" + std::to_string(file.st_ino);
}

}  // namespace

Result<Identity> ReadIdentity(const std::string& data_dir) {
  const std::string file = data_dir + "/IDENTITY";
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return DiskError("cannot read", file);
  return ParseIdentity(file, text.str());
}

Result<std::unique_ptr<DataDirectory>> DataDirectory::Open(const std::string& path, const ServerName& name,
                                                           process::DirectoryLock lock) {
  using process::DirectoryLock;
  if (!lock.held()) {
    EBLA_ASSIGN(lock, DirectoryLock::Take(path, DirectoryLock::Content::kStore));
  }
  std::unique_ptr<DataDirectory> directory(new DataDirectory(path, std::move(lock)));
  MutexLock held(directory->mutex_);  // the directory is not shared yet
  EBLA_TRY(directory->Load(name));
  directory->identity_.lock_mark = LockMark(directory->lock_.fd());
  return directory;
}

Status DataDirectory::Load(const ServerName& name) {
  if (!name.empty()) EBLA_TRY(CheckName(name));
  const std::string file = path_ + "/IDENTITY";
  Identity identity;
  std::error_code error;
  const bool is_new = !std::filesystem::exists(file, error);
  if (error) return SystemError(Code::kInternal, "cannot look at " + file, error.value());
  if (is_new) {
    for (const char* const other : {"/store", "/INVENTORY"}) {
      if (std::filesystem::exists(path_ + other, error)) return Damaged(file, "there is data here, but no such file");
    }
    if (name.empty()) {
      return Error(Code::kInvalidArgument, path_ + " is new: name its server with --name");
    }
    identity.uuid = NewUuid();
    identity.name = name;
  } else {
    EBLA_ASSIGN(identity, ReadIdentity(path_));
    if (!name.empty() && name != identity.name) {
      return Error(Code::kInvalidArgument, path_ + " belongs to server \"" + identity.name + "\", not to \"" + name +
                                               "\": correct --name or --data_dir");
    }
  }
  identity.incarnation = identity.incarnation.Next();
  const std::string boot = BootId();
  identity.machine_crashed = !identity.running_boot.empty() && identity.running_boot != boot;
  identity.running_boot = boot;
  return Save(std::move(identity));
}

Identity DataDirectory::identity() const {
  MutexLock lock(mutex_);
  return identity_;
}

Status DataDirectory::NoteCleanStop() {
  MutexLock lock(mutex_);
  Identity stopped = identity_;
  stopped.running_boot.clear();
  return Save(std::move(stopped));
}

Result<uint64_t> DataDirectory::RaiseLifeMark() {
  MutexLock lock(mutex_);
  Identity raised = identity_;
  ++raised.life_mark;
  EBLA_TRY(Save(std::move(raised)));
  return identity_.life_mark;
}

Status DataDirectory::JoinCluster(const std::string& cluster_id) {
  MutexLock lock(mutex_);
  if (identity_.cluster_id == cluster_id) return Status::Ok();
  if (!identity_.cluster_id.empty()) {
    return Error(Code::kInvalidArgument,
                 path_ + " belongs to cluster " + identity_.cluster_id + ", not to " + cluster_id +
                     ": point --zookeeper at its own cluster, or start with an empty --data_dir");
  }
  Identity joined = identity_;
  joined.cluster_id = cluster_id;
  return Save(std::move(joined));
}

Status DataDirectory::Save(Identity identity) {
  std::ostringstream text;
  text << "\nuuid " << identity.uuid << "\nname " << identity.name << "\ncluster " << identity.cluster_id << "\nstarts "
       << identity.incarnation << "\nmark " << identity.life_mark << "\nboot " << identity.running_boot << "\n";
  const std::string heading = std::string(kHeading) + std::to_string(kDataFormatVersion) + Checksum(text.str());
  EBLA_TRY(WriteDurably(path_, "IDENTITY", heading + text.str()));
  identity_ = std::move(identity);
  return Status::Ok();
}

}  // namespace ebla::tabletserver
