#include "gateway/redis/redis_protocol.h"

#include <algorithm>

#include "gateway/redis/subscriptions.h"
#include "gateway/redis/transaction.h"

namespace ebla::gateway::redis {

// One connection's; its commands hold it as long as they run.
struct RedisProtocol::State {
  State(std::shared_ptr<const Shared> shared_by_all, Executor& loop, std::string address, std::weak_ptr<Outlet> outlet)
      : shared(std::move(shared_by_all)),
        executor(loop),
        session(shared->clients, std::move(address), shared->options),
        subscriptions(shared->channels, std::move(outlet)) {}

  const std::shared_ptr<const Shared> shared;
  Executor& executor;
  const std::shared_ptr<std::atomic<bool>> gone = std::make_shared<std::atomic<bool>>(false);  // with its connection
  Session session;
  Subscriptions subscriptions;
  std::vector<WatchedKey> watched;  // since WATCH
  std::string watched_database;
};

namespace {

using State = RedisProtocol::State;

// Of commands without keys, and with them.
constexpr size_t kWordsMax = 1'024, kKeyWordsMax = 100'000;

size_t KindOf(const CommandInfo* command) {
  return command == nullptr ? AllCommands().size() : static_cast<size_t>(command - AllCommands().data());
}

gateway::Reply ToAnswer(std::string bytes) {
  gateway::Reply answer{.bytes = std::move(bytes)};
  answer.error = answer.bytes.starts_with('-');
  return answer;
}

// Its answer is known: of what is no command or cannot be one, and of what is only queued.
class FixedAnswer final : public Command {
 public:
  FixedAnswer(std::shared_ptr<State> state, const CommandInfo* command, redis::Reply& reply, bool ends = false)
      : state_(std::move(state)), command_(command), bytes_(reply.Take()), ends_(ends) {}

  size_t kind() const override { return KindOf(command_); }
  const std::vector<std::string>& keys() const override { return keys_; }
  bool ends_connection() const override { return ends_; }
  // What a connection may have said of replies, others before it have said.
  bool alone() const override { return true; }
  void Run(Done done) override {
    gateway::Reply answer = ToAnswer(std::move(bytes_));
    if (!ends_ && !state_->session.TakesReply()) answer.bytes.clear();
    done(std::move(answer));
  }

 private:
  const std::shared_ptr<State> state_;
  const CommandInfo* const command_;
  std::string bytes_;
  const bool ends_;
  const std::vector<std::string> keys_;
};

// One that the session or the store answers.
class Asked : public Command {
 public:
  Asked(std::shared_ptr<State> state, const CommandInfo& command) : state_(std::move(state)), command_(command) {}

  size_t kind() const override { return KindOf(&command_); }
  const std::vector<std::string>& keys() const override { return keys_; }
  bool alone() const override { return keys_.empty(); }
  size_t held_bytes() const override { return bytes_; }

 protected:
  void Begin(const Words& words, Done done) {
    done_ = std::move(done);
    sends_ = state_->session.Begin(command_, words);
  }
  void End(std::string bytes) {
    gateway::Reply answer = ToAnswer(std::move(bytes));
    if (!sends_) answer.bytes.clear();
    std::exchange(done_, nullptr)(std::move(answer));
  }
  void EndWith(std::string_view failure) { End(redis::Reply(state_->session.protocol()).Failure(failure).Take()); }

  using Opened = std::move_only_function<void(std::shared_ptr<Store>)>;

  // A failure is the command's answer.
  void Open(const std::string& database, Opened then) {
    const ConnectionOptions& options = state_->session.options();
    state_->shared->databases->Open(database, options.read, options.ack,
                                    [this, then = std::move(then)](Result<std::shared_ptr<Store>> store) mutable {
                                      store ? then(*std::move(store)) : EndWith(FailureText(store.error()));
                                    });
  }
  StoreContext ContextOf(std::shared_ptr<Store> store) const {
    return {.protocol = state_->session.protocol(),
            .store = std::move(store),
            .cursors = state_->shared->cursors,
            .publisher = state_->shared->publisher,
            .executor = &state_->executor,
            .gone = state_->gone,
            .until = std::chrono::steady_clock::now() + state_->shared->deadline};
  }

