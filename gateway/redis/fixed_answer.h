// Its answer is known: of what is no command or cannot be one, and of what is only queued.
// Threads: the connection's loop.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/redis/connection_command.h"

namespace ebla::gateway::redis {

class FixedAnswer final : public Command {
 public:
  // `command`: null where it is none. `ends`: the connection, too.
  FixedAnswer(std::shared_ptr<ConnectionState> state, const CommandInfo* command, redis::Reply& reply,
              bool ends = false)
      : state_(std::move(state)), command_(command), bytes_(reply.Take()), ends_(ends) {}

  size_t kind() const override { return KindOf(command_); }
  const std::vector<std::string>& keys() const override { return keys_; }
  bool ends_connection() const override { return ends_; }
  // What a connection may have said of replies, others before it have said.
  bool alone() const override { return true; }
  void Run(Done done) override;

 private:
  const std::shared_ptr<ConnectionState> state_;
  const CommandInfo* const command_;
  std::string bytes_;
  const bool ends_;
  const std::vector<std::string> keys_;
};

}  // namespace ebla::gateway::redis
