// common/coordination/zookeeper_address.h
// The parts of --zookeeper: servers, and the path that holds the cluster.
// Threads: a free function.
#pragma once

#include <string>

#include "common/base/status.h"

namespace ebla::coordination {

// Splits "host:port,host:port/chroot"; `root` is empty where no path is named. INVALID_ARGUMENT for what the C client
// would only stumble over later.
Status SplitZooKeeperServers(const std::string& text, std::string* hosts, std::string* root);

}  // namespace ebla::coordination
