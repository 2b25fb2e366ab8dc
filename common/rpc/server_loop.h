// common/rpc/server_loop.h
// The common state of one loop's connections. Internal to common/rpc.
// Place:      server.cc makes one for each loop; server_connection.h is one of its connections.
// Invariants: 1. Its connections are touched on its loop's thread alone, except for functions that say otherwise.
//             2. A connection whose user has had its share of the loop continues behind users without one
//                (loop_shares.h). A connection whose user has as many calls under way as it may (call_window.h)
//                continues when one of them has ended.
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

// The common state of one loop's connections. Connections own it together, as a handler may answer after the server has
// gone.
class ServerLoop final : public ConnectionLoop {
 public:
  // One of `loops` that share the server's connections, bounds and window.
  ServerLoop(EventLoop& loop, const ServerOptions& options, const Dispatcher& dispatcher, size_t loops,
             std::shared_ptr<CallWindow> window);

  // ---- for its connections: on the loop's thread, or with no thread left to it ----

  // A user has one connection more, or one less. Users have five eighths of the places, and one of them half of those:
  // peers, masters and operators still come in.
  void CountUser(const LoopShares::User& user, bool more) {
    users_ += more ? 1 : -1;
    more ? window->Join(user.flow) : window->Leave(user.flow);
  }
  bool HasPlaceFor(const LoopShares::User& user) const {
    return users_ <= users_max_ && user.connections <= users_max_ / 2;
  }
  // Whether several users are active, on this loop or another. Otherwise no user need be measured.
  bool crowded() const { return shares.several() || window->several(); }
  void BeginTime() {
    if (crowded()) shares.Begin();
  }
  // A user has time left, in this phase or in this slot of time; and another call of it may begin.
  bool HasTime(const LoopShares::User& user) const {
    return shares.HasTime(user, loop.phase()) && (shares.HasTimeInSlot(user) || !Yields(user));
  }
  bool HasRoom(const LoopShares::User& user) const {
    return !user.counted || window->HasRoom(user.flow, user.calls, shares.now());
  }
  // There is a window for this user, and requests wait: further ones go behind them.
  bool WaitsBehind(const LoopShares::User& user) const {
    return user.counted && !user.waiting.empty() && window->Limits(user.flow, shares.now());
  }
  // This connection's user has no time or no room left in this phase, so the connection continues when there is.
  // `queue`: one of its user's.
  void Defer(std::weak_ptr<ServerConnection> connection, const std::shared_ptr<LoopShares::User>& user,
             LoopShares::Queue& queue);
  // A call of this user has ended; null: its connection has gone before.
  void EndCall(const std::shared_ptr<LoopShares::User>& user, CallWindow::Begun call) {
    window->End(user == nullptr ? nullptr : &user->calls, call);
    if (user != nullptr && !user->waiting.empty()) List(user);
  }

  const ServerOptions options;
  const Dispatcher& dispatcher;
  const std::shared_ptr<CallWindow> window;
  LoopCounter requests;
  LoopShares shares;

 private:
  std::shared_ptr<AcceptedConnection> Make(int fd, std::string peer) override;
  void List(const std::shared_ptr<LoopShares::User>& user);
  void Resume();
  bool Yields(const LoopShares::User& user) const {
    return user.counted && window->Yields(user.flow, user.calls, shares.now());
  }
  // Lists it when this one of such periods is over, but once for each flag.
  void ListAfter(Duration period, bool LoopShares::User::* flag, const std::shared_ptr<LoopShares::User>& user);

  ConnectionCounters counted_;  // ConnectionLoop::counters
  const size_t users_max_;
  size_t users_ = 0;
  std::vector<std::shared_ptr<LoopShares::User>> waiting_;  // those of whose connections some do, and may go on
};

}  // namespace ebla::rpc
