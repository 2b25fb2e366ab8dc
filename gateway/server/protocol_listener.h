// gateway/server/protocol_listener.h
// A listener for one protocol: its server, its counts, and whether it can serve.
// Place:   host/gateway_host.h makes one for each protocol in its options; gateway/memcached and gateway/redis
//          implement it.
// Threads: Start and Stop from one thread at a time, which no loop is; the rest from any.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "gateway/server/server.h"

namespace ebla::gateway {

struct ListenerOptions {
  ServerOptions server;
  std::vector<rpc::EventLoop*> loops;          // started before the listener; they outlive it
  std::chrono::milliseconds deadline{10'000};  // of a command
};

class ProtocolListener {
 public:
  virtual ~ProtocolListener() = default;

  virtual std::string name() const = 0;
  virtual const rpc::Endpoint& address() const = 0;  // once it has started
  virtual const Statistics& statistics() const = 0;
  virtual Status Start() = 0;
  // Whether its table can be read.
  virtual Status Ready() const = 0;
  // Accepts no more clients and commands. Commands in flight have `patience` to end.
  virtual void Stop(Duration patience) = 0;
  // Nothing runs any more, so the listener may be destroyed.
  virtual bool quiet() const = 0;
};

}  // namespace ebla::gateway
