// gateway/redis/transactions/transaction.h
// Commands on keys of one group, as if nobody else did anything meanwhile: all of what they write takes effect, or nothing.
// How:     They run on what was read of their keys (gateway/store/transaction_view.h), and what they write is committed if
//          all that is still the same. Who loses a race begins anew, until the deadline. So transactions are serializable;
//          what a crash cuts has happened or not.
// Errors:  Of the store, after which nothing has happened, but for UNKNOWN_OUTCOME; DEADLINE_EXCEEDED when others were
//          faster every time. An error that a command answers with is its reply, and no failure.
// Threads: any, one after the other; `done` is called once, on any thread, perhaps within the call.
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

// What commands of a transaction do beside what they write.
struct Effects {
  struct Message {
    ChannelKind kind;
    std::string channel, text;
  };
  std::vector<Message> messages;  // to be published once it is committed
  size_t message_bytes = 0;
  Status failure;  // a command cannot be done as a part of it: nothing happens
};

struct Transaction {
  StoreContext context;
  std::vector<std::string> keys;  // that the body reads
  std::vector<WatchedKey> watched;
  // Runs what there is to do on the view of the keys; an error ends the transaction. May be called several times.
  using BodyDone = std::move_only_function<void(const Status&)>;
  std::move_only_function<void(std::shared_ptr<TransactionView>, BodyDone)> body;
  // False: nothing has happened, as a watched key is not as it was.
  Callback<Result<bool>> done;
};

void RunTransaction(Transaction transaction);

struct QueuedCommand {
  const CommandInfo* command = nullptr;
  std::shared_ptr<const Words> words;
};

// Of one transaction's commands together, or of all that are one answer: more is OVERLOADED.
inline constexpr size_t kRepliesBytesMax = 64 << 20;

// Each command's reply; none: a watched key is not as it was.
using Replies = std::optional<std::vector<std::string>>;

// One after the other, as one transaction. All of their keys are of one group. With a script among them they run on a
// thread for scripts.
void RunTogether(StoreContext context, std::vector<QueuedCommand> commands, std::vector<WatchedKey> watched,
                 Callback<Result<Replies>> done);

}  // namespace ebla::gateway::redis
