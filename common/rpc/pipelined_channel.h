// common/rpc/pipelined_channel.h
// The production network: channels over TCP that keep many calls in flight on one connection, write all calls of a loop
// turn in one system call, and match replies by sequence id.
// Place:      implements channel.h (whose error semantics it keeps) on an EventLoop; stubs.h lays services over it.
// Invariants: 1. One connection per (endpoint, executor) and connector; Connect with equal ones shares it.
//             2. A reply is never given to another call: the id of a call that timed out stays taken until its reply
//                has come or the connection has gone.
//             3. After a failed attempt to connect, calls fail at once with UNAVAILABLE until the backoff (jittered,
//                doubling up to reconnect_max) has passed; the first call after that connects anew.
//             4. Calls already in flight keep a channel alive after its last owner has let go of it, while its loop
//                runs; let go of once the loop has stopped, it destroys their callbacks unrun.
// Threads:    Connect and Call from any thread. The connector outlives no loop: stop the loop, or destroy it, after.
#pragma once

#include <memory>

#include "common/rpc/channel.h"
#include "common/rpc/event_loop.h"
#include "common/security/scram.h"
#include "common/security/tls.h"

namespace ebla::rpc {

struct ChannelOptions {
  size_t frame_bytes_max = 64 << 20;  // replies above this break the connection
  size_t in_flight_max = 16'384;      // calls per channel; beyond: OVERLOADED, not sent
  size_t unsent_bytes_max = 64 << 20;
  Duration connect_timeout = std::chrono::seconds(3);
  Duration reconnect_min = std::chrono::milliseconds(20);
  Duration reconnect_max = std::chrono::seconds(1);
  Duration silence_max = std::chrono::seconds(5);  // a call timed out and no byte arrived for so long: reconnect
  std::shared_ptr<security::TlsCredentials> tls;   // null: in the clear
  std::shared_ptr<const security::ScramCredentials> login;  // null: by its certificate, or not at all
};

class PipelinedConnector final : public Connector {
 public:
  // Sockets live on `loop`. Replies run on the executor given to Connect: free of cost when that is `loop` itself.
  explicit PipelinedConnector(EventLoop& loop, ChannelOptions options = {});
  ~PipelinedConnector() override;

  std::shared_ptr<Channel> Connect(const Endpoint& endpoint, Executor& executor) override;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace ebla::rpc
