// gateway/testing/socket_client.h
// A client of a server over a real socket, for tests: sends bytes, and reads as many as are expected.
// Threads: one may send while another reads.
#pragma once

#include <gtest/gtest.h>
#include <sys/socket.h>

#include <string>
#include <string_view>

#include "common/base/descriptor.h"
#include "common/rpc/socket.h"

namespace ebla::gateway {

class SocketClient {
 public:
  explicit SocketClient(const rpc::Endpoint& server) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto address = rpc::SocketAddress::FromNumeric(server);
    const timeval limit{.tv_sec = 20, .tv_usec = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    setsockopt(fd_.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    EXPECT_EQ(connect(fd_.get(), address->get(), address->size), 0);
  }
  void Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // The next so many bytes; fewer if the connection ends, or none arrives for 20 s.
  std::string Read(size_t size) {
    std::string text(size, 0);
    size_t got = 0;
    while (got < size) {
      const ssize_t more = recv(fd_.get(), text.data() + got, size - got, 0);
      if (more <= 0) break;
      got += static_cast<size_t>(more);
    }
    text.resize(got);
    return text;
  }
  void EndSending() { shutdown(fd_.get(), SHUT_WR); }
  void ResetOnClose() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(fd_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  bool Ended() {
    char byte;
    return recv(fd_.get(), &byte, 1, 0) == 0;
  }

 private:
  Descriptor fd_;
};

}  // namespace ebla::gateway
