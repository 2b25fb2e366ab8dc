// tests/sim/cluster/disk_failures.h
// Which disks were made to fail, and when. A failure excuses an error that names the failure, and that was told while
// the failure lasted by the server with that disk. Any other INTERNAL is a bug.
// Place:   the nemesis begins failures, the end of a server's life ends them. cluster.cc asks about stores that are
//          dead, and clients ask about errors that they are answered.
// Threads: one.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/executor.h"
#include "common/base/ids.h"
#include "common/base/status.h"

namespace ebla::sim {

class DiskFailures {
 public:
  // The server's disk fails from now on. Every error that it causes contains the message of this status.
  Status Begin(const ServerName& server);
  // The server's life has ended, or its disk fails no more.
  void End(const ServerName& server, MonotonicTime now);
  // Whether the error names a failure that lasted at `since` or began later. `may_have_worked`: whether the server with
  // the disk may have worked on the request.
  bool Excuses(std::string_view error, MonotonicTime since,
               const std::function<bool(const ServerName& server)>& may_have_worked) const;

 private:
  struct Failure {
    ServerName server;
    std::string name;
    std::optional<MonotonicTime> end;
  };
  std::vector<Failure> failures_;
};

}  // namespace ebla::sim
