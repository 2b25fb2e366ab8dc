#include "gateway/redis/redis_protocol.h"

#include <algorithm>

#include "gateway/redis/logins.h"
#include "gateway/redis/subscriptions.h"
#include "gateway/redis/transaction.h"

namespace ebla::gateway::redis {

// One connection's; its commands hold it as long as they run.
struct RedisProtocol::State {
  State(std::shared_ptr<const Shared> shared_by_all, Executor& loop, const std::string& peer,
        std::weak_ptr<Outlet> outlet)
      : shared(std::move(shared_by_all)),
        address(peer),
        databases(shared->databases),
        executor(loop),
        session(shared->clients, peer, shared->options),
        subscriptions(shared->channels, std::move(outlet)) {}

  std::vector<WatchedKey> TakeWatched() {
    watched_bytes = 0;
    return std::exchange(watched, {});
  }

  const std::shared_ptr<const Shared> shared;
  const std::string address;
  std::shared_ptr<Databases> databases;  // of who has logged in, if anybody; null: nobody has, and has to
  Executor& executor;
  const std::shared_ptr<std::atomic<bool>> gone = std::make_shared<std::atomic<bool>>(false);  // with its connection
  Session session;
  Subscriptions subscriptions;
  std::vector<WatchedKey> watched;        // since WATCH, which may run elsewhere
  std::atomic<size_t> watched_bytes = 0;  // of them
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

constexpr size_t kQueueOfNobodyMax = 64 << 10;  // bytes that who has not logged in may queue
constexpr std::string_view kNotLoggedIn = "NOAUTH Authentication required.";
constexpr std::string_view kHelloWithoutLogin =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time";

// Its answer is known: of what is no command or cannot be one, and of what is only queued.
// None: it may. Else why one that speaks the second version and listens may not ask for it.
std::optional<std::string> OnlyListens(const State& state, std::string_view command) {
  if (state.session.protocol() >= 3 || !state.subscriptions.any()) return std::nullopt;
  if (command.ends_with("subscribe") || command == "ping" || command == "quit" || command == "reset")
    return std::nullopt;
  return "Can't execute '" + std::string(command) +
         "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
}

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
    const auto why_not = command_ == nullptr ? std::nullopt : OnlyListens(*state_, command_->name);
    if (why_not) bytes_ = redis::Reply().Failure("ERR " + *why_not).Take();
    if (command_ != nullptr && state_->databases == nullptr) bytes_ = redis::Reply().Failure(kNotLoggedIn).Take();
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

  // One that the connection answers by itself.
  std::string AnswerHere(const CommandInfo& command, const Words& words) {
    Session& session = state_->session;
    Subscriptions& subscriptions = state_->subscriptions;
    const std::string_view name = command.name;
    if (name == "discard" || name == "unwatch" || name == "reset") state_->TakeWatched();
    if (name == "reset") subscriptions.Clear();
    if (name == "reset") state_->databases = state_->shared->databases;
    redis::Reply reply(session.protocol());
    if (name == "hello" && state_->databases == nullptr) return reply.Failure(kHelloWithoutLogin).Take();
    if (name == "ping" && session.protocol() < 3 && subscriptions.any() && words.size() <= 2)
      return reply.Array(2).Bulk("pong").Bulk(words.size() == 2 ? words[1] : "").Take();
    if (name == "pubsub") {
      DescribeChannels(*state_->shared->channels, words, reply);
      return reply.Take();
    }
    auto answer = subscriptions.Answer(command, words, session.protocol());
    if (name == "reset" || answer) session.set_listening(subscriptions.channels(), subscriptions.patterns());
    if (!answer) answer = session.Answer(command, words);
    subscriptions.set_protocol(session.protocol());
    return *std::move(answer);
  }

  using Opened = std::move_only_function<void(std::shared_ptr<Store>)>;

