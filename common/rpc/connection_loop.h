// common/rpc/connection_loop.h
// The common state of the connections of one event loop, of any protocol: their list, memory for input and output, a
// sweep for connections with stalled clients, and the bytes that they hold together.
// Place:      the ServerLoop of this folder and that of gateway/server derive from it; they hold accepted_connection.h.
// Invariants: 1. Connections are touched on the loop's thread alone, or with no thread left to it.
//             2. While any is watched a sweep runs; else nothing does.
//             3. Connections that have yet to authenticate have strangers_max places. Beyond that, the oldest of them
//                is closed for a new one.
// Threads:    the loop's.
#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/executor.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/stream.h"

namespace ebla::rpc {

class AcceptedConnection;

// Counted by one loop's thread, read by any.
class LoopCounter {
 public:
  void Add(uint64_t more) { value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed); }
  void Sub(uint64_t less) { Add(0 - less); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

// Counts of one loop's connections; `accepted` and `refused` are the listener's, whose loop counts them for all.
struct ConnectionCounters {
  LoopCounter connections, accepted, refused, broken, in_flight, bytes_in, bytes_out;
};

class ConnectionLoop : public std::enable_shared_from_this<ConnectionLoop> {
 public:
  struct Options {
    Duration half_sent;    // how long a client may stall with something begun
    Duration unread;       // and with replies waiting
    size_t buffered_max;   // bytes that all may hold
    std::string too_much;  // how the log says that they hold more
    size_t read_bytes;     // at a time
    size_t strangers_max;  // connections whose client has yet to authenticate
  };

  virtual ~ConnectionLoop() = default;

  // A socket that was accepted. While the loop drains it is closed.
  void Accept(int fd, std::string peer);
  // No more requests; each connection ends once its replies are out.
  void Drain();
  void CloseAll();

  // ---- for its connections ----

  void Remove(const AcceptedConnection& connection);

  // Counts a connection that has yet to authenticate, or one less.
  void CountStranger(bool more) { strangers_ += more ? 1 : -1; }
  // The connection has become one of those; closes the oldest of them if they are too many.
  void Admit(const std::shared_ptr<AcceptedConnection>& stranger);

  // Counts connections that wait for their client (half a request, unsent replies).
  void Watch(bool more);
  uint32_t tick() const { return tick_; }
  // Since that tick.
  bool IsHalfSentTooLong(uint32_t since) const { return tick_ - since > half_sent_ticks_; }
  bool IsUnreadTooLong(uint32_t since) const { return tick_ - since > unread_ticks_; }

  // A connection holds `now` bytes, where it held `before`; true when all together are over the bound.
  bool Account(size_t before, size_t now) { return (buffered_ += now - before) > buffered_max_; }
  static constexpr size_t kOwnBytes = 1 << 20;  // may be held for each connection, however much is held for all
  // Closes the connection that holds most, which is the one that has grown if no other holds more.
  void BreakLargest(AcceptedConnection& grown);

  // Memory for unsent replies. Connections share it in turn, so that a connection that waits for its client's next
  // request holds none, and none grows from nothing in each turn.
  std::string TakeBuffer() {
    if (spares_.empty()) return {};
    std::string buffer = std::move(spares_.back());
    spares_.pop_back();
    return buffer;
  }
  void GiveBuffer(std::string buffer) {
    buffer.clear();
    if (buffer.capacity() <= kSpareBytesMax && spares_.size() < kSparesMax) spares_.push_back(std::move(buffer));
  }

  EventLoop& loop;
  ConnectionCounters& counters;
  ReadBuffers buffers;
  std::function<void()> on_empty;  // while draining, when the last connection has gone

 protected:
  ConnectionLoop(EventLoop& event_loop, Options options, ConnectionCounters& counters);

  // A connection over the socket, yet to be started.
  virtual std::shared_ptr<AcceptedConnection> Make(int fd, std::string peer) = 0;

 private:
  static constexpr size_t kStrangersMin = 16;
  static constexpr size_t kSpareBytesMax = 256 * 1024;  // of one spare buffer
  static constexpr size_t kSparesMax = 8;  // as many connections as fill their buffers within a turn, about

  uint32_t TicksOf(Duration duration) const { return static_cast<uint32_t>(duration / sweep_period_) + 1; }
  void Sweep();

  const Duration sweep_period_;
  const uint32_t half_sent_ticks_;
  const uint32_t unread_ticks_;
  const size_t buffered_max_;
  const std::string too_much_;
  std::vector<std::shared_ptr<AcceptedConnection>> connections_;  // shared with what is in flight on each
  std::deque<std::weak_ptr<AcceptedConnection>>
      admitted_;  // strangers, the oldest first, and some that have authenticated since
  const size_t strangers_max_;
  size_t strangers_ = 0;
  std::vector<std::string> spares_;  // empty, with capacity
  size_t watched_ = 0;
  size_t buffered_ = 0;
  bool sweeping_ = false;
  bool draining_ = false;
  uint32_t tick_ = 0;
};

}  // namespace ebla::rpc
