#include "common/process/directory_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <string_view>

#include "common/base/system_error.h"

namespace ebla::process {
namespace {

namespace fs = std::filesystem;

// Files that Ebla makes in a data directory (output.log is ebla-cluster's), and files of a mount point.
constexpr std::string_view kMade[] = {"ADDRESS",       "ADDRESS.new", "CATALOG",     "IDENTITY.new",    "INVENTORY",
                                      "INVENTORY.new", "LOCK",        "coordinator", "coordinator.new", "logs",
                                      "lost+found",    "output.log",  "store"};
constexpr std::string_view kSetAside = "lost-";                     // by --begin_empty
constexpr std::string_view kCatalogSetAside = "coordinator.lost-";  // by --rebuild_catalog

Status CheckOwn(const std::string& directory) {
  std::error_code error;
  if (fs::exists(directory + "/IDENTITY", error)) return {};
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    const std::string name = entry.path().filename();
    if (std::ranges::find(kMade, name) != std::end(kMade)) continue;
    if (name.starts_with(kSetAside) || name.starts_with(kCatalogSetAside)) continue;
    return Error(Code::kInvalidArgument, directory + " holds \"" + name +
                                             "\" and is no data directory of Ebla; nothing was changed there. Name a "
                                             "new or an empty directory with --data_dir");
  }
  if (error) return Error(Code::kInternal, "cannot read the data directory " + directory + ": " + error.message());
  return {};
}

Status CheckHasNoStore(const std::string& directory) {
  std::error_code error;
  for (const char* part : {"IDENTITY", "INVENTORY", "store", "coordinator"}) {
    if (!fs::exists(directory + "/" + part, error)) continue;
    return Error(Code::kInvalidArgument, directory + " holds the data of a tablet server or of ebla-standalone (" +
                                             part + "): name a directory of this process alone with --data_dir");
  }
  return {};
}

}  // namespace

Result<DirectoryLock> DirectoryLock::Take(const std::string& directory, Content content) {
  std::error_code error;
  fs::create_directories(directory, error);
  if (error) {
    return Error(Code::kInternal, "cannot make the data directory " + directory + ": " + error.message() +
                                      "; name another with --data_dir");
  }
  if (content == Content::kStore) EBLA_TRY(CheckOwn(directory));
  if (content == Content::kNoStore) EBLA_TRY(CheckHasNoStore(directory));
  const std::string file = directory + "/LOCK";
  DirectoryLock lock(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.held()) return SystemError(Code::kInternal, "cannot write in the data directory: " + file);
  if (::flock(lock.fd(), LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno != EWOULDBLOCK) return SystemError(Code::kInternal, "cannot lock " + file);
  return Error(Code::kUnavailable,
               directory + " is in use by another process; stop that one or name another --data_dir");
}

DirectoryLock::~DirectoryLock() {
  if (fd_ >= 0) ::close(fd_);
}

}  // namespace ebla::process
