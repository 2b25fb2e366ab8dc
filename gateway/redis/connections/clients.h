// gateway/redis/connections/clients.h
// All connections of a gateway, for CLIENT LIST and KILL and INFO.
// Source:  Redis 7.0's documentation, whose replies these are.
// Threads: any.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "gateway/redis/connections/slow_log.h"
#include "gateway/redis/wire/names.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway::redis {

// The commands that a connection has queued since MULTI, updated with each.
struct ShownQueue {
  std::atomic<int64_t> commands{-1};  // negative: no MULTI
  std::atomic<size_t> bytes{0};
};

// The line of a connection in CLIENT LIST.
struct ClientLine {
  int64_t id = 0;
  std::string name, address, database = "0", command, user = "default", owner;
  int protocol = 2;
  size_t channels = 0, patterns = 0, shards = 0;  // subscriptions
  std::chrono::steady_clock::time_point since, active;
  std::shared_ptr<const ShownQueue> queue;
  std::weak_ptr<Sink> sink;

  bool listens() const { return channels + patterns + shards > 0; }
  std::string ToString() const;
};

class Clients {
 public:
  int64_t NextId() { return next_id_++; }
  void Put(const ClientLine& line);
  void Forget(int64_t id);
  std::vector<ClientLine> All() const;  // by id
  ClientLine Find(int64_t id) const;    // an empty line if the connection is gone
  size_t size() const;

  const std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  std::atomic<uint64_t> connections{0};
  std::atomic<size_t> most{10'000};  // at a time
  SlowLog slow_log;

 private:
  std::atomic<int64_t> next_id_{1};
  mutable Mutex mutex_;
  std::map<int64_t, ClientLine> lines_ EBLA_GUARDED_BY(mutex_);
};

// CLIENT LIST.
void ListClients(const Clients& clients, const Words& words, Reply& reply);
// CLIENT KILL, which `own` sends, for connections of the same owner. True: `own` is among them, and must end after its
// reply.
bool KillClients(const Clients& clients, const Words& words, const ClientLine& own, Reply& reply);

}  // namespace ebla::gateway::redis
