// common/process/zookeeper_flags.h
// The flags that name a process's ZooKeeper and the secret that the process shows there.
// Place:   the mains of processes that speak to ZooKeeper, after the flags are parsed.
// Threads: one.
#pragma once

#include "common/base/status.h"
#include "common/coordination/zookeeper_coordinator.h"

namespace ebla::process {

// INVALID_ARGUMENT: --zookeeper names no servers, or --zookeeper_auth_file holds no secret.
Result<coordination::ZooKeeperOptions> ZooKeeperFromFlags();

}  // namespace ebla::process
