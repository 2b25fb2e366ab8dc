// gateway/server/server.h
// The listening side of a gateway: spreads the connections that it accepts over event loops, each of which speaks the
// protocol that the factory makes.
// Place:      each listener (protocol_listener.h) makes one for its protocol. server_loop.h is one loop of it.
// Security:   With certificates, connections speak TLS and clients show a certificate of the same authority; without,
//             everybody who reaches it is trusted with what the gateway itself may do.
// Invariants: 1. Everything is bounded by ServerOptions. Past the bounds of one connection it is not read until it is
//                below them again; past connections_max new ones are told so and closed.
//             2. What one client sends or does not read harms no other connection.
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
  size_t connections_max = 10'000;       // server_loop.h says how they are shared where clients log in
  std::string refusal;                   // what who is one too many is told, in the clear, before it is closed
  size_t in_flight_max = 256;            // commands of one connection, by their keys
  size_t held_bytes_max = 16 << 20;      // of one connection: replies that the client has not taken, and commands
  size_t buffered_bytes_max = 1 << 30;  // likewise of all, each loop its share; beyond it, whoever holds most is closed
  // Of what is pushed unasked: so much may wait unsent, or so much for so long. As Redis bounds its subscribers.
  size_t pushed_bytes_max = 32 << 20;
  size_t pushed_bytes_soft = 8 << 20;
  Duration pushed_soft_for = std::chrono::seconds(60);
  Duration unread_timeout = std::chrono::seconds(30);  // replies wait and the client takes not one byte
  // A large command is half here, and not one byte comes; or nobody has logged in where clients have to.
  Duration half_command_timeout = std::chrono::seconds(30);
  std::shared_ptr<security::TlsCredentials> tls;  // null: in the clear
};

class Server {
 public:
  // The loops (started, one for each of the statistics') and the statistics outlive the server, and whatever may still
  // answer a command.
  Server(ServerOptions options, ProtocolFactory factory, std::vector<rpc::EventLoop*> loops, Statistics& statistics);
  ~Server();  // Stop(Duration{0})
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Takes its address, and accepts nobody yet. UNAVAILABLE, naming the address, when it cannot listen there.
  Status Listen();
  // Accepts; listens first, if it does not.
  Status Start();
  const rpc::Endpoint& address() const;
  // Accepts and reads nothing more, lets what is in flight finish for at most `patience`, closes everything. Blocks.
  void Stop(Duration patience);

 private:
  const ServerOptions options_;
  const std::unique_ptr<rpc::Acceptor> acceptor_;
};

}  // namespace ebla::gateway
