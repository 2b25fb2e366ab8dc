// common/testing/tcp_proxy.h
// A wire that a test can cut: forwards connections from a port of its own to another port of 127.0.0.1.
// Threads: one of its own; members from any.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace ebla::testing {

class TcpProxy {
 public:
  explicit TcpProxy(uint16_t target);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  void Cut();   // every connection breaks, and new ones are refused by closing them
  void Mend();  // until now

 private:
  void Run();
  void Wake();

  const uint16_t target_;
  uint16_t port_ = 0;
  int listener_ = -1;
  int wake_[2] = {-1, -1};
  std::atomic<bool> cut_{false};
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace ebla::testing
