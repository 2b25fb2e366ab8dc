#include "tabletserver/server/begin_empty.h"

#include <glog/logging.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <filesystem>

#include "common/base/sync_directory.h"
#include "common/base/system_error.h"

namespace ebla::tabletserver {
namespace {

namespace fs = std::filesystem;

// IDENTITY last: while it is there, no start takes the rest for a new directory.
constexpr std::array kParts = {"store", "coordinator", "CATALOG", "INVENTORY", "IDENTITY"};

// A link to a disk that is not mounted is there, too.
bool IsThere(const std::string& path) {
  std::error_code error;
  return fs::exists(fs::symlink_status(path, error));
}

Result<std::string> SetAside(const std::string& directory) {
  std::string aside;
  for (int n = 1; aside.empty() || IsThere(aside); ++n) aside = directory + "/lost-" + std::to_string(n);
  if (mkdir(aside.c_str(), 0700) != 0) return SystemError(Code::kInternal, "cannot make " + aside);
  for (const char* const part : kParts) {
    const std::string from = directory + "/" + part, to = aside + "/" + part;
    if (IsThere(from) && rename(from.c_str(), to.c_str()) != 0)
      return SystemError(Code::kInternal, "cannot move " + from + " to " + to);
    EBLA_TRY(SyncDirectory(aside));
    EBLA_TRY(SyncDirectory(directory));
  }
  return aside;
}

// A start as it would be without the flag.
Status TryToOpen(ServerProcessOptions& options) {
  const Status opened = ServerProcess::TryToOpen(options);
  EBLA_ASSIGN(options.lock, process::DirectoryLock::Take(options.data_dir, process::DirectoryLock::Content::kStore));
  return opened;
}

}  // namespace

Result<std::string> BeginEmpty(ServerProcessOptions& options, const BeginEmptyOptions& how) {
  const std::string& directory = options.data_dir;
  if (std::ranges::none_of(kParts, [&](const char* part) { return IsThere(directory + "/" + part); }))
    return Error(Code::kInvalidArgument, directory + " has no data: start without --begin_empty");
  if (how.needs_new_name && options.name.empty())
    return Error(Code::kInvalidArgument, "--begin_empty begins another server: name it with --name");
  if (const Result<Identity> old = ReadIdentity(directory); how.needs_new_name && old && old->name == options.name)
    return Error(Code::kInvalidArgument, "the cluster knows " + options.name + " by the data that " + directory +
                                             " had: with --begin_empty give another --name");
  const Status opened = TryToOpen(options);
  if (opened.ok() && how.others_open) EBLA_TRY(how.others_open());  // the store is whole: it stays
  if (opened.ok())
    return Error(Code::kInvalidArgument,
                 "nothing is lost in " + directory + ", and nothing was moved: start without --begin_empty");
  if (opened.code() != Code::kInternal) return std::unexpected(opened);
  EBLA_ASSIGN(std::string aside, SetAside(directory));
  LOG(WARNING) << "what " << directory << " had is in " << aside << ", because no start could use it: " << opened;
  return aside;
}

}  // namespace ebla::tabletserver
