// tests/chaos/gateways/connection.h
// One client's connection to any gateway that serves it: if a gateway is gone or silent, the client connects to the
// next. It repeats nothing by itself, because a request without an answer may have been executed.
// Errors:  UNAVAILABLE: nothing was sent, so nothing has happened. UNKNOWN_OUTCOME: sent, and not wholly answered.
//          After both the connection is closed.
// Threads: thread-compatible.
#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/status.h"
#include "tests/chaos/gateways/gateways.h"

namespace ebla::chaos {

struct ConnectionOptions {
  int GatewayListeners::* listener = &GatewayListeners::redis;
  size_t first = 0;                           // the gateway that it tries first
  std::chrono::milliseconds patience{1'000};  // for an answer
};

class Connection {
 public:
  // How many of the bytes are one answer; none: it is not whole yet.
  using AnswerLength = std::function<std::optional<size_t>(std::string_view)>;

  Connection(const Gateways& gateways, ConnectionOptions options, AnswerLength length);
  ~Connection() { Close(); }
  Connection(const Connection&) = delete;

  bool open() const { return fd_ >= 0; }
  // Connects, if it has no connection, to the next gateway that accepts it.
  Status Open();
  void Close();
  // Sends these bytes, and waits for so many answers.
  Result<std::vector<std::string>> Exchange(const std::string& bytes, size_t answers);
  // The same; `answered` has the answers that arrived, also after an error.
  Status Exchange(const std::string& bytes, size_t answers, std::vector<std::string>& answered);

 private:
  bool Await(short events, std::chrono::steady_clock::time_point until) const;
  bool Send(std::string_view bytes, std::chrono::steady_clock::time_point until);
  bool Receive(std::chrono::steady_clock::time_point until);

  const Gateways& gateways_;
  const ConnectionOptions options_;
  const AnswerLength length_;
  size_t gateway_;
  int fd_ = -1;
  std::string received_;
};

}  // namespace ebla::chaos
