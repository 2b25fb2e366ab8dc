// common/coordination/zookeeper_auth.h
// This process's identity for ZooKeeper, and the access list of the cluster's nodes: a secret that all its processes
// share, in a file.
// File:    a line `user:password` for each secret. Blank lines, and those that begin with #, are passed over. The
//          process shows ZooKeeper all of them, and the nodes that it makes admit any process with one of them. With a
//          line `world:anyone` they also admit everybody, while not every process has the secret yet.
// Place:   main files read it (common/process/zookeeper_flags.h); zookeeper_coordinator.h shows it.
// Errors:  INVALID_ARGUMENT, naming the file, the line and what to do.
// Threads: a free function and a value.
#pragma once

#include <string>
#include <vector>

#include "common/base/status.h"

namespace ebla::coordination {

struct ZooKeeperAuth {
  std::string file;                  // for messages
  std::vector<std::string> secrets;  // "user:password" each; none: no secret is shown, and nodes admit every client
  bool anyone = false;               // nodes admit every client besides
};

// The file is its owner's alone, or it is refused.
Result<ZooKeeperAuth> LoadZooKeeperAuth(const std::string& file);

}  // namespace ebla::coordination
