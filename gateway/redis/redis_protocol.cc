#include "gateway/redis/redis_protocol.h"

#include <utility>

#include "gateway/redis/commands/subcommands.h"
#include "gateway/redis/requests/exec_command.h"
#include "gateway/redis/requests/fixed_answer.h"
#include "gateway/redis/requests/single_command.h"
#include "gateway/server/foreign_line.h"

namespace ebla::gateway::redis {
namespace {

// Limits for commands without keys, and with them.
constexpr size_t kWordsMax = 1'024, kKeyWordsMax = 100'000;
constexpr std::string_view kNoRequest = "it sent bytes that are no request of Redis's protocol";

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
  names.insert(names.end(), NamesNotServed().begin(), NamesNotServed().end());
  names.emplace_back("unknown");
  return names;
}

RedisProtocol::RedisProtocol(std::shared_ptr<const Shared> shared, Executor& executor, const std::string& address,
                             std::weak_ptr<Sink> sink)
    : state_(std::move(shared), executor, address, std::move(sink)) {}

void RedisProtocol::OnClosed() {
  *state_.gone = true;
  state_.subscriptions.Clear();
}

size_t RedisProtocol::held_bytes() const {
  return reader_.held_bytes() + queue_.held_bytes() + state_.subscriptions.held_bytes() + state_.watched_bytes;
}

Protocol::Taken RedisProtocol::Take(std::string_view bytes) {
  const size_t all = bytes.size();
  while (!bytes.empty()) {
    // As it is: nothing is cut while it changes.
    reader_.set_strict(state_.NobodyIsIn());
    auto request = reader_.Read(bytes);
    if (!request) {
      redis::Reply reply;
      reply.Failure(request.error().message());
      return {.bytes = all,
              .command = std::make_unique<FixedAnswer>(state_, KindOfName(""), reply, FixedAnswer::To::kBroken),
              .end = true,
              .fault = kNoRequest};
    }
    if (!*request) break;
    const Words& words = (*request)->words;
    if (words.empty()) continue;
    if (const std::string_view fault = (*request)->typed ? FaultOfLine(words) : FaultOfFirstWord(words[0]);
        !fault.empty())
      return {.bytes = all, .command = nullptr, .end = true, .fault = fault};
    auto command = Make(*std::move(*request));
    state_.session.set_queue(queue_.open() ? static_cast<int64_t>(queue_.size()) : -1, queue_.held_bytes());
    return {.bytes = all - bytes.size(), .command = std::move(command)};
  }
  return {.bytes = all - bytes.size(), .command = nullptr};
}

std::unique_ptr<Command> RedisProtocol::Fixed(const CommandInfo& command, redis::Reply& reply) {
  return std::make_unique<FixedAnswer>(state_, KindOf(command), reply, FixedAnswer::To::kCommand);
}

std::unique_ptr<Command> RedisProtocol::Refuse(std::string_view name, std::string_view text) {
  queue_.Break();
  return std::make_unique<FixedAnswer>(state_, KindOfName(name), redis::Reply().Failure(text),
                                       FixedAnswer::To::kRefused);
}

std::unique_ptr<Command> RedisProtocol::Make(Request request) {
  Words& words = request.words;
  const CommandInfo* const command = FindCommand(words[0]);
  if (command == nullptr) {
    const auto why_not = WhyNotServed(words[0]);
    return Refuse(words[0], why_not ? *why_not : UnknownCommand(words));
  }
  if (!command->Takes(words.size())) {
    const std::string why = WrongNumberOfArguments(command->name);
    if (command->name == "exec") return MakeExec(*command, kExecAbort + why);
    return Refuse(words[0], "ERR " + why);
  }
  if (state_.NobodyIsIn() && !command->Is(kNoAuth)) {
    redis::Reply reply;
    return Fixed(*command, reply.Failure(kNotLoggedIn));
  }
  if (request.too_long || HasTooLongWord(*command, words)) return Refuse(words[0], kTooLong);
  if (queue_.open() && words.size() > 1 && !KnowsSubcommand(*command, words[1]))
    return Refuse(words[0], UnknownSubcommand(words));
  if (words.size() > (command->HasKeys() ? kKeyWordsMax : kWordsMax))
    return Refuse(words[0], "ERR too many arguments for '" + std::string(command->name) + "' command");
  if (auto made = MakeTransaction(*command)) return made;
  if (command->name == "reset") queue_.Close();
  if (!queue_.open() || command->name == "reset" || command->name == "quit")
    return std::make_unique<SingleCommand>(state_, *command, std::move(words));
  const std::string_view why = queue_.Add(*command, words);
  redis::Reply reply;
  return Fixed(*command, why.empty() ? reply.Simple("QUEUED") : reply.Failure(why));
}

std::unique_ptr<Command> RedisProtocol::MakeExec(const CommandInfo& command, std::string abort) {
  const size_t bytes = queue_.held_bytes();
  return std::make_unique<ExecCommand>(state_, command, queue_.Close(), bytes, std::move(abort));
}

// The commands that begin or end a transaction; null: another command.
std::unique_ptr<Command> RedisProtocol::MakeTransaction(const CommandInfo& command) {
  const bool open = queue_.open();
  redis::Reply reply;
  if (command.name == "multi") {
    if (open) return Fixed(command, reply.Failure("ERR MULTI calls can not be nested"));
    queue_.Open();
    return Fixed(command, reply.Ok());
  }
  if (command.name == "watch" && open) return Fixed(command, reply.Failure("ERR WATCH inside MULTI is not allowed"));
  if (command.name == "exec") {
    if (!open) return Fixed(command, reply.Failure("ERR EXEC without MULTI"));
    return MakeExec(command, queue_.broken() ? "EXECABORT Transaction discarded because of previous errors." : "");
  }
  if (command.name == "discard") {
    if (!open) return Fixed(command, reply.Failure("ERR DISCARD without MULTI"));
    queue_.Close();
    return std::make_unique<SingleCommand>(state_, command, Words{"DISCARD"});
  }
  return nullptr;
}

}  // namespace ebla::gateway::redis
