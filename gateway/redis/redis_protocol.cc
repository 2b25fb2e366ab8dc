#include "gateway/redis/redis_protocol.h"

#include <algorithm>

#include "gateway/redis/options.h"
#include "gateway/redis/store_commands.h"

namespace ebla::gateway::redis {

// One connection's; its commands hold it as long as they run.
struct RedisProtocol::State {
  State(std::shared_ptr<const Shared> shared_by_all, Executor& loop, std::string address)
      : shared(std::move(shared_by_all)), executor(loop), session(shared->clients, std::move(address)) {}

  const std::shared_ptr<const Shared> shared;
  Executor& executor;
  Session session;
};

namespace {

using State = RedisProtocol::State;

size_t KindOf(const CommandInfo* command) {
  return command == nullptr ? AllCommands().size() : static_cast<size_t>(command - AllCommands().data());
}

gateway::Reply ToAnswer(std::string bytes) {
  gateway::Reply answer{.bytes = std::move(bytes)};
  answer.error = answer.bytes.starts_with('-');
  return answer;
}

// Its answer is known: of what is no command, or cannot be one.
class Refusal final : public Command {
 public:
  Refusal(std::string_view text, bool ends) : bytes_(Reply().Failure(text).Take()), ends_(ends) {}

  size_t kind() const override { return KindOf(nullptr); }
  const std::vector<std::string>& keys() const override { return keys_; }
  bool ends_connection() const override { return ends_; }
  void Run(Done done) override { done(ToAnswer(std::move(bytes_))); }

 private:
  std::string bytes_;
  const bool ends_;
  const std::vector<std::string> keys_;
};

class RedisCommand final : public Command {
 public:
  RedisCommand(std::shared_ptr<State> state, const CommandInfo& command, Words words)
      : state_(std::move(state)), command_(command), words_(std::move(words)) {
    for (const std::string_view key : KeysOf(command_, words_)) keys_.emplace_back(key);
    for (const std::string& word : words_) bytes_ += word.size();
  }

  size_t kind() const override { return KindOf(&command_); }
  const std::vector<std::string>& keys() const override { return keys_; }
  bool alone() const override { return keys_.empty() && command_.name != "ping" && command_.name != "echo"; }
  bool ends_connection() const override { return command_.name == "quit"; }
  size_t held_bytes() const override { return bytes_; }

  void Run(Done done) override {
    Session& session = state_->session;
    const bool sends = session.Begin(command_, words_);
    if (auto answer = session.Answer(command_, words_)) {
      // CLIENT REPLY is about itself, too.
      const bool silent = !sends || (command_.name == "client" && !session.replies());
      return done(ToAnswer(silent ? "" : *std::move(answer)));
    }
    done_ = std::move(done);
    sends_ = sends;
    command_.name == "select" ? Select() : OpenAndRun();
  }

 private:
  void End(std::string bytes) {
    gateway::Reply answer = ToAnswer(std::move(bytes));
    if (!sends_) answer.bytes.clear();
    std::exchange(done_, nullptr)(std::move(answer));
  }
  void EndWith(std::string_view failure) { End(Reply(state_->session.protocol()).Failure(failure).Take()); }

  void Open(const std::string& database, Callback<Result<std::shared_ptr<Store>>> done) {
    const Session& session = state_->session;
    state_->shared->databases->Open(database, session.read(), session.ack(), std::move(done));
  }

  // The connection goes on there once it is open. Nothing else of it runs meanwhile.
  void Select() {
    const std::string name = words_[1];
    const std::optional<int64_t> number = ToInteger(name);
    if (number && (*number < 0 || *number >= kDatabases)) return EndWith("ERR DB index is out of range");
    Open(name, [this, name](const Result<std::shared_ptr<Store>>& store) {
      if (!store) return EndWith("ERR " + store.error().message());
      state_->session.set_database(name);
      End(Reply().Ok().Take());
    });
  }

  void OpenAndRun() {
    Open(state_->session.database(), [this](Result<std::shared_ptr<Store>> store) {
      if (!store) return EndWith("ERR " + store.error().message());
      if (const std::optional<std::string> target = CopyTarget()) return OpenTarget(*std::move(store), *target);
      RunOn(*std::move(store), nullptr);
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
  void OpenTarget(std::shared_ptr<Store> store, const std::string& name) {
    const std::optional<int64_t> number = ToInteger(name);
    if (!number) return EndWith(kNotAnInteger);
    if (*number < 0 || *number >= kDatabases) return EndWith("ERR DB index is out of range");
    Open(name, [this, store = std::move(store)](Result<std::shared_ptr<Store>> target) mutable {
      target ? RunOn(std::move(store), *std::move(target)) : EndWith("ERR " + target.error().message());
    });
  }
  void RunOn(std::shared_ptr<Store> store, std::shared_ptr<Store> target) {
    RunStoreCommand({.command = &command_,
                     .words = std::move(words_),
                     .protocol = state_->session.protocol(),
                     .store = std::move(store),
                     .target = std::move(target),
                     .cursors = state_->shared->cursors,
                     .executor = &state_->executor,
                     .until = std::chrono::steady_clock::now() + state_->shared->deadline,
                     .done = [this](std::string bytes) { End(std::move(bytes)); }});
  }

  const std::shared_ptr<State> state_;
  const CommandInfo& command_;
  Words words_;
  std::vector<std::string> keys_;
  size_t bytes_ = 0;
  bool sends_ = true;
  Done done_;
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

RedisProtocol::RedisProtocol(std::shared_ptr<const Shared> shared, Executor& executor, std::string address)
    : state_(std::make_shared<State>(std::move(shared), executor, std::move(address))) {}

Protocol::Taken RedisProtocol::Take(std::string_view bytes) {
  const size_t all = bytes.size();
  while (!bytes.empty()) {
    auto request = reader_.Read(bytes);
    if (!request)
      return {.bytes = all, .command = std::make_unique<Refusal>(request.error().message(), true), .end = true};
    if (!*request) break;
    if (!(*request)->words.empty()) return {.bytes = all - bytes.size(), .command = Make(*std::move(*request))};
  }
  return {.bytes = all - bytes.size(), .command = nullptr};
}

std::unique_ptr<Command> RedisProtocol::Make(Request request) const {
  Words& words = request.words;
  const CommandInfo* const command = FindCommand(words[0]);
  if (command == nullptr) {
    return std::make_unique<Refusal>(
        IsNotServed(words[0]) ? "ERR " + ToUpper(words[0]) + " is not served by Ebla yet" : UnknownCommand(words),
        false);
  }
  if (!command->Takes(words.size()))
    return std::make_unique<Refusal>("ERR wrong number of arguments for '" + std::string(command->name) + "' command",
                                     false);
  if (request.too_long) return std::make_unique<Refusal>(kTooLong, false);
  return std::make_unique<RedisCommand>(state_, *command, std::move(words));
}

}  // namespace ebla::gateway::redis
