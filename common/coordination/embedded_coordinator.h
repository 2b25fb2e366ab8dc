// common/coordination/embedded_coordinator.h
// A coordinator within one process, durable in its own directory. ebla-standalone uses it in place of ZooKeeper.
// Place:      main opens one EmbeddedCoordination and gives each host a client of it, on that host's executor.
// Durability: a small WiredTiger database holds the persistent nodes; each Multi is one logged transaction, synced
//             before it is answered. Ephemeral nodes live in memory, because their sessions end with the process.
// Format:     table "meta" maps "format" to "1", and "sessions" to the number that were ever opened; table "nodes" maps
//             a path to version, next child number and data (embedded_coordinator.cc). A newer format is refused.
// Invariants: 1. Only one process at a time can open it.
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
