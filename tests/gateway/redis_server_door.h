// tests/gateway/redis_server_door.h
// A real redis-server, for tests that compare with it.
// Threads: one.
#pragma once

#include <string>

#include "gateway/redis/wire/names.h"
#include "tools/cluster/child_process.h"

namespace ebla::gateway::redis {

// A server of its own, which ends with it, and one connection to it.
class ServerDoor {
 public:
  // Starts it; the directory holds its socket and its log.
  explicit ServerDoor(const std::string& directory);
  ~ServerDoor();
  ServerDoor(const ServerDoor&) = delete;

  std::string Answer(const Words& words);

 private:
  cluster::ProcessId process_;
  int fd_ = -1;
  std::string bytes_;
};

}  // namespace ebla::gateway::redis
