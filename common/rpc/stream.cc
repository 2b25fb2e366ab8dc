#include "common/rpc/stream.h"

#include <sys/socket.h>

#include <cerrno>

#include "common/base/system_error.h"
#include "common/rpc/buffer.h"

namespace ebla::rpc {
namespace {

constexpr size_t kEncryptedBytesMax = 256 * 1024;  // at a time
constexpr size_t kWireRetainedMax = 64 * 1024;

}  // namespace

Result<size_t> Stream::SendToSocket(std::string_view bytes) const {
  const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EAGAIN || errno == EINTR) return size_t{0};
  return SystemError(Code::kUnavailable, "send");
}

Status Stream::SendPending() {
  if (pending() == 0) return {};
  EBLA_ASSIGN(const size_t sent, SendToSocket(std::string_view(wire_).substr(wire_sent_)));
  wire_sent_ += sent;
  if (pending() > 0) return {};
  ClearBuffer(wire_, kWireRetainedMax);
  wire_sent_ = 0;
  return {};
}

Status Stream::Start() {
  if (tls_ == nullptr) return {};
  EBLA_TRY(tls_->Start(wire_));
  return SendPending();
}

Result<std::optional<std::string_view>> Stream::Receive(ReadBuffers& buffers) {
  const ssize_t got = recv(fd_, buffers.socket.data(), buffers.socket.size(), 0);
  if (got < 0) {
    if (errno == EAGAIN || errno == EINTR) return std::string_view();
    return SystemError(Code::kUnavailable, "recv");
  }
  if (got == 0) return std::nullopt;
  const std::string_view bytes(buffers.socket.data(), static_cast<size_t>(got));
  if (tls_ == nullptr) return bytes;
  buffers.plain.clear();
  const Status received = tls_->Receive(bytes, buffers.plain, wire_);
  const Status sent = SendPending();  // an alert tells why the peer is refused
  EBLA_TRY(received);
  EBLA_TRY(sent);
  if (buffers.plain.empty() && tls_->ended()) return std::nullopt;
  return buffers.plain;
}

Result<size_t> Stream::Send(std::string_view bytes) {
  if (tls_ == nullptr) return SendToSocket(bytes);
  EBLA_TRY(SendPending());
  if (pending() > 0 || !established()) return size_t{0};
  bytes = bytes.substr(0, kEncryptedBytesMax);
  EBLA_TRY(tls_->Send(bytes, wire_));
  EBLA_TRY(SendPending());
  return bytes.size();
}

}  // namespace ebla::rpc
