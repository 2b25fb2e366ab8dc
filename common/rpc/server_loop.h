// common/rpc/server_loop.h
// What the connections of one loop share. Internal to common/rpc.
// Place:      server.cc makes one for each loop; server_connection.h is one of its connections.
// Invariants: 1. Its connections are touched on its loop's thread alone, but for what they say.
//             2. Those who have not shown yet who they are have a quarter of the places: beyond, the one that has waited
//                longest is closed for a new one.
//             3. A connection whose user has had its share of the loop goes on behind those who have not (loop_shares.h).
// Threads:    the statistics from any thread.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/loop_shares.h"
#include "common/rpc/server.h"
#include "common/rpc/stream.h"

namespace ebla::rpc {

class ServerConnection;

// Counted by one loop's thread, read by any.
class LoopCounter {
 public:
  void Add(uint64_t more) { value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed); }
  void Sub(uint64_t less) { Add(0 - less); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

struct LoopCounters {
  LoopCounter requests, in_flight, connections, connections_broken, bytes_in, bytes_out;
};

// What one loop's connections share. Connections own it together, as a handler may answer after the server has gone.
class ServerLoop : public std::enable_shared_from_this<ServerLoop> {
 public:
  // One of `loops` that share the server's connections and bounds.
  ServerLoop(EventLoop& loop, const ServerOptions& options, const Dispatcher& dispatcher, size_t loops);

  // All on the loop's thread (or with no thread left to it).
  void Accept(int fd, std::string peer);
  void Drain();  // no more requests; each connection ends once its replies are out
  void CloseAll();
  bool empty() const { return connections_.empty(); }
  void Remove(ServerConnection& connection);
  // Counts connections that wait for the client (half a frame, unsent replies): while there are any, a sweep runs.
  void Watch(bool more);
  // A connection's buffers hold `now` bytes, where they held `before`; true when all together are over the bound.
  bool Account(size_t before, size_t now) { return (buffered_ += now - before) > buffered_max_; }
  // Memory for replies that are not yet sent: it goes from connection to connection, so that one that waits for its
  // client's next request holds none, and none grows from nothing in each turn.
  std::string TakeBuffer();
  void GiveBuffer(std::string buffer);
  uint32_t tick() const { return tick_; }
  // One more who has yet to show who it is, or one less.
  void CountStranger(bool more) { strangers_ += more ? 1 : -1; }
  // One more that a user has, or one less. Users have five eighths of the places, and one of them half of those: peers,
  // masters and operators still come in.
  void CountUser(bool more) { users_ += more ? 1 : -1; }
  bool HasPlaceFor(const LoopShares::User& user) const {
    return users_ <= users_max_ && user.connections <= users_max_ / 2;
  }
  // Whose buffers hold most of what is too much; a process of the cluster only where nobody else does.
  void BreakLargest(ServerConnection& grown);
  // What this connection has to do, its user has no time left for in this phase: it goes on in a later one.
  void Defer(ServerConnection& connection, const std::shared_ptr<LoopShares::User>& user);
  uint32_t TicksOf(Duration duration) const { return static_cast<uint32_t>(duration / sweep_period_) + 1; }

  EventLoop& loop;
  const ServerOptions options;
  const Dispatcher& dispatcher;
  LoopCounters counters;
  ReadBuffers buffers;
  LoopShares shares;
  std::function<void()> on_empty;  // while draining, when the last connection has gone

 private:
  void Sweep();
  void List(const std::shared_ptr<LoopShares::User>& user);
  void Resume();
  void CloseOldestStrangers();

  const size_t strangers_max_;
  const Duration sweep_period_;
  const size_t buffered_max_;
  std::vector<std::string> spares_;                             // empty, with capacity
  std::vector<std::shared_ptr<ServerConnection>> connections_;  // shared with the calls in flight on each
  size_t strangers_ = 0;
  const size_t users_max_;
  size_t users_ = 0;
  std::deque<std::weak_ptr<ServerConnection>> accepted_;  // strangers, the oldest first, and some who are none any more
  std::vector<std::shared_ptr<LoopShares::User>> waiting_;  // those of whose connections some do
  size_t watched_ = 0;
  size_t buffered_ = 0;
  bool sweeping_ = false;
  bool draining_ = false;
  uint32_t tick_ = 0;
};

}  // namespace ebla::rpc
