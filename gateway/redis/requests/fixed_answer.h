// gateway/redis/requests/fixed_answer.h
// A request with a known reply: one that is no valid command, and one that is only queued.
// Threads: the connection's loop.
#pragma once

#include <string>
#include <utility>

#include "gateway/redis/requests/connection_command.h"

namespace ebla::gateway::redis {

class FixedAnswer final : public Command {
 public:
  enum class To : uint8_t {
    kCommand,  // which a subscriber may not send
    kRefused,  // an invalid command, which is checked before that
    kBroken,   // no request: the connection ends, too
  };
  FixedAnswer(ConnectionState& state, size_t kind, redis::Reply& reply, To to)
      : state_(state), kind_(kind), bytes_(reply.Take()), to_(to) {}

  size_t kind() const override { return kind_; }
  bool ends_connection() const override { return to_ == To::kBroken; }
  // Earlier commands decide whether this reply is sent (CLIENT REPLY).
  bool alone() const override { return true; }
  void Run() override;

 private:
  ConnectionState& state_;
  const size_t kind_;
  std::string bytes_;
  const To to_;
};

}  // namespace ebla::gateway::redis
