// gateway/server/server.h
// The listening side of a gateway. Spreads the accepted connections over event loops. On each connection, a protocol
// that the factory makes serves its client.
// Place:      each listener (protocol_listener.h) makes one for its protocol. server_loop.h is one loop of it.
// Security:   With certificates, connections speak TLS and clients show a certificate of the same authority. Without,
//             every client that reaches the listener may do what the gateway itself may do.
// Invariants: 1. Everything is bounded by ServerOptions. A connection past its bounds is not read until it is below
//                them again. A connection past connections_max gets `refusal` and is closed.
//             2. A client harms no other connection by its input, nor by leaving replies unread.
// Threads:    Start, Stop and address from any thread but the loops' own.
#pragma once

#include <memory>
#include <vector>

#include "common/base/executor.h"
#include "common/base/status.h"
#include "common/rpc/channel.h"
#include "common/rpc/event_loop.h"
#include "common/security/tls.h"
#include "gateway/server/protocol.h"
#include "gateway/server/statistics.h"

namespace ebla::rpc {
class Acceptor;
}

namespace ebla::gateway {

struct ServerOptions {
  rpc::Endpoint listen{"127.0.0.1", 0};  // a numeric address; port 0: the system picks
  size_t connections_max = 10'000;       // server_loop.h tells how users share them, if a login is required
  std::string refusal;                   // the answer, in the clear, to a connection past connections_max
  size_t in_flight_max = 256;            // commands of one connection, by their keys
  size_t held_bytes_max = 16 << 20;      // of one connection: replies that the client has not taken, and commands
  size_t buffered_bytes_max = 1 << 30;   // of all, each loop its share; past it, the largest is closed
  // Bounds of pushed output, as Redis bounds that of its subscribers: bytes that may wait unsent, and how long so many
  // may.
  size_t pushed_bytes_max = 32 << 20;
  size_t pushed_bytes_soft = 8 << 20;
  Duration pushed_soft_for = std::chrono::seconds(60);
  Duration unread_timeout = std::chrono::seconds(30);  // replies wait and the client takes not one byte
  // For an incomplete large command without a further byte, and for a login where that is required.
  Duration half_command_timeout = std::chrono::seconds(30);
  std::shared_ptr<security::TlsCredentials> tls;  // null: in the clear
};

class Server {
 public:
  // The loops (started, as many as the statistics have) and the statistics outlive the server, and every command that
  // may still reply.
  Server(ServerOptions options, ProtocolFactory factory, std::vector<rpc::EventLoop*> loops, Statistics& statistics);
  ~Server();  // Stop(Duration{0})
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Binds the address, and accepts no connection yet. UNAVAILABLE, naming the address, if that fails.
  Status Listen();
  // Accepts; listens first, if it does not.
  Status Start();
  const rpc::Endpoint& address() const;
  // Accepts and reads nothing more, lets commands in flight finish for at most `patience`, and closes everything.
  // Blocks.
  void Stop(Duration patience);

 private:
  const ServerOptions options_;
  const std::unique_ptr<rpc::Acceptor> acceptor_;
};

}  // namespace ebla::gateway
