// tests/chaos/gateways/gateways.h
// Gateways before a test's cluster: processes that are killed, paused and started again while clients use them. The
// system picks their ports, so a restarted gateway listens elsewhere; Listeners() returns the addresses. The launcher
// knows them as "gateway-1" and so on.
// Threads: Listeners() any; the rest from one, which must outlive them, because the processes die with it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/base/status.h"
#include "tools/cluster/child_process.h"
#include "tools/cluster/processes.h"

namespace ebla::chaos {

struct GatewaysOptions {
  std::string program;
  std::string dir;  // for their output; it must exist
  std::string masters;
  std::vector<std::string> flags;
  std::function<cluster::LaunchContext(const std::string& name)> launch_context;  // empty: 127.0.0.1, started directly
};

struct GatewayListeners {
  std::string host;  // an IPv4 address; then ports
  int redis = 0;
  int memcached = 0;
};

class Gateways {
 public:
  explicit Gateways(GatewaysOptions options) : options_(std::move(options)) {}
  ~Gateways();
  Gateways(const Gateways&) = delete;

  Status Start(size_t count);
  static std::string Name(size_t gateway) { return "gateway-" + std::to_string(gateway + 1); }
  size_t count() const { return members_.size(); }
  // SIGKILL.
  Status Kill(size_t gateway);
  // SIGTERM; waits until it has answered what is under way, and ended.
  Status End(size_t gateway);
  // SIGSTOP and SIGCONT.
  Status Signal(size_t gateway, int signal);
  // Restarts a gateway that has ended, and waits until it serves.
  Status Restart(size_t gateway);
  // None: it does not run.
  std::optional<GatewayListeners> Listeners(size_t gateway) const;

 private:
  struct Member {
    cluster::ProcessId process;
    std::optional<GatewayListeners> listeners;
    int starts = 0;
  };
  std::string OutputOf(size_t gateway) const;
  void Shut(size_t gateway);

  const GatewaysOptions options_;
  mutable Mutex mutex_;
  std::vector<Member> members_;  // its size is for life; `listeners` under the mutex
};

}  // namespace ebla::chaos
