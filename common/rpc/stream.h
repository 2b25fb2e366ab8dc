// common/rpc/stream.h
// The bytes of one connected socket, in the clear or through TLS. Internal to common/rpc.
// Place:   connection.h and accepted_connection.h read and write by it; when to do so is theirs.
// Errors:  UNAVAILABLE, for people, when the connection has broken or the peer is refused.
// Threads: its connection's.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "common/security/tls.h"

namespace ebla::rpc {

// Memory that the streams of a loop share while they read.
struct ReadBuffers {
  std::vector<char> socket;  // what one read takes at most
  std::string plain;
};

class Stream {
 public:
  // The non-blocking socket stays its owner's. Without `tls`, in the clear.
  explicit Stream(int fd, std::unique_ptr<security::TlsSession> tls = nullptr) : fd_(fd), tls_(std::move(tls)) {}

  // Begins the handshake, of the side that connected.
  Status Start();
  // The received bytes, in `buffers`, empty if none has arrived. No value: the peer has ended the connection.
  Result<std::optional<std::string_view>> Receive(ReadBuffers& buffers);
  // How much of `bytes` has been taken; the caller keeps the rest. With none, sends what is pending.
  Result<size_t> Send(std::string_view bytes);

  // Taken, and not yet sent: Send() again when the socket can be written.
  size_t pending() const { return wire_.size() - wire_sent_; }
  void DropPending() {
    wire_.clear();
    wire_sent_ = 0;
  }
  // The peer has authenticated itself, so bytes may be sent to it.
  bool established() const { return tls_ == nullptr || tls_->established(); }
  // Once it is established.
  security::Identity peer() const { return tls_ == nullptr ? security::Identity{} : tls_->peer(); }
  bool secure() const { return tls_ != nullptr; }

 private:
  Result<size_t> SendToSocket(std::string_view bytes) const;
  Status SendPending();

  int fd_;
  std::unique_ptr<security::TlsSession> tls_;
  std::string wire_;  // encrypted
  size_t wire_sent_ = 0;
};

}  // namespace ebla::rpc
