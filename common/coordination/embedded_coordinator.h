// common/coordination/embedded_coordinator.h
// A coordinator within one process, durable in a directory of its own: what ebla-standalone uses in ZooKeeper's place.
// Place:      main opens one EmbeddedCoordination and hands each host a client of it, on that host's executor.
// Durability: a small WiredTiger database holds the persistent nodes; each Multi is one logged transaction, synced
//             before it is answered. Ephemeral nodes live in memory: their sessions end with the process.
// Format:     table "meta": "format" -> "1", "sessions" -> how many were ever opened; table "nodes": path -> version,
//             next child number, data (embedded_coordinator.cc). A newer format is refused.
// Invariants: 1. One process at a time: a second one is refused.
//             2. A client's calls run in order on its executor, which waits for the disk (one fsync for each Multi).
//             3. The state is kConnected for ever; a session ends with its client.
// Threads:    clients as coordinator.h; a client is destroyed on its executor or after that has stopped, and all of
//             them before EmbeddedCoordination.
#pragma once

#include <memory>
#include <string>

#include "common/coordination/coordinator.h"

namespace ebla::coordination {

class EmbeddedCoordination {
 public:
  // Makes the directory where it is missing. INVALID_ARGUMENT: in use by another process, or of a newer format.
  static Result<std::unique_ptr<EmbeddedCoordination>> Open(const std::string& directory);
  ~EmbeddedCoordination();

  std::unique_ptr<Coordinator> NewClient(Executor& executor);

 private:
  class Database;
  class Service;
  class Client;
  explicit EmbeddedCoordination(std::shared_ptr<Service> service);
  std::shared_ptr<Service> service_;
};

}  // namespace ebla::coordination
