// gateway/server/server_loop.h
// The state that the connections of one event loop share: buffers, the sweep for clients that make no progress, and the
// batches in which other threads return their replies.
// Place:      server.cc makes one for each loop; connection.h is one of its connections.
// Invariants: 1. Connections are touched on the loop's thread alone.
//             2. However many answers arrive while the loop is busy, one task delivers them.
//             3. If a login is required, connections without one have a quarter of the places, and one user half.
// Threads:    Answer and Push from any; the rest on the loop's, or with no thread left to it.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "common/base/clocks.h"
#include "common/base/mutex.h"
#include "common/rpc/connection_loop.h"
#include "common/rpc/loop_shares.h"
#include "gateway/server/server.h"

namespace ebla::gateway {

class Connection;

class ServerLoop final : public rpc::ConnectionLoop {
 public:
  // One of `loops` that share the server's connections.
  ServerLoop(rpc::EventLoop& event_loop, const ServerOptions& server_options, const ProtocolFactory& factory,
             LoopStatistics& loop_statistics, size_t loops);

  bool HasPlaceFor(const rpc::LoopShares::User& user) const { return user.connections <= of_one_user_max_; }

  // The time. PhaseNow() returns the last reading of this phase of the loop's turn, unless a tick of the coarse clock
  // has passed since, so that frequent callers read no clock.
  SteadyTime Now() {
    now_in_ = loop.phase();
    tick_ = CoarseNow();
    return now_ = std::chrono::steady_clock::now();
  }
  SteadyTime PhaseNow() { return now_in_ == loop.phase() && tick_ == CoarseNow() ? now_ : Now(); }

  // Delivers a reply from another thread than the loop's.
  void Answer(Connection& connection, Command& command, Reply reply);

  // Pushes bytes to a client. The bytes on their way to this loop have the same bound as those that it holds. A
  // connection whose push or reply would exceed the bound is closed.
  bool Push(std::shared_ptr<Connection> connection, std::shared_ptr<const std::string> bytes, Sink::Wanted wanted);

  const ServerOptions options;
  const ProtocolFactory make_protocol;
  LoopStatistics& statistics;
  rpc::LoopShares users;  // how many connections each has

 private:
  struct Answered {
    Connection* asker = nullptr;  // keeps itself until its commands have their replies
    Command* command = nullptr;   // null: something is pushed
    Reply reply{};
    bool too_much = false;  // too many bytes are on their way, so the reply was dropped; the connection is closed
    std::shared_ptr<Connection> pushed_to{};
    std::shared_ptr<const std::string> pushed{};
    Sink::Wanted wanted{};
  };
  std::shared_ptr<rpc::AcceptedConnection> Make(int fd, std::string peer) override;
  // Whether so many more bytes may be on their way to the connection.
  bool MaySend(const Connection& connection, size_t more) const;
  void Send(Answered answered);
  void Deliver();

  const size_t of_one_user_max_;
  uint64_t now_in_ = 0;  // the phase
  SteadyTime now_, tick_;
  Mutex mutex_;
  std::vector<Answered> answered_ EBLA_GUARDED_BY(mutex_);
  std::atomic<size_t> in_transit_bytes_{0};  // bytes, of all
};

}  // namespace ebla::gateway
