// gateway/redis/connections/session.h
// The name and settings of one connection, and the commands that are answered from these alone: HELLO, CLIENT, CONFIG,
// PING and the like.
// Place:   redis_protocol.h makes one for each connection, and asks it before the store.
// Source:  Redis 7.0's documentation of each command, whose replies and errors these are.
// Threads: the connection's loop.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gateway/redis/commands/command_table.h"
#include "gateway/redis/connections/clients.h"
#include "gateway/redis/connections/options.h"

namespace ebla::gateway::redis {

class NumberedTables;
struct Shared;

inline constexpr std::string_view kWrongPassword = "WRONGPASS invalid username-password pair or user is disabled.";

bool IsClientName(std::string_view name);

class Session {
 public:
  Session(const Shared& shared, std::string address, std::weak_ptr<Sink> sink);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  int protocol() const { return line_.protocol; }
  const std::string& database() const { return line_.database; }
  void set_database(std::string database) {
    line_.database = std::move(database);
    clients_->Put(line_);
  }
  // Notes a login, to which the reply is OK.
  void set_user(std::string user) {
    line_.user = std::move(user);
    line_.owner = line_.user;
    logged_in_ = true;
    clients_->Put(line_);
  }
  // The user, or "" for all connections without a login. Scripts, slow commands and connections are visible to their
  // own user alone.
  const std::string& owner() const { return line_.owner; }
  void set_listening(size_t channels, size_t patterns, size_t shards) {
    line_.channels = channels;
    line_.patterns = patterns;
    line_.shards = shards;
    clients_->Put(line_);
  }
  // The commands queued since MULTI; negative: no MULTI. Updated as commands are cut.
  void set_queue(int64_t commands, size_t bytes) {
    queue_->commands.store(commands, std::memory_order_relaxed);
    queue_->bytes.store(bytes, std::memory_order_relaxed);
  }
  int64_t id() const { return line_.id; }
  // Whether replies are sent to requests that never run: those that are no command, or only queued.
  bool TakesReply() { return sends_ = !std::exchange(skip_next_, false) && replies_; }
  // The connection's levels, or the table's, unless it has set its own.
  const ConnectionOptions& options() const { return options_; }

  // Called before each command is answered, with the time of its start. Returns whether its reply is sent, because
  // CLIENT REPLY may suppress it.
  bool Begin(const CommandInfo& command, const Words& words, std::chrono::steady_clock::time_point now);
  // The same after the command has run, because CLIENT REPLY and RESET may have changed it.
  bool sends() const { return sends_; }
  // After its own CLIENT KILL, whose reply is the connection's last.
  bool killed() const { return killed_; }
  // The reply to a command that takes so many words; none: the command needs a store.
  std::optional<std::string> Answer(const CommandInfo& command, const Words& words);

 private:
  void Auth(const Words& words, Reply& reply);
  void Hello(const Words& words, Reply& reply);
  void Client(const Words& words, Reply& reply);
  void ClientSettings(const std::string& what, const Words& words, Reply& reply);
  void ClientReply(const Words& words, Reply& reply);
  bool SetName(const std::string& name, Reply& reply);
  void Config(const Words& words, Reply& reply);
  void ConfigSet(const Words& words, Reply& reply);
  SharedOptions OptionsOfAll() const;
  // A change of the slow log, which all connections share.
  struct SlowLogChange {
    std::optional<int64_t> slower_than_micros, most;
  };
  // Empty if the option can be set, else the error; none: no such option is shared.
  std::optional<std::string> TakeShared(const std::string& name, const std::string& value, SlowLogChange& change) const;
  void Reset();

  const std::shared_ptr<Clients> clients_;
  const std::shared_ptr<const NumberedTables> tables_;  // null: unknown
  const std::shared_ptr<ShownQueue> queue_ = std::make_shared<ShownQueue>();
  ClientLine line_;
  const ConnectionOptions first_options_;  // those of a new connection
  ConnectionOptions options_ = first_options_;
  bool logged_in_ = false;
  bool replies_ = true;
  bool skip_next_ = false;
  bool sends_ = true;  // the reply to the command that runs
  bool killed_ = false;
};

// Commands whose answer is the same for every caller: PING, ECHO, TIME, COMMAND, LOLWUT. None: another command.
std::optional<std::string> AnswerAnywhere(const CommandInfo& command, const Words& words, int protocol);

}  // namespace ebla::gateway::redis
