#include "tests/chaos/namespaces/user_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "common/base/system_error.h"

namespace ebla::chaos {
namespace {

Status Write(const std::string& file, const std::string& text) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return SystemError(Code::kUnavailable, "cannot open " + file);
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  const Status status = written ? Status::Ok() : Status(SystemError(Code::kUnavailable, "cannot write " + file));
  ::close(fd);
  return status;
}

}  // namespace

Status BecomeRoot() {
  const std::string user = std::to_string(::geteuid()), group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWNS) == 0) return Status::Ok();  // the process has the permission already
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
    return SystemError(Code::kUnavailable, "not root, and no user namespace can be made");
  // A process may map a group only after it gives up changing its groups.
  EBLA_TRY(Write("/proc/self/setgroups", "deny"));
  EBLA_TRY(Write("/proc/self/uid_map", "0 " + user + " 1"));
  return Write("/proc/self/gid_map", "0 " + group + " 1");
}

}  // namespace ebla::chaos