  const std::shared_ptr<State> state_;
  const CommandInfo& command_;
  std::vector<std::string> keys_;
  size_t bytes_ = 0;
  bool sends_ = true;

 private:
  Done done_;
};

class RedisCommand final : public Asked {
 public:
  RedisCommand(std::shared_ptr<State> state, const CommandInfo& command, Words words)
      : Asked(std::move(state), command), words_(std::move(words)) {
    for (const std::string_view key : KeysOf(command_, words_)) keys_.emplace_back(key);
    for (const std::string& word : words_) bytes_ += word.size() + sizeof word;
    for (const std::string& key : keys_) bytes_ += key.size() + sizeof key;
  }

  bool alone() const override {
    return command_.Is(kAlone) || (keys_.empty() && command_.name != "ping" && command_.name != "echo");
  }
  bool ends_connection() const override { return command_.name == "quit"; }

  void Run(Done done) override {
    Begin(words_, std::move(done));
    const std::string_view name = command_.name;
    if (name == "discard" || name == "unwatch" || name == "reset") state_->watched.clear();
    if (auto answer = AnswerToListener()) return End(*std::move(answer));
    if (auto answer = state_->session.Answer(command_, words_)) {
      // CLIENT REPLY is about itself, too, and RESET turns replies on.
      sends_ = name == "reset" || (sends_ && (name != "client" || state_->session.replies()));
      state_->subscriptions.set_protocol(state_->session.protocol());
      return End(*std::move(answer));
    }
    if (name == "select") return Select();
    Open(state_->session.database(), [this](std::shared_ptr<Store> store) { RunOn(std::move(store)); });
  }

 private:
  // None: it has nothing to do with what the connection listens to.
  std::optional<std::string> AnswerToListener() {
    Session& session = state_->session;
    Subscriptions& subscriptions = state_->subscriptions;
    const std::string_view name = command_.name;
    const bool only_listens = session.protocol() < 3 && subscriptions.any();
    if (only_listens && name == "ping" && words_.size() <= 2)
      return redis::Reply(2).Array(2).Bulk("pong").Bulk(words_.size() == 2 ? words_[1] : "").Take();
    if (only_listens && !name.ends_with("subscribe") && name != "ping" && name != "quit" && name != "reset")
      return redis::Reply(2)
          .Failure("ERR Can't execute '" + std::string(name) +
                   "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context")
          .Take();
    if (name == "reset") subscriptions.Clear();
    auto answer = subscriptions.Answer(command_, words_, session.protocol());
    if (name == "reset" || answer) session.set_listening(subscriptions.channels(), subscriptions.patterns());
    if (name == "pubsub") {
      redis::Reply reply(session.protocol());
      DescribeChannels(*state_->shared->channels, words_, reply);
      answer = reply.Take();
    }
    return answer;
  }

  // The connection goes on there once it is open. Nothing else of it runs meanwhile.
  void Select() {
    const std::string name = words_[1];
    const std::optional<int64_t> number = ToInteger(name);
    if (number && (*number < 0 || *number >= kDatabases)) return EndWith("ERR DB index is out of range");
    Open(name, [this, name](const std::shared_ptr<Store>&) {
      state_->session.set_database(name);
      End(redis::Reply().Ok().Take());
    });
  }

  void RunOn(std::shared_ptr<Store> store) {
    if (command_.name == "watch") return Watch(*store);
    if (const std::optional<std::string> target = CopyTarget()) return CopyTo(std::move(store), *target);
    if (!command_.Is(kTogether)) return RunAlone(std::move(store), nullptr);
    if (OneGroupOf(keys_)) return RunAsOne(std::move(store));
    command_.name == "msetnx" ? EndWith(kCrossSlot) : RunAlone(std::move(store), nullptr);
  }
  void RunAlone(std::shared_ptr<Store> store, std::shared_ptr<Store> target) {
    StoreCall call{ContextOf(std::move(store))};
    call.command = &command_;
    call.words = std::move(words_);
    call.target = std::move(target);
    call.done = [this](std::string bytes) { End(std::move(bytes)); };
    RunStoreCommand(std::move(call));
  }
  void RunAsOne(std::shared_ptr<Store> store) {
    std::vector<QueuedCommand> commands;
    commands.push_back({&command_, std::move(words_)});
    RunTogether(ContextOf(std::move(store)), std::move(commands), {}, [this](Result<Replies> replies) {
      replies ? End(std::move((**replies)[0])) : EndWith(FailureText(replies.error()));
    });
  }

