// common/rpc/socket.h
// Sockets and their addresses, without names to be resolved. Internal to common/rpc.
// Threads: functions.
#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <optional>
#include <string>

#include "common/base/status.h"
#include "common/rpc/channel.h"

namespace ebla::rpc {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  // No value when the host is a name.
  static std::optional<SocketAddress> FromNumeric(const Endpoint& endpoint);
  Endpoint ToEndpoint() const;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
};

// A listening, non-blocking socket. UNAVAILABLE, naming the address and what to do, when that fails.
Result<int> Listen(const Endpoint& endpoint);
// A non-blocking socket that connects, or has already; UNAVAILABLE with the cause if it cannot. Once it can be written,
// ConnectOutcome returns the error, or OK.
Result<int> StartConnecting(const SocketAddress& address);
Status ConnectOutcome(int fd);
Result<Endpoint> LocalAddress(int fd);
void SetNoDelay(int fd);

}  // namespace ebla::rpc
