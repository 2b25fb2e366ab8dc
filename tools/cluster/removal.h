// tools/cluster/removal.h
// Prepares a cluster for the removal of a tablet server, and completes it: the server's replicas move to other servers,
// and later the master forgets it. A client of the cluster, unlike launcher.h.
// Place:   main.cc, for `ebla-cluster remove-server`; integration tests.
// Errors:  tell what to do; nothing is lost by any of them, and every function may be called again.
// Threads: free functions; each blocks, for `timeout` at most and a little more.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace ebla::cluster {

struct RemovalOptions {
  std::vector<std::string> masters;  // host:port each
  std::string server;
  std::chrono::milliseconds timeout{std::chrono::hours(1)};
  bool leave_conflicts = false;  // conflict records that it keeps are no reason to stop: they stay in its data
  std::function<void(const std::string&)> say;  // told how far it is; may be empty
};

// Lets the master drain the server, and waits until it holds no replica and no write that is still to be delivered.
// Returns the number of replicas it had. CONDITION_FAILED: the other servers have no room for them, or the server keeps
// conflict records, which no drain moves; DEADLINE_EXCEEDED: it continues to drain.
Result<size_t> Empty(const RemovalOptions& options);

// Has the master forget the server, which has ended: waits until the master knows that.
Status Forget(const RemovalOptions& options);

}  // namespace ebla::cluster
