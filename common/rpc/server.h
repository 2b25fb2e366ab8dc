// common/rpc/server.h
// The Thrift server: listens, spreads connections over event loops, cuts their bytes into frames, gives each frame to
// the Dispatcher and sends replies as they come. Framed strict binary and framed compact are told apart by the first
// byte of a connection's first message, so every stock Thrift client works.
// Security:   with certificates, connections speak TLS 1.3 and certificates identify callers; without, every client is
//             trusted.
// Invariants: 1. Replies go out in any order, matched by sequence id; calls of one connection with equal ids (stock
//                clients send 0 for ever) are answered in the order of their arrival.
//             2. Everything is bounded by ServerOptions. Past in-flight or unsent bounds a connection is not read until
//                it is below them again; past any other bound it is closed.
//             3. Bytes that are no well-formed call close their connection, with one log line (rate limited), and
//                harm no other. An idle connection holds no buffer and no timer.
// Threads:    Start, Stop, address and Stats from any thread but the loops' own; handlers answer from any thread.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "common/base/executor.h"
#include "common/base/status.h"
#include "common/rpc/call_window.h"
#include "common/rpc/channel.h"
#include "common/rpc/dispatcher.h"
#include "common/rpc/event_loop.h"
#include "common/security/tls.h"

namespace ebla::rpc {

struct ServerOptions {
  Endpoint listen{"127.0.0.1", 0};  // a numeric address; port 0: the system picks
  size_t frame_bytes_max = 16 << 20;
  size_t in_flight_max = 1024;          // requests per connection
  size_t unsent_bytes_max = 32 << 20;   // reply bytes per connection that the client has not taken
  size_t buffered_bytes_max = 1 << 30;  // of all connections: half-sent frames, replies not taken; beyond it, the
                                        // connection with most of them, if more than a MiB, is closed
  size_t connections_max = 10'000;      // further ones are closed at once; server_loop.h says how they are shared
  Duration half_frame_timeout = std::chrono::seconds(30);  // from a frame's first byte to its last; of a handshake
  Duration unread_timeout = std::chrono::seconds(30);      // replies wait and the client takes not one byte
  std::shared_ptr<security::TlsCredentials> tls;           // null: in the clear
  std::shared_ptr<CallWindow> user_calls;                  // requests of one user beside others; null: one of its own
  bool password_logins =
      false;  // with TLS: a client without a certificate may connect, and log in before half_frame_timeout
};

// Sums since the start, and gauges; for metrics.
struct ServerStats {
  uint64_t requests = 0;
  uint64_t in_flight = 0;
  uint64_t connections = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  // over connections_max
  uint64_t connections_broken = 0;   // closed for what they sent, or for not reading
  uint64_t denied = 0;               // calls, for lack of permission
  uint64_t limited = 0;              // calls, over a user's or a table's limits
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
};

class RpcServer {
 public:
  // The dispatcher and the loops (started, at least one) outlive the server; handlers may answer after it has gone.
  RpcServer(ServerOptions options, const Dispatcher& dispatcher, std::vector<EventLoop*> loops);
  ~RpcServer();  // Stop(Duration{0})
  RpcServer(const RpcServer&) = delete;
  RpcServer& operator=(const RpcServer&) = delete;

  // UNAVAILABLE, naming the address, when it cannot listen there.
  Status Start();
  // The listening address, with the port that the system picked.
  const Endpoint& address() const;
  // Accepts and reads nothing more, lets what is in flight finish for at most `patience`, closes everything. Blocks.
  void Stop(Duration patience);

  ServerStats Stats() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ebla::rpc
