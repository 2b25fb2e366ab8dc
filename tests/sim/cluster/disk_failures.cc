#include "tests/sim/cluster/disk_failures.h"

#include <algorithm>

namespace ebla::sim {

Status DiskFailures::Begin(const ServerName& server) {
  const std::string name = "simulated failure " + std::to_string(failures_.size() + 1) + " of the disk of " + server;
  failures_.push_back({server, name, std::nullopt});
  return Status(Code::kInternal, name);
}

void DiskFailures::End(const ServerName& server, MonotonicTime now) {
  for (Failure& failure : failures_) {
    if (failure.server == server && !failure.end) failure.end = now;
  }
}

bool DiskFailures::Excuses(std::string_view error, MonotonicTime since,
                           const std::function<bool(const ServerName& server)>& may_have_worked) const {
  return std::ranges::any_of(failures_, [&](const Failure& failure) {
    return error.contains(failure.name) && (!failure.end || *failure.end >= since) && may_have_worked(failure.server);
  });
}

}  // namespace ebla::sim
