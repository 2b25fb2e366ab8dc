// tests/bench/compare/ebla_cluster.h
// Tablet servers with a master and ZooKeeper, each a process of its own.
// Errors:  any ends the program.
// Threads: thread-compatible; the processes die with the thread that makes it.
#pragma once

#include <memory>
#include <optional>

#include "ebla/ebla.h"
#include "tests/bench/compare/measured_process.h"
#include "tests/integration/test_cluster.h"

namespace ebla::bench {

class EblaCluster {
 public:
  explicit EblaCluster(testing::TestClusterOptions options = {.masters = 1, .servers = 3});
  Client& client() { return *client_; }
  Servers servers() const;  // all of these processes
  std::string masters() const;

 private:
  std::unique_ptr<testing::TestCluster> cluster_;
  std::optional<Client> client_;
};

}  // namespace ebla::bench
