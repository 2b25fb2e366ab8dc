// gateway/redis/requests/exec_command.h
// EXEC: runs what its connection has queued (multi.h).
// Threads: as in connection_command.h.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gateway/redis/requests/connection_command.h"
#include "gateway/redis/transactions/multi.h"

namespace ebla::gateway::redis {

class ExecCommand final : public ConnectionCommand {
 public:
  // `abort`: the error, if the transaction must not run.
  ExecCommand(ConnectionState& state, const CommandInfo& command, std::vector<QueuedCommand> commands, size_t bytes,
              std::string abort)
      : ConnectionCommand(state, command, {"EXEC"}), commands_(std::move(commands)), abort_(std::move(abort)) {
    bytes_ = bytes;
  }

  void Run() override;

 private:
  std::vector<QueuedCommand> commands_;
  const std::string abort_;
  QueuedRun run_;
};

}  // namespace ebla::gateway::redis
