// gateway/redis/pubsub/peer_client.h
// One gateway's connection to another, over which it sends messages. It speaks Redis's protocol, like a client.
// Belief:  any user with a grant to write the table may have written the record of the address. So only a greeting is
//          sent before the peer has answered; over TLS not even this, unless the peer shows a gateway's certificate
//          that names the address. This gateway's password is sent to such a peer alone, on whatever machine.
// States:  connecting, with TLS if the gateways have it; greeting, until the peer has answered to its name; up; gone.
// Bounds:  kPatience until it is up, and for each answer; then it is gone. Its owner makes another one, and bounds what
//          all clients hold.
// Threads: the loop's.
#pragma once

#include <event2/event.h>
#include <event2/event_struct.h>

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "common/rpc/channel.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/stream.h"
#include "common/security/tls.h"
#include "gateway/redis/logins/logins.h"

namespace ebla::gateway::redis {

class PeerClient : public rpc::EventLoop::TurnEndHook, public std::enable_shared_from_this<PeerClient> {
 public:
  static constexpr std::chrono::seconds kPatience{1};

  // Gets the number of subscribers that the peer has reached; 0 if it is unknown.
  using Done = std::move_only_function<void(int64_t subscribers)>;

  // `endpoint`: numeric.
  PeerClient(rpc::EventLoop& loop, rpc::Endpoint endpoint, std::shared_ptr<security::TlsCredentials> tls,
             rpc::ReadBuffers& buffers);
  ~PeerClient();

  struct Greeting {
    std::string own;    // this gateway's address for the peer
    Credentials login;  // without a user, or without TLS, it does not log in
  };
  // `starting` is held until it is up or gone.
  void Start(Greeting greeting, std::shared_ptr<void> starting);
  // Drops the request unless the client is up.
  void Send(std::string_view request, Done done);
  // Answers waiting calls with 0.
  void Close();
  void Fail(const std::string& why);
  bool gone() const { return fd_ < 0; }
  bool up() const { return up_; }
  // For requests that are not sent or not answered yet.
  size_t held_bytes() const { return out_.size() + waiting_.size() * sizeof(Waiting); }
  void OnTurnEnd() override { Flush(); }

 private:
  struct Waiting {
    MonotonicTime until;
    Done done;  // null: no caller waits
  };

  Status Connect();
  void Greet();
  void Say(std::string_view request, Done done);
  void OnWritable();
  void OnReadable();
  void Take(std::string_view bytes);
  void Flush();
  void Watch();

  rpc::EventLoop& loop_;
  const rpc::Endpoint endpoint_;
  const std::shared_ptr<security::TlsCredentials> tls_;
  rpc::ReadBuffers& buffers_;
  int fd_ = -1;
  std::optional<rpc::Stream> stream_;
  event read_event_;
  event write_event_;
  Greeting greeting_;
  std::shared_ptr<void> starting_;
  bool connected_ = false;
  bool up_ = false;
  std::string in_, out_;
  std::deque<Waiting> waiting_;  // in the order of their answers
};

}  // namespace ebla::gateway::redis
