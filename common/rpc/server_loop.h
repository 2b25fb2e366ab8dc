// common/rpc/server_loop.h
// What the connections of one loop share. Internal to common/rpc.
// Place:      server.cc makes one for each loop; server_connection.h is one of its connections.
// Invariants: 1. Its connections are touched on its loop's thread alone, but for what they say.
//             2. A connection whose user has had its share of the loop goes on behind those who have not (loop_shares.h).
// Threads:    the statistics from any thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "common/rpc/connection_loop.h"
#include "common/rpc/loop_shares.h"
#include "common/rpc/server.h"

namespace ebla::rpc {

class ServerConnection;

// What one loop's connections share. Connections own it together, as a handler may answer after the server has gone.
class ServerLoop final : public ConnectionLoop {
 public:
  // One of `loops` that share the server's connections and bounds.
  ServerLoop(EventLoop& loop, const ServerOptions& options, const Dispatcher& dispatcher, size_t loops);

  // ---- for its connections: on the loop's thread, or with no thread left to it ----

  // One more that a user has, or one less. Users have five eighths of the places, and one of them half of those: peers,
  // masters and operators still come in.
  void CountUser(bool more) { users_ += more ? 1 : -1; }
  bool HasPlaceFor(const LoopShares::User& user) const {
    return users_ <= users_max_ && user.connections <= users_max_ / 2;
  }
  // What this connection has to do, its user has no time left for in this phase: it goes on in a later one.
  void Defer(std::weak_ptr<ServerConnection> connection, const std::shared_ptr<LoopShares::User>& user);

  const ServerOptions options;
  const Dispatcher& dispatcher;
  LoopCounter requests;
  LoopShares shares;

 private:
  std::shared_ptr<AcceptedConnection> Make(int fd, std::string peer) override;
  void List(const std::shared_ptr<LoopShares::User>& user);
  void Resume();

  ConnectionCounters counted_;  // ConnectionLoop::counters
  const size_t users_max_;
  size_t users_ = 0;
  std::vector<std::shared_ptr<LoopShares::User>> waiting_;  // those of whose connections some do
};

}  // namespace ebla::rpc
