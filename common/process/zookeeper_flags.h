// common/process/zookeeper_flags.h
// How a process is told who it is to ZooKeeper: --zookeeper_auth_file.
// Place:   the mains of processes that speak to ZooKeeper, after the flags are parsed.
// Threads: one.
#pragma once

#include "common/base/status.h"
#include "common/coordination/zookeeper_auth.h"

namespace ebla::process {

// Of --zookeeper_auth_file; without secrets where there is none.
Result<coordination::ZooKeeperAuth> ZooKeeperSecret();

}  // namespace ebla::process
