// gateway/redis/redis_protocol.h
// Redis's protocol before the tables of a cluster.
// Place:      the server makes one for each connection (gateway/server/protocol.h). This cuts requests off the bytes and
//             queues what is of a transaction; single_command.h and exec_command.h are the commands, which ask the session
//             first, then the store of the database that is selected.
// Order:      commands without keys that read or change the database, and those that change the connection, run alone;
//             so a pipeline sees what it has done. Commands of different keys run at the same time. What belongs to a
//             transaction is queued as it is cut, in the order in which it came. Nothing is cut while a login is under
//             way, as it decides how much may be said, and whether anything is served.
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

// Of statistics: each command, those of Redis that are not served, and "unknown".
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
  // `abort`: why nothing of it is done; empty: it is done.
  std::unique_ptr<Command> MakeExec(const CommandInfo& command, std::string abort);
  std::unique_ptr<Command> Fixed(const CommandInfo& command, redis::Reply& reply);
  // What is refused breaks the transaction that it was to be part of.
  std::unique_ptr<Command> Refuse(std::string_view name, std::string_view text);

  ConnectionState state_;
  MultiQueue queue_;
  RequestReader reader_{{.string_bytes_max = kStringBytesMax + kDumpFrameBytesMax}};
};

}  // namespace ebla::gateway::redis
