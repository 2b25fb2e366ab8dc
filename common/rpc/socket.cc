#include "common/rpc/socket.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/base/system_error.h"

namespace ebla::rpc {

std::optional<SocketAddress> SocketAddress::FromNumeric(const Endpoint& endpoint) {
  SocketAddress address;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, endpoint.host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    address.size = sizeof(sockaddr_in);
  } else if (inet_pton(AF_INET6, endpoint.host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    address.size = sizeof(sockaddr_in6);
  } else {
    return std::nullopt;
  }
  return address;
}

Endpoint SocketAddress::ToEndpoint() const {
  char text[INET6_ADDRSTRLEN] = "";
  if (storage.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(storage);
    inet_ntop(AF_INET6, &v6.sin6_addr, text, sizeof(text));
    return {text, ntohs(v6.sin6_port)};
  }
  const auto& v4 = reinterpret_cast<const sockaddr_in&>(storage);
  inet_ntop(AF_INET, &v4.sin_addr, text, sizeof(text));
  return {text, ntohs(v4.sin_port)};
}

Result<int> Listen(const Endpoint& endpoint) {
  const auto fail = [&](const char* what) {
    const std::string advice = errno == EADDRINUSE ? " (another process listens there: choose another port)" : "";
    return Error(Code::kUnavailable,
                 "cannot listen on " + endpoint.ToString() + ": " + what + ": " + std::strerror(errno) + advice);
  };
  Endpoint numeric = endpoint;
  if (numeric.host == "localhost") numeric.host = "127.0.0.1";
  const std::optional<SocketAddress> address = SocketAddress::FromNumeric(numeric);
  if (!address.has_value()) {
    return Error(Code::kInvalidArgument,
                 "cannot listen on " + endpoint.ToString() + ": give a numeric address, such as 127.0.0.1 or 0.0.0.0");
  }
  const int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail("socket");
  const int one = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
  const char* failed = bind(fd, address->get(), address->size) != 0 ? "bind"
                       : listen(fd, 1024) != 0                      ? "listen"
                                                                    : nullptr;
  if (failed != nullptr) {
    Error error = fail(failed);
    close(fd);
    return error;
  }
  return fd;
}

Result<int> StartConnecting(const SocketAddress& address) {
  const int fd = socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return Error(Code::kUnavailable, std::strerror(errno));
  if (connect(fd, address.get(), address.size) != 0 && errno != EINPROGRESS && errno != EINTR) {
    Error error(Code::kUnavailable, std::strerror(errno));
    close(fd);
    return error;
  }
  SetNoDelay(fd);
  return fd;
}

Status ConnectOutcome(int fd) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return error == 0 ? Status() : Status(Code::kUnavailable, std::strerror(error));
}

Result<Endpoint> LocalAddress(int fd) {
  SocketAddress address;
  address.size = sizeof(address.storage);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.size) != 0) {
    return SystemError(Code::kUnavailable, "getsockname");
  }
  return address.ToEndpoint();
}

void SetNoDelay(int fd) {
  const int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

}  // namespace ebla::rpc
