// gateway/redis/transactions/transaction.h
// Runs commands on keys of one group as if no other client did anything meanwhile: all of their writes take effect, or
// none.
// How:     the commands run on the values that were read of their keys (gateway/store/transaction_view.h). Their writes
//          are committed if these values are unchanged. After a lost race the transaction starts again, until the
//          deadline. So transactions are serializable. A crash leaves all of a transaction or nothing.
// Errors:  those of the store, after which nothing has changed, except after UNKNOWN_OUTCOME; DEADLINE_EXCEEDED: other
//          writers won every race. An error in a command's reply is no failure.
// Threads: any, never two at once; `done` is called once, on any thread, perhaps within the call.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gateway/redis/commands/store_commands.h"
#include "gateway/redis/connections/watched_key.h"
#include "gateway/redis/pubsub/channels.h"
#include "gateway/store/transaction_view.h"

namespace ebla::gateway::redis {

// The effects of a transaction's commands besides their writes.
struct Effects {
  struct Message {
    ChannelKind kind;
    std::string channel, text;
  };
  std::vector<Message> messages;  // published once the transaction is committed
  size_t message_bytes = 0;
  Status failure;  // a command that cannot be part of a transaction, which then has no effect
};

struct Transaction {
  StoreContext context;
  std::vector<std::string> keys;  // of the transaction
  std::vector<WatchedKey> watched;
  // Runs the commands on the view of the keys. An error ends the transaction. May be called several times.
  using BodyDone = std::move_only_function<void(const Status&)>;
  std::move_only_function<void(std::shared_ptr<TransactionView>, BodyDone)> body;
  // False: nothing has changed, because a watched key has.
  Callback<Result<bool>> done;
};

void RunTransaction(Transaction transaction);

struct QueuedCommand {
  const CommandInfo* command = nullptr;
  std::shared_ptr<const Words> words;
};

// The bytes of replies of one transaction, or of all transactions of one answer; more is OVERLOADED.
inline constexpr size_t kRepliesBytesMax = 64 << 20;

// The commands' replies; none: a watched key has changed.
using Replies = std::optional<std::vector<std::string>>;

// Runs commands in turn, as one transaction. All of their keys are of one group. With a script among them they run on a
// thread for scripts.
void RunTogether(StoreContext context, std::vector<QueuedCommand> commands, std::vector<WatchedKey> watched,
                 Callback<Result<Replies>> done);

}  // namespace ebla::gateway::redis
