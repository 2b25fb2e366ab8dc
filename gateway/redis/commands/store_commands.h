// gateway/redis/commands/store_commands.h
// Runs the commands that need the store. A command of one key is a function of its value (update.h), which the key's
// server applies (gateway/store/apply_function.h). Some commands are a single read, put or increment of the store.
// Atomic:  what a command does to one key. A command of several keys is atomic only for each key.
// Threads: any; `done` is called once, on any thread, perhaps within the call.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "common/base/executor.h"
#include "gateway/redis/commands/command_table.h"
#include "gateway/store/store.h"

namespace ebla::gateway::redis {

class Databases;
struct Effects;
struct Shared;

// The connection for which commands run, while its user stays the same.
struct Caller {
  std::shared_ptr<const Shared> shared;           // with all connections: connection_state.h
  std::shared_ptr<Databases> databases;           // which channels may be used; null: all
  std::string owner;                              // session.h
  Executor* executor = nullptr;                   // for pauses; outlives the calls
  std::shared_ptr<const std::atomic<bool>> gone;  // no client waits any more
};

// The place of a command's run, and its caller.
struct StoreContext {
  const Shared& shared() const { return *caller->shared; }
  Databases* databases() const { return caller->databases.get(); }
  const std::string& owner() const { return caller->owner; }
  Executor& executor() const { return *caller->executor; }
  bool gone() const { return *caller->gone; }

  int protocol = 2;
  std::shared_ptr<Store> store;  // with Redis's keys: key_codec_store.h
  std::shared_ptr<const Caller> caller;
  std::shared_ptr<Effects> effects;  // of its transaction (transaction.h); null: no transaction
  // The bytes of the replies of several transactions that make one answer; null: each transaction has its own count.
  std::shared_ptr<std::atomic<size_t>> reply_bytes;
  Until until;
};

struct StoreCall : StoreContext {
  const CommandInfo& command;
  const Words& words;             // as many as the command takes; they exist until it has ended
  Words* spendable = nullptr;     // the same, if the command may move the values out of them; else null
  std::shared_ptr<Store> target;  // COPY's: the database copied to; null: the same
  std::shared_ptr<Status> fault;  // set before `done` to the store's failure, if it had one; null: not wanted
  std::move_only_function<void(std::string reply)> done;

  // Each ends the call.
  void Answer(Reply& reply) { done(reply.Take()); }
  void Number(int64_t number) { done(Reply(protocol).Number(number).Take()); }
  void Ok() { done(Reply(protocol).Ok().Take()); }
  void Fail(std::string_view text) { done(Reply(protocol).Failure(text).Take()); }
  void Fail(const Status& status);
};

// A failure of the store in Redis's form: a code that clients know, and the reason.
std::string FailureText(const Status& status);

// Runs a command that the connection does not answer by itself.
void RunStoreCommand(StoreCall&& call);
// The same on a transaction view (gateway/store/transaction_view.h), which answers within each call. None: the command
// waits for something else.
std::optional<std::string> RunAtOnce(StoreContext context, const CommandInfo& command, const Words& words);

// Whether a command writes without knowing its keys' values.
bool WritesBlindly(const CommandInfo& command, const Words& words, int64_t now_ms);

}  // namespace ebla::gateway::redis
