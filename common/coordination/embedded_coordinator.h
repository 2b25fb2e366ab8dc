// common/coordination/embedded_coordinator.h
// A coordinator within one process, durable in its own directory. ebla-standalone uses it in place of ZooKeeper.
// Place:      main opens one EmbeddedCoordination and gives each host a client of it, on that host's executor.
// Durability: a small WiredTiger database holds the persistent nodes; each Multi is one logged transaction, synced
//             before it is answered. Ephemeral nodes live in memory, because their sessions end with the process.
//             The tree is read once, at the start, and all reads are from memory.
// Format:     embedded_database.h
// Damage:     is told at the start, which it refuses, by a Multi, and by Scrub. With EmbeddedOptions that name the
//             functions of the store's files, a damaged block is an error that names file and byte; without them
//             WiredTiger panics.
// Invariants: 1. Only one process at a time can open it.
//             2. A client's calls run in order on its executor, which waits for the disk (one fsync for each Multi).
//             3. The state is kConnected for ever; a session ends with its client.
// Threads:    clients as coordinator.h; a client is destroyed on its executor or after that has stopped, and all of
//             them before EmbeddedCoordination.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/coordination/coordinator.h"

namespace ebla::coordination {

struct EmbeddedOptions {
  // The name of a function of this program that gives WiredTiger its files, as of wt_files.h; empty: WiredTiger's own.
  std::string files_entry;
  // Whether a file of a b-tree is there and begins as it was written. Null: no start checks that.
  std::function<bool(const std::string& path)> begins_whole;
  // The file outside the directory that counts changes (change_mark.h); empty: none.
  std::string mark_file;
  // A process has used this database before, and left nodes. A missing, empty or older database is refused.
  bool made_before = false;
};

class EmbeddedCoordination {
 public:
  // Makes the directory where it is missing, unless it was made before. INTERNAL: damage. INVALID_ARGUMENT: in use by
  // another process, or of a newer format. UNAVAILABLE: not now, as on a full disk.
  static Result<std::unique_ptr<EmbeddedCoordination>> Open(const std::string& directory,
                                                            const EmbeddedOptions& options = {});
  ~EmbeddedCoordination();

  std::unique_ptr<Coordinator> NewClient(Executor& executor);

  // At once, without a client. Any thread.
  Result<Node> Get(const std::string& path) const;
  Status Multi(const std::vector<Op>& ops);  // makes no ephemeral nodes

  // Told how many bytes were read; false ends the scrub.
  using ScrubPace = std::function<bool(int64_t bytes)>;
  // Reads the database as its last checkpoint has it. INTERNAL: damage. Ends before this is destroyed.
  Status Scrub(const ScrubPace& pace);
  // The damage that a scrub has found since the start, or why the latest Multi was not written; empty: neither.
  std::string damage() const;

 private:
  class Service;
  class Client;
  explicit EmbeddedCoordination(std::shared_ptr<Service> service);
  std::shared_ptr<Service> service_;
};

}  // namespace ebla::coordination
