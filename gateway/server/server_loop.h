// gateway/server/server_loop.h
// What the connections of one event loop share: buffers, the sweep for clients that stand still, and the way back of
// answers from other threads, which come in batches.
// Place:      server.cc makes one for each loop; connection.h is one of its connections.
// Invariants: 1. Connections are touched on the loop's thread alone.
//             2. However many answers come while the loop is busy, one task carries them.
// Threads:    Answer from any; the rest on the loop's, or with no thread left to it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/stream.h"
#include "gateway/server/command_queue.h"
#include "gateway/server/server.h"

namespace ebla::gateway {

class Connection;

class ServerLoop : public std::enable_shared_from_this<ServerLoop> {
 public:
  ServerLoop(rpc::EventLoop& event_loop, const ServerOptions& server_options, const ProtocolFactory& factory,
             LoopStatistics& loop_statistics);

  void Accept(int fd, std::string peer);
  void Drain();  // no more commands; each connection ends once its replies are out
  void CloseAll();
  void Remove(Connection& connection);

  // A command has its reply.
  void Answer(std::shared_ptr<Connection> connection, std::shared_ptr<CommandQueue::Entry> entry, Reply reply);

  // Counts what the connections hold. True: it is more than the loop's share.
  bool Account(size_t before, size_t now) { return (buffered_ += now - before) > options.buffered_bytes_max; }
  // Closes the connection that holds most; the one that has grown, if it is as large as any.
  void BreakLargest(Connection& grown);

  // Counts connections that wait for their client: while there are any, a sweep runs.
  void Watch(bool more);
  uint32_t tick() const { return tick_; }
  uint32_t TicksOf(Duration duration) const { return static_cast<uint32_t>(duration / sweep_period_) + 1; }

  // Memory that goes from connection to connection, so that an idle one holds none.
  std::string TakeBuffer();
  void GiveBuffer(std::string buffer);

  rpc::EventLoop& loop;
  const ServerOptions options;
  const ProtocolFactory make_protocol;
  LoopStatistics& statistics;
  rpc::ReadBuffers buffers;
  std::function<void()> on_empty;  // while draining, when the last connection has gone

 private:
  struct Answered {
    std::shared_ptr<Connection> connection;
    std::shared_ptr<CommandQueue::Entry> entry;
    Reply reply;
  };
  void Deliver();
  void Sweep();

  const Duration sweep_period_;
  std::vector<std::shared_ptr<Connection>> connections_;  // shared with the commands in flight on each
  std::vector<std::string> spares_;                       // empty, with capacity
  size_t buffered_ = 0;
  size_t watched_ = 0;
  bool sweeping_ = false;
  bool draining_ = false;
  uint32_t tick_ = 0;

  Mutex mutex_;
  std::vector<Answered> answered_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway
