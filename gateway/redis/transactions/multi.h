// gateway/redis/transactions/multi.h
// The commands that a connection has queued between MULTI and EXEC, and how EXEC runs them.
// Place:   redis_protocol.h queues commands when it cuts them; RunQueued is EXEC.
// Errors:  CROSSSLOT: keys of several groups, if all must be of one. A refused command breaks its queue, and EXEC then
//          answers EXECABORT without an effect.
// Source:  Redis 7.0's documentation of transactions, and of hash tags in Redis Cluster.
// Threads: MultiQueue: the connection's loop. RunQueued: any, as transaction.h says.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "gateway/redis/connections/options.h"
#include "gateway/redis/transactions/transaction.h"

namespace ebla::gateway::redis {

inline constexpr std::string_view kCrossSlot =
    "CROSSSLOT Keys in request don't hash to the same slot: give them one {tag}";

// The group of all these keys; none: they are of several groups, or there are none.
std::optional<std::string> OneGroupOf(const std::vector<std::string>& keys);

class MultiQueue {
 public:
  static constexpr size_t kBytesMax = 64 << 20;
  static constexpr size_t kCommandsMax = 100'000;

  bool open() const { return open_; }
  bool broken() const { return broken_; }
  void Open() { open_ = true; }
  // A command was refused, so none of the queue will run.
  void Break();
  // Empty: the command is queued. Else the error.
  std::string_view Add(const CommandInfo& command, Words& words);
  // Returns all commands, and closes the queue.
  std::vector<QueuedCommand> Close();
  size_t size() const { return commands_.size(); }
  size_t held_bytes() const { return bytes_; }

 private:
  bool open_ = false;
  bool broken_ = false;
  std::vector<QueuedCommand> commands_;
  size_t bytes_ = 0;
};

struct QueuedRun {
  StoreContext context;
  Transactions transactions = Transactions::kOneGroup;
  std::vector<QueuedCommand> commands;
  std::vector<WatchedKey> watched;
  // Answers a command that needs no store; called on the context's executor.
  std::move_only_function<std::string(const QueuedCommand& command)> answer;
  std::move_only_function<void(std::string reply)> done;
};

// Runs commands of one group together. With Transactions::kEachGroup each group's commands are a transaction, whose
// failure is the reply of its commands alone. Commands without keys, such as DBSIZE, run after the transactions.
void RunQueued(QueuedRun run);

}  // namespace ebla::gateway::redis
