// gateway/redis/redis_protocol.h
// Redis's protocol before the tables of a cluster.
// Place:      the server makes one for each connection (gateway/server/protocol.h). It cuts requests off the bytes, and
//             queues the commands of a transaction. single_command.h and exec_command.h are the commands, which ask the
//             session first, then the store of the selected database.
// Order:      commands without keys that read or change the database, and commands that change the connection, run
//             alone, so that a pipeline sees its own effects. Commands of different keys run at the same time. Commands
//             of a transaction are queued when they are cut. A login holds the input, because it decides how long a
//             request may be, and whether anything is served.
// Threads:    its connection's loop.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/executor.h"
#include "functions/redis/keys/dump_format.h"
#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/transactions/multi.h"
#include "gateway/redis/wire/request_reader.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway::redis {

// The kinds for statistics: each command, the commands of Redis that are not served, and "unknown".
std::vector<std::string> CommandNames();

class RedisProtocol final : public Protocol {
 public:
  RedisProtocol(std::shared_ptr<const Shared> shared, Executor& executor, const std::string& address,
                std::weak_ptr<Sink> sink);

  Taken Take(std::string_view bytes) override;
  void OnClosed() override;
  size_t begun_bytes() const override { return reader_.held_bytes(); }
  size_t held_bytes() const override;
  const std::string* user() const override {
    return state_.shared->databases == nullptr ? &state_.session.owner() : nullptr;
  }

 private:
  std::unique_ptr<Command> Make(Request request);
  std::unique_ptr<Command> MakeTransaction(const CommandInfo& command);
  // `abort`: the error of a transaction that must not run; empty: it runs.
  std::unique_ptr<Command> MakeExec(const CommandInfo& command, std::string abort);
  std::unique_ptr<Command> Fixed(const CommandInfo& command, redis::Reply& reply);
  // A refused command breaks the transaction that it was to join.
  std::unique_ptr<Command> Refuse(std::string_view name, std::string_view text);

  ConnectionState state_;
  MultiQueue queue_;
  RequestReader reader_{{.string_bytes_max = kStringBytesMax + kDumpFrameBytesMax}};
};

}  // namespace ebla::gateway::redis