  // Another database, which COPY names.
  std::optional<std::string> CopyTarget() const {
    if (command_.name != "copy") return std::nullopt;
    for (size_t at = 3; at + 1 < words_.size(); ++at) {
      if (IsWord(words_[at], "DB")) return words_[at + 1];
    }
    return std::nullopt;
  }
  void CopyTo(std::shared_ptr<Store> store, const std::string& name) {
    const std::optional<int64_t> number = ToInteger(name);
    if (!number) return EndWith(kNotAnInteger);
    if (*number < 0 || *number >= kDatabases) return EndWith("ERR DB index is out of range");
    Open(name, [this, store = std::move(store)](std::shared_ptr<Store> target) mutable {
      RunAlone(std::move(store), std::move(target));
    });
  }

  void Watch(Store& store) {
    if (!state_->watched.empty() && state_->watched_database != state_->session.database())
      return EndWith("ERR keys of another database are watched");
    state_->watched_database = state_->session.database();
    store.MultiGet(keys_, Freshness::kLatest, std::chrono::steady_clock::now() + state_->shared->deadline,
                   [this](std::vector<Result<Record>> records) { NoteWatched(records); });
  }
  void NoteWatched(const std::vector<Result<Record>>& records) {
    for (size_t i = 0; i < records.size(); ++i) {
      const Result<Record>& record = records[i];
      if (!record && record.error().code() != Code::kNotFound) return EndWith(FailureText(record.error()));
      WatchedKey watched{.key = keys_[i], .version = {}, .expires_ms = {}};
      if (record) watched.version = record->version;
      if (record && record->expires) watched.expires_ms = record->expires->time_since_epoch().count();
      // As it was seen first.
      const bool known = std::ranges::find(state_->watched, keys_[i], &WatchedKey::key) != state_->watched.end();
      if (!known) state_->watched.push_back(std::move(watched));
    }
    End(redis::Reply().Ok().Take());
  }

  Words words_;
};

class Exec final : public Asked {
 public:
  // `abort`: it does nothing but say so.
  Exec(std::shared_ptr<State> state, const CommandInfo& command, std::vector<QueuedCommand> commands, size_t bytes,
       std::string abort)
      : Asked(std::move(state), command), commands_(std::move(commands)), abort_(std::move(abort)) {
    bytes_ = bytes;
  }

  void Run(Done done) override {
    Begin({"EXEC"}, std::move(done));
    run_.watched = std::exchange(state_->watched, {});
    if (!abort_.empty()) return EndWith(abort_);
    if (!run_.watched.empty() && state_->watched_database != state_->session.database())
      return EndWith("EXECABORT keys of another database are watched");
    for (const auto& [command, words] : commands_) run_.replies.push_back(AnswerOf(*command, words));
    Open(state_->session.database(), [this](std::shared_ptr<Store> store) {
      run_.context = ContextOf(std::move(store));
      run_.transactions = state_->session.options().transactions;
      run_.commands = std::move(commands_);
      run_.done = [this](std::string reply) { End(std::move(reply)); };
      RunQueued(std::move(run_));
    });
  }

 private:
  // What the connection answers by itself.
  std::optional<std::string> AnswerOf(const CommandInfo& command, const Words& words) {
    return command.name == "unwatch" ? redis::Reply().Ok().Take() : state_->session.Answer(command, words);
  }

