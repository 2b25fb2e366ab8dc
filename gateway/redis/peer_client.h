// One gateway's connection to another, over which it brings messages: it speaks Redis's protocol as a client does.
// States:  connecting, with TLS where the gateways have it; greeting, until the other one has answered to its name; up; gone.
//          What is sent before it is up goes out then, and nobody waits for an answer to it.
// Bounds:  kUnsentMax bytes unsent, and kPatience without an answer that is waited for: then it is gone. Whoever has it makes
//          another one.
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

namespace ebla::gateway::redis {

class PeerClient : public rpc::EventLoop::TurnEndHook, public std::enable_shared_from_this<PeerClient> {
 public:
  static constexpr size_t kUnsentMax = 64 << 20;
  static constexpr std::chrono::seconds kPatience{1};

  // How many the other one has brought it to; 0 also where that is not known.
  using Done = std::move_only_function<void(int64_t listeners)>;

  PeerClient(rpc::EventLoop& loop, rpc::Endpoint endpoint, std::shared_ptr<security::TlsCredentials> tls,
             rpc::ReadBuffers& buffers);
  ~PeerClient();

  // `own`: where the other one reaches this gateway. `user` empty: it does not log in.
  void Start(const std::string& own, const std::string& user, const std::string& password);
  void Send(std::string_view request, Done done);
  // Whoever waits is told 0.
  void Close();
  bool gone() const { return fd_ < 0; }
  bool up() const { return up_; }
  void OnTurnEnd() override { Flush(); }

 private:
  struct Waiting {
    MonotonicTime until;
    Done done;  // null: nobody waits
  };

  Status Connect();
  void OnWritable();
  void OnReadable();
  void Take(std::string_view bytes);
  void Flush();
  void Fail(const std::string& why);
  void Watch();

  rpc::EventLoop& loop_;
  const rpc::Endpoint endpoint_;
  const std::shared_ptr<security::TlsCredentials> tls_;
  rpc::ReadBuffers& buffers_;
  int fd_ = -1;
  std::optional<rpc::Stream> stream_;
  event read_event_;
  event write_event_;
  bool connected_ = false;
  bool up_ = false;
  std::string in_, out_;
  std::deque<Waiting> waiting_;  // in the order of their answers
};

}  // namespace ebla::gateway::redis
