// common/zookeeper/zookeeper_command.h
// How this project starts a ZooKeeper of its own from Debian's jars: one process, unprivileged, on the loopback
// interface unless told otherwise, with a small heap, up in about half a second. Knows the command line and the
// configuration, not processes.
// Place:   tools/cluster starts it for a cluster on one machine; common/testing/zookeeper_process.h for tests.
// Errors:  UNAVAILABLE when Java or a jar is missing, naming the packages to install.
// Threads: free functions without state.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/status.h"

namespace ebla::zookeeper {

struct ServerOptions {
  std::string data_dir;  // made when missing; holds zoo.cfg, snapshots and transaction logs
  std::string host;      // empty: 127.0.0.1
  uint16_t port = 0;     // required: ZooKeeper cannot let the system pick; see PickPort()
  int tick_ms = 500;     // sessions may last 2 to 20 ticks
  int heap_mb = 128;
};

// Writes <data_dir>/zoo.cfg and returns the program and arguments that run the server in the foreground, its log going
// to stdout and stderr. Starting again on the same data directory continues with its data.
Result<std::vector<std::string>> PrepareServer(const ServerOptions& options);

// A port of 127.0.0.1 that was free a moment ago and that no outgoing connection is given, so that a listener finds it
// free again after a restart. Another server may still be quicker to bind it.
Result<uint16_t> PickPort();

// Whether a ZooKeeper at host:port, an address of this machine (empty: 127.0.0.1), reports that it is well ("ruok"),
// waiting `timeout_ms` at most.
bool Answers(uint16_t port, const std::string& host = {}, int timeout_ms = 500);

}  // namespace ebla::zookeeper
