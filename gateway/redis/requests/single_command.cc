#include "gateway/redis/requests/single_command.h"

#include <algorithm>
#include <chrono>
#include <optional>

#include "gateway/redis/commands/keys/key_commands.h"
#include "gateway/redis/logins/logins.h"
#include "gateway/redis/transactions/multi.h"

namespace ebla::gateway::redis {
namespace {

struct Login {
  std::string user, password;
};

// AUTH and HELLO.
std::optional<Login> LoginIn(std::string_view name, const Words& words) {
  if (name == "auth" && words.size() == 2) return Login{"default", words[1]};
  if (name == "auth" && words.size() == 3) return Login{words[1], words[2]};
  if (name != "hello" || words.size() < 2 || (words[1] != "2" && words[1] != "3")) return std::nullopt;
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

}  // namespace

SingleCommand::SingleCommand(ConnectionState& state, const CommandInfo& command, Words words)
    : ConnectionCommand(state, command, std::move(words)) {
  for (const std::string& word : words_) bytes_ += word.size() + sizeof word;
  bytes_ += keys_.size() * sizeof keys_[0];
}

bool SingleCommand::MayBatch(const Command& next) {
  const auto* const other = dynamic_cast<const SingleCommand*>(&next);
  if (other == nullptr || OnlyListens(state_, command_.name)) return false;
  if (!coalescer_) coalescer_.emplace(command_, words_);
  return coalescer_->Take(other->command_, other->words_);
}

void SingleCommand::AddToBatch(Command& next) {
  auto* const batched = static_cast<SingleCommand*>(&next);
  batched->timed_ = false;  // it takes what this one takes
  batched_.push_back(batched);
}

// The batched commands end first, because this command may be destroyed as soon as it has ended.
void SingleCommand::EndWith(std::string_view failure) {
  for (SingleCommand* const next : std::exchange(batched_, {})) next->EndWith(failure);
  ConnectionCommand::EndWith(failure);
}

bool SingleCommand::holds_input() const {
  const bool logins_are_asked_for = state_.shared->databases == nullptr;
  return logins_are_asked_for && (command_.name == "auth" || command_.name == "hello" || command_.name == "reset");
}

void SingleCommand::Run() {
  Begin();
  for (SingleCommand* const next : batched_) next->Begin();
  const std::string_view name = command_.name;
  if (const auto why_not = OnlyListens(state_, FullName(command_, words_))) return EndWith("ERR " + *why_not);
  if (state_.shared->logins != nullptr) {
    if (const auto login = LoginIn(name, words_)) return LogIn(login->user, login->password);
  }
  AnswerOrRun();
}

void SingleCommand::AnswerOrRun() {
  const std::string_view name = command_.name;
  const bool listens = name == "subscribe" || name == "psubscribe" || name == "ssubscribe";
  if (listens && state_.databases()->guards_channels())
    return AskToListen(1, std::chrono::steady_clock::now() + state_.shared->deadline);
  if (command_.Is(kOwn)) return AnswerAtOnce();
  if (name == "select") return Select();
  Open(state_.session.database(), [this](std::shared_ptr<Store> store) { RunOn(std::move(store)); });
}

void SingleCommand::AnswerAtOnce() {
  const std::string_view name = command_.name;
  std::string answer = AnswerHere(command_, words_);
  // A subscriber gets the replies about its subscriptions, even after CLIENT REPLY OFF.
  sends_ = name.ends_with("subscribe") || state_.session.sends();
  End(std::move(answer));
}

// Asks for one channel after another. A user who may not use one of them subscribes to none.
void SingleCommand::AskToListen(size_t at, Until until) {
  // Subscriptions belong to the connection's loop.
  if (at == words_.size()) return void(state_.executor.Post([this] { AnswerAtOnce(); }));
  const auto kind = command_.name == "psubscribe" ? ChannelUse::Kind::kListenToPattern : ChannelUse::Kind::kListen;
  state_.databases()->MayUse({kind, words_[at]}, until, [this, at, until](const Status& may) {
    may.ok() ? AskToListen(at + 1, until) : EndWith(FailureText(may));
  });
}

void SingleCommand::LogIn(const std::string& user, const std::string& password) {
  state_.shared->logins->LogIn(
      user, password, state_.address, [this, user](Result<std::shared_ptr<Databases>> databases) {
        // The connection's state belongs to its loop.
        state_.executor.Post([this, user, databases = std::move(databases)] { OnLogin(user, databases); });
      });
}

void SingleCommand::OnLogin(const std::string& user, const Result<std::shared_ptr<Databases>>& databases) {
  if (!databases) {
    return databases.error().code() == Code::kPermissionDenied ? EndWith(kWrongPassword)
                                                               : EndWith(FailureText(databases.error()));
  }
  state_.Use(*databases);
  state_.session.set_user(user);
  AnswerOrRun();
}

// Selects the database once it is open. No other command of the connection runs meanwhile.
void SingleCommand::Select() {
  const std::string name = words_[1];
  const std::optional<int64_t> number = ToInteger(name);
  if (number && !IsDatabase(*number)) return EndWith(WrongDatabase(*number));
  Open(name, [this, name](const std::shared_ptr<Store>&) {
    state_.session.set_database(name);
    End(redis::Reply().Ok().Take());
  });
}

void SingleCommand::RunOn(std::shared_ptr<Store> store) {
  if (!batched_.empty()) return RunBatch(store);
  if (command_.name == "watch") return Watch(std::move(store));
  if (const auto database = NamedDatabase(command_, words_)) return RunBetween(std::move(store), *database);
  if (!command_.Is(kTogether)) return RunAlone(std::move(store), nullptr);
  if (OneGroupOf({keys_.begin(), keys_.end()})) return RunAsOne(std::move(store));
  const bool apart = command_.name == "msetnx" && words_.size() % 2 == 1;
  apart ? EndWith(kCrossSlot) : RunAlone(std::move(store), nullptr);
}

void SingleCommand::RunAlone(std::shared_ptr<Store> store, std::shared_ptr<Store> target) {
  StoreCall call = CallOf(std::move(store));
  call.target = std::move(target);
  RunStoreCommand(std::move(call));
}

StoreCall SingleCommand::CallOf(std::shared_ptr<Store> store) {
  StoreCall call{ContextOf(std::move(store)), command_, words_, &words_};
  call.done = [this](std::string bytes) { End(std::move(bytes)); };
  return call;
}

void SingleCommand::RunBatch(const std::shared_ptr<Store>& store) {
  std::vector<StoreCall> calls;
  calls.push_back(CallOf(store));
  for (SingleCommand* const next : batched_) calls.push_back(next->CallOf(store));
  RunCoalesced(std::move(calls));
}

void SingleCommand::RunAsOne(std::shared_ptr<Store> store) {
  std::vector<QueuedCommand> commands;
  commands.push_back(
      {&command_, std::shared_ptr<const Words>(std::shared_ptr<void>(), &words_)});  // which stay until the reply
  RunTogether(ContextOf(std::move(store)), std::move(commands), {}, [this](Result<Replies> replies) {
    replies ? End(std::move((**replies)[0])) : EndWith(FailureText(replies.error()));
  });
}

void SingleCommand::RunBetween(std::shared_ptr<Store> store, const std::string& database) {
  Open(database, [this, store = std::move(store)](std::shared_ptr<Store> target) mutable {
    RunAlone(std::move(store), std::move(target));
  });
}

void SingleCommand::Watch(std::shared_ptr<Store> store) {
  if (!state_.watched.empty() && state_.watched_database != state_.session.database())
    return EndWith("ERR keys of another database are watched");
  if (state_.watched.size() + keys_.size() > kCommitPartsMax)
    return EndWith("ERR a connection watches at most 1000 keys");
  state_.watched_database = state_.session.database();
  const auto view = std::make_shared<TransactionView>(std::move(store));
  view->Load({keys_.begin(), keys_.end()}, std::chrono::steady_clock::now() + state_.shared->deadline,
             [this, view](const Status& loaded) { loaded.ok() ? NoteWatched(*view) : EndWith(FailureText(loaded)); });
}

void SingleCommand::NoteWatched(const TransactionView& view) {
  for (const std::string_view name : keys_) {
    const std::string key(name);
    // The first version that was seen counts.
    if (std::ranges::find(state_.watched, key, &WatchedKey::key) != state_.watched.end()) continue;
    const Record* const record = view.Loaded(key);
    state_.watched.push_back({key, record == nullptr ? std::nullopt : std::optional(record->version)});
    state_.watched_bytes += sizeof(WatchedKey) + key.size();
  }
  End(redis::Reply().Ok().Take());
}

}  // namespace ebla::gateway::redis
