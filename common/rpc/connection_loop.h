// common/rpc/connection_loop.h
// What the connections of one event loop share, whatever they speak: their list, memory for what is to be sent, a sweep for
// those whose client stands still, and how much they hold together; and what a server does with several such loops.
// Place:      the ServerLoop of this folder and that of gateway/server are ones (Self). Their Connection has index,
//             held_bytes(), Drain(), Close() and OnSweep().
// Invariants: 1. Connections are touched on the loop's thread alone, or with no thread left to it.
//             2. While any is watched a sweep runs; else nothing does.
// Threads:    the loop's; DrainAll and HandOver from any but a loop's, or from the acceptor's.
#pragma once

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/listener.h"

namespace ebla::rpc {

// Counted by one loop's thread, read by any.
class LoopCounter {
 public:
  void Add(uint64_t more) { value_.store(value_.load(std::memory_order_relaxed) + more, std::memory_order_relaxed); }
  void Sub(uint64_t less) { Add(0 - less); }
  uint64_t value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<uint64_t> value_{0};
};

template <class Self, class Connection>
class ConnectionLoop : public std::enable_shared_from_this<Self> {
 public:
  // No more requests; each connection ends once its replies are out.
  void Drain() {
    draining_ = true;
    const auto connections = connections_;  // draining removes
    for (const auto& connection : connections) connection->Drain();
    if (connections.empty() && on_empty) on_empty();
  }
  void CloseAll() {
    draining_ = true;
    while (!connections_.empty()) {
      const std::shared_ptr<Connection> connection = connections_.back();
      connection->Close();
    }
    on_empty = nullptr;
  }
  void Remove(Connection& connection) {
    const std::shared_ptr<Connection> removed = std::move(connections_[connection.index]);
    if (connection.index + 1 < connections_.size()) {
      connections_[connection.index] = std::move(connections_.back());
      connections_[connection.index]->index = connection.index;
    }
    connections_.pop_back();
    open_.Sub(1);
    if (connections_.empty() && draining_ && on_empty) on_empty();
  }

  // Counts connections that wait for their client (half a request, unsent replies).
  void Watch(bool more) {
    watched_ += more ? 1 : -1;
    if (!more || std::exchange(sweeping_, true)) return;
    loop.After(sweep_period_, [self = this->shared_from_this()] { self->Sweep(); });
  }
  uint32_t tick() const { return tick_; }
  uint32_t TicksOf(Duration duration) const { return static_cast<uint32_t>(duration / sweep_period_) + 1; }

  // A connection holds `now` bytes, where it held `before`; true when all together are over the bound.
  bool Account(size_t before, size_t now) { return (buffered_ += now - before) > buffered_max_; }

  // Memory for replies that are not yet sent: it goes from connection to connection, so that one that waits for its
  // client's next request holds none, and none grows from nothing in each turn.
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
  std::function<void()> on_empty;  // while draining, when the last connection has gone

 protected:
  static constexpr size_t kOwnBytes = 1 << 20;  // may be held for each connection, however much is held for all

  // `patience`: the shortest time that a client may stand still. `open`: counts the connections.
  ConnectionLoop(EventLoop& event_loop, Duration patience, size_t buffered_max, LoopCounter& open)
      : loop(event_loop),
        sweep_period_(std::clamp<Duration>(patience / 4, std::chrono::milliseconds(10), std::chrono::seconds(1))),
        buffered_max_(buffered_max),
        open_(open) {}

  // A connection over the socket, yet to be started; none while the loop drains.
  std::shared_ptr<Connection> Adopt(int fd, std::string peer) {
    if (draining_) {
      close(fd);
      return nullptr;
    }
    auto connection = std::make_shared<Connection>(this->shared_from_this(), fd, std::move(peer));
    connection->index = connections_.size();
    connections_.push_back(connection);
    open_.Add(1);
    return connection;
  }
  const std::vector<std::shared_ptr<Connection>>& connections() const { return connections_; }

 private:
  static constexpr size_t kSpareBytesMax = 256 * 1024;  // of one spare buffer
  static constexpr size_t kSparesMax = 8;  // as many connections as fill their buffers within a turn, about

  void Sweep() {
    ++tick_;
    if (watched_ > 0) {
      const auto connections = connections_;  // a sweep removes
      for (const auto& connection : connections) connection->OnSweep();
    }
    sweeping_ = watched_ > 0;
    if (sweeping_) loop.After(sweep_period_, [self = this->shared_from_this()] { self->Sweep(); });
  }

  const Duration sweep_period_;
  const size_t buffered_max_;
  LoopCounter& open_;
  std::vector<std::shared_ptr<Connection>> connections_;  // shared with what is in flight on each
  std::vector<std::string> spares_;                       // empty, with capacity
  size_t watched_ = 0;
  size_t buffered_ = 0;
  bool sweeping_ = false;
  bool draining_ = false;
  uint32_t tick_ = 0;
};

// Asks every loop to finish what it has, and waits until all have or patience is spent.
template <class Loop>
void DrainAll(const std::vector<std::shared_ptr<Loop>>& loops, Duration patience) {
  struct Waiting {
    Mutex mutex;
    CondVar changed;
    size_t busy EBLA_GUARDED_BY(mutex) = 0;
  };
  auto waiting = std::make_shared<Waiting>();  // a loop may report after the patience is spent
  {
    MutexLock lock(waiting->mutex);
    waiting->busy = loops.size();
  }
  for (const auto& loop : loops) {
    RunOn(loop->loop, [&loop, waiting] {
      loop->on_empty = [waiting, reported = false]() mutable {
        if (std::exchange(reported, true)) return;
        MutexLock lock(waiting->mutex);
        --waiting->busy;
        waiting->changed.NotifyAll();
      };
      loop->Drain();
    });
  }
  MutexLock lock(waiting->mutex);
  const auto until = std::chrono::steady_clock::now() + patience;
  while (waiting->busy > 0 && waiting->changed.WaitUntil(waiting->mutex, until)) {
  }
}

// Gives an accepted socket to a loop, which may stop before it takes it over.
template <class Loop>
void HandOver(const std::shared_ptr<Loop>& loop, int fd, std::string peer) {
  if (loop->loop.InThread()) return loop->Accept(fd, std::move(peer));
  struct AcceptedSocket {
    int fd;
    std::shared_ptr<Loop> loop;
    ~AcceptedSocket() {
      if (fd >= 0) close(fd);
    }
  };
  loop->loop.Post([accepted = std::make_unique<AcceptedSocket>(fd, loop), peer = std::move(peer)]() mutable {
    accepted->loop->Accept(std::exchange(accepted->fd, -1), std::move(peer));
  });
}

}  // namespace ebla::rpc
