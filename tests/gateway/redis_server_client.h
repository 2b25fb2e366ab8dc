// tests/gateway/redis_server_client.h
// A real redis-server, for tests that compare with it.
// Threads: one.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/redis/wire/names.h"
#include "tools/cluster/child_process.h"

namespace ebla::gateway::redis {

// A client of a server. The first client starts the server and ends it.
class ServerClient {
 public:
  // The directory holds the server's socket and log.
  explicit ServerClient(const std::string& directory);
  // A second connection to the server of `first`, which outlives it.
  explicit ServerClient(const ServerClient* first);
  ~ServerClient();
  ServerClient(const ServerClient&) = delete;

  std::string Answer(const Words& words);
  // All replies to a pipeline, which leaves ECHO answered.
  std::string AnswerAll(const std::vector<Words>& commands);

 private:
  bool Connect();
  void Send(const std::string& bytes);
  void Receive();

  const std::string path_;
  std::optional<cluster::ProcessId> process_;
  int fd_ = -1;
  std::string bytes_;
};

}  // namespace ebla::gateway::redis
