// common/rpc/acceptor.h
// The listening side of a server of any protocol: accepts connections up to a limit, distributes them over its loops in
// turn, and ends all of them.
// Place:   server.cc here and gateway/server/server.cc have one each. connection_loop.h is one of its loops.
// Threads: Listen, Start, Stop and address from any thread but the loops' own.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/rpc/connection_loop.h"
#include "common/rpc/listener.h"

namespace ebla::rpc {

class Acceptor {
 public:
  using Loops = std::vector<std::shared_ptr<ConnectionLoop>>;
  // Gets a socket that is one too many, before it is closed; on the first loop.
  using Refuse = std::function<void(int fd)>;

  // The first of the loops accepts, and counts what is accepted and refused.
  Acceptor(Loops loops, size_t connections_max, Refuse refuse);
  ~Acceptor() { Stop(Duration{0}); }
  Acceptor(const Acceptor&) = delete;
  Acceptor& operator=(const Acceptor&) = delete;

  // Binds the address, but accepts no connection yet. UNAVAILABLE, naming it, when it cannot listen there.
  Status Listen(const Endpoint& endpoint) { return listener_.Listen(endpoint); }
  void Start() { listener_.Start(); }
  // Accepts and reads nothing more, lets what is in flight finish for at most `patience`, closes everything. Blocks.
  void Stop(Duration patience);

  bool listening() const { return listener_.listening(); }
  // With the port that the system picked.
  const Endpoint& address() const { return listener_.address(); }

 private:
  void Take(int fd, std::string peer);

  const Loops loops_;  // shared with their connections
  const size_t connections_max_;
  const Refuse refuse_;
  size_t next_ = 0;
  Listener listener_;
};

}  // namespace ebla::rpc
