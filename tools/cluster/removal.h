// tools/cluster/removal.h
// What the cluster itself has to do before and after one of its tablet servers is ended for good: its replicas go to
// the others, and then it is forgotten. A client of the cluster, unlike launcher.h.
// Place:   main.cc, for `ebla-cluster remove-server`; integration tests.
// Errors:  say what to do; nothing is lost by any of them, and all of it may be asked for again.
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

// Has the master drain the server, and waits until it holds no replica, and no write that is still to be delivered. How
// many replicas it had. CONDITION_FAILED: the others cannot take them, or it keeps conflict records, which no drain
// moves; DEADLINE_EXCEEDED: it goes on draining.
Result<size_t> Empty(const RemovalOptions& options);

// Has the master forget the server, which has ended: waits until the master knows that.
Status Forget(const RemovalOptions& options);

}  // namespace ebla::cluster