  std::vector<QueuedCommand> commands_;
  const std::string abort_;
  QueuedRun run_;
};

std::string UnknownCommand(const Words& words) {
  std::string text = "ERR unknown command '" + words[0].substr(0, 128) + "', with args beginning with: ";
  constexpr size_t kArgumentsMax = 128;
  size_t shown = 0;
  for (size_t at = 1; at < words.size() && shown < kArgumentsMax; ++at) {
    const std::string one = "'" + words[at].substr(0, kArgumentsMax - shown) + "' ";
    shown += one.size();
    text += one;
  }
  return text;
}

}  // namespace

std::vector<std::string> CommandNames() {
  std::vector<std::string> names;
  for (const CommandInfo& command : AllCommands()) names.emplace_back(command.name);
  names.emplace_back("unknown");
  return names;
}

RedisProtocol::RedisProtocol(std::shared_ptr<const Shared> shared, Executor& executor, std::string address,
                             std::weak_ptr<Outlet> outlet)
    : state_(std::make_shared<State>(std::move(shared), executor, std::move(address), std::move(outlet))) {}

void RedisProtocol::OnClosed() {
  *state_->gone = true;
  state_->subscriptions.Clear();
}

size_t RedisProtocol::held_bytes() const {
  return reader_.held_bytes() + queue_.held_bytes() + state_->subscriptions.held_bytes();
}

Protocol::Taken RedisProtocol::Take(std::string_view bytes) {
  const size_t all = bytes.size();
  while (!bytes.empty()) {
    auto request = reader_.Read(bytes);
    if (!request) {
      redis::Reply reply;
      reply.Failure(request.error().message());
      return {.bytes = all, .command = std::make_unique<FixedAnswer>(state_, nullptr, reply, true), .end = true};
    }
    if (!*request) break;
    if (!(*request)->words.empty()) return {.bytes = all - bytes.size(), .command = Make(*std::move(*request))};
  }
  return {.bytes = all - bytes.size(), .command = nullptr};
}

std::unique_ptr<Command> RedisProtocol::Fixed(const CommandInfo* command, redis::Reply& reply) const {
  return std::make_unique<FixedAnswer>(state_, command, reply);
}

std::unique_ptr<Command> RedisProtocol::Refuse(std::string_view text) {
  queue_.Break();
  return Fixed(nullptr, redis::Reply().Failure(text));
}

std::unique_ptr<Command> RedisProtocol::Make(Request request) {
  Words& words = request.words;
  const CommandInfo* const command = FindCommand(words[0]);
  if (command == nullptr)
    return Refuse(IsNotServed(words[0]) ? "ERR " + ToUpper(words[0]) + " is not served by Ebla yet"
                                        : UnknownCommand(words));
  if (!command->Takes(words.size())) {
    const std::string why = "wrong number of arguments for '" + std::string(command->name) + "' command";
    if (command->name == "exec") return MakeExec(*command, "EXECABORT Transaction discarded because of: " + why);
    return Refuse("ERR " + why);
  }
  if (request.too_long) return Refuse(kTooLong);
  if (words.size() > (command->first_key == 0 ? kWordsMax : kKeyWordsMax))
    return Refuse("ERR too many arguments for '" + std::string(command->name) + "' command");
  if (auto made = MakeTransaction(*command)) return made;
  if (command->name == "reset") queue_.Close();
  if (!queue_.open() || command->name == "reset" || command->name == "quit")
    return std::make_unique<RedisCommand>(state_, *command, std::move(words));
  const std::string_view why = queue_.Add(*command, words);
  redis::Reply reply;
  return Fixed(command, why.empty() ? reply.Simple("QUEUED") : reply.Failure(why));
}

std::unique_ptr<Command> RedisProtocol::MakeExec(const CommandInfo& command, std::string abort) {
  const size_t bytes = queue_.held_bytes();
  return std::make_unique<Exec>(state_, command, queue_.Close(), bytes, std::move(abort));
}

// Those that begin and end a transaction; null: it is none of them.
std::unique_ptr<Command> RedisProtocol::MakeTransaction(const CommandInfo& command) {
  const bool open = queue_.open();
  redis::Reply reply;
  if (command.name == "multi") {
    if (open) return Fixed(&command, reply.Failure("ERR MULTI calls can not be nested"));
    queue_.Open();
    return Fixed(&command, reply.Ok());
  }
  if (command.name == "watch" && open) return Fixed(&command, reply.Failure("ERR WATCH inside MULTI is not allowed"));
  if (command.name == "exec") {
    if (!open) return Fixed(&command, reply.Failure("ERR EXEC without MULTI"));
    return MakeExec(command, queue_.broken() ? "EXECABORT Transaction discarded because of previous errors." : "");
  }
  if (command.name == "discard") {
    if (!open) return Fixed(&command, reply.Failure("ERR DISCARD without MULTI"));
    queue_.Close();
    return std::make_unique<RedisCommand>(state_, command, Words{"DISCARD"});
  }
  return nullptr;
}

}  // namespace ebla::gateway::redis
