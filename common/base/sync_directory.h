// common/base/sync_directory.h
// Makes the names in a directory durable: of files that were made there, renamed or removed.
// Errors:  INTERNAL: the disk refused. UNAVAILABLE: the system cannot open the directory now.
// Threads: a function of its argument.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include "common/base/descriptor.h"
#include "common/base/system_error.h"

namespace ebla {

inline Status SyncDirectory(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.valid() && ::fsync(fd.get()) == 0) return {};
  return SystemError(Code::kInternal, "cannot sync " + path);
}

}  // namespace ebla