  // A failure is the command's answer.
  void Open(const std::string& database, Opened then) {
    const ConnectionOptions& options = state_->session.options();
    if (state_->databases == nullptr) return EndWith(kNotLoggedIn);
    // Who watches decides on what it reads now: that must not be older than what WATCH saw, or EXEC would let it pass.
    const Read read = state_->watched.empty() ? options.read : Read::Strong();
    state_->databases->Open(database, read, options.ack,
                            [this, then = std::move(then)](Result<std::shared_ptr<Store>> store) mutable {
                              store ? then(*std::move(store)) : EndWith(FailureText(store.error()));
                            });
  }
  StoreContext ContextOf(std::shared_ptr<Store> store) const {
    return {.protocol = state_->session.protocol(),
            .store = std::move(store),
            .cursors = state_->shared->cursors,
            .publisher = state_->shared->publisher,
            .scripts = state_->shared->scripts,
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
    if (const auto why_not = OnlyListens(*state_, name)) return EndWith("ERR " + *why_not);
    if (const auto login = LoginIn(words_)) return LogIn(*login);
    if (state_->databases == nullptr && !command_.Is(Flag::kNoAuth)) return EndWith(kNotLoggedIn);
    AnswerOrRun();
  }

 private:
  void AnswerOrRun() {
    const std::string_view name = command_.name;
    if (command_.Is(kOwn)) {
      std::string answer = AnswerHere(command_, words_);
      // CLIENT REPLY is about itself, too; RESET turns replies on, and who listens is told so whatever it has said.
      sends_ =
          name == "reset" || name.ends_with("subscribe") || (sends_ && (name != "client" || state_->session.replies()));
      return End(std::move(answer));
    }
    if (name == "select") return Select();
    Open(state_->session.database(), [this](std::shared_ptr<Store> store) { RunOn(std::move(store)); });
  }

  // AUTH and HELLO, where there are users.
  struct Login {
    std::string user, password;
  };
  std::optional<Login> LoginIn(const Words& words) const {
    if (state_->shared->logins == nullptr) return std::nullopt;
    if (command_.name == "auth" && words.size() == 2) return Login{"default", words[1]};
    if (command_.name == "auth" && words.size() == 3) return Login{words[1], words[2]};
    if (command_.name != "hello" || words.size() < 2 || (words[1] != "2" && words[1] != "3")) return std::nullopt;
    // Only of one that has nothing else against it; of several the last.
    std::optional<Login> login;
    for (size_t at = 2; at < words.size();) {
      if (IsWord(words[at], "AUTH") && at + 2 < words.size()) {
        login = Login{words[at + 1], words[at + 2]};
        at += 3;
      } else if (IsWord(words[at], "SETNAME") && at + 1 < words.size()) {
        if (!IsClientName(words[at + 1])) return std::nullopt;
        at += 2;
      } else {
        return std::nullopt;
      }
    }
    return login;
  }
  void LogIn(const Login& login) {
    state_->shared->logins->LogIn(
        login.user, login.password, state_->address,
        [this, user = login.user](Result<std::shared_ptr<Databases>> databases) {
          // The connection's state belongs to its loop.
          state_->executor.Post([this, user, databases = std::move(databases)] { OnLogin(user, databases); });
        });
  }
  void OnLogin(const std::string& user, const Result<std::shared_ptr<Databases>>& databases) {
    if (!databases) {
      return databases.error().code() == Code::kPermissionDenied ? EndWith(kWrongPassword)
                                                                 : EndWith(FailureText(databases.error()));
    }
    state_->databases = *databases;
    state_->session.set_user(user);
    AnswerOrRun();
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
    if (command_.name == "watch") return Watch(std::move(store));
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

  void Watch(std::shared_ptr<Store> store) {
    if (!state_->watched.empty() && state_->watched_database != state_->session.database())
      return EndWith("ERR keys of another database are watched");
    if (state_->watched.size() + keys_.size() > kCommitPartsMax)
      return EndWith("ERR a connection watches at most 1000 keys");
    state_->watched_database = state_->session.database();
    const auto staged = std::make_shared<StagedStore>(std::move(store));
    staged->Load(
        keys_, std::chrono::steady_clock::now() + state_->shared->deadline,
        [this, staged](const Status& loaded) { loaded.ok() ? NoteWatched(*staged) : EndWith(FailureText(loaded)); });
  }
  void NoteWatched(const StagedStore& staged) {
    for (const std::string& key : keys_) {
      // As it was seen first.
      if (std::ranges::find(state_->watched, key, &WatchedKey::key) != state_->watched.end()) continue;
      const Record* const record = staged.Loaded(key);
      state_->watched.push_back({key, record == nullptr ? std::nullopt : std::optional(record->version)});
      state_->watched_bytes += sizeof(WatchedKey) + key.size();
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
    run_.watched = state_->TakeWatched();
    if (!abort_.empty()) return EndWith(abort_);
    if (state_->databases == nullptr) return EndWith(kNotLoggedIn);
    if (!run_.watched.empty() && state_->watched_database != state_->session.database())
      return EndWith("EXECABORT keys of another database are watched");
    if (const auto why_not = OnlyListens(*state_, command_.name))
      return EndWith("EXECABORT Transaction discarded because of: " + *why_not);
    Open(state_->session.database(), [this](std::shared_ptr<Store> store) {
      run_.context = ContextOf(std::move(store));
      run_.transactions = state_->session.options().transactions;
      run_.commands = std::move(commands_);
      run_.answer = [this](const QueuedCommand& queued) { return AnswerHere(*queued.command, queued.words); };
      run_.done = [this](std::string reply) { End(std::move(reply)); };
      RunQueued(std::move(run_));
    });
  }

 private:
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

RedisProtocol::RedisProtocol(std::shared_ptr<const Shared> shared, Executor& executor, const std::string& address,
                             std::weak_ptr<Outlet> outlet)
    : state_(std::make_shared<State>(std::move(shared), executor, address, std::move(outlet))) {}

void RedisProtocol::OnClosed() {
  *state_->gone = true;
  state_->subscriptions.Clear();
}

size_t RedisProtocol::held_bytes() const {
  return reader_.held_bytes() + queue_.held_bytes() + state_->subscriptions.held_bytes() + state_->watched_bytes;
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
  if (queue_.open() && words.size() > 1 && !KnowsSubcommand(*command, words[1]))
    return Refuse("ERR unknown subcommand '" + words[1].substr(0, 128) + "'. Try " + ToUpper(words[0]) + " HELP.");
  if (words.size() > (command->HasKeys() ? kKeyWordsMax : kWordsMax))
    return Refuse("ERR too many arguments for '" + std::string(command->name) + "' command");
  if (auto made = MakeTransaction(*command)) return made;
  const bool nobody = state_->databases == nullptr;  // its MULTI is answered so
  if (command->name == "reset" || (nobody && (command->name == "auth" || command->name == "hello"))) queue_.Close();
  if (nobody && queue_.held_bytes() > kQueueOfNobodyMax) return Refuse(kNotLoggedIn);
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
