#include "gateway/redis/requests/connection_command.h"

#include <algorithm>
#include <utility>

namespace ebla::gateway::redis {
namespace {

constexpr std::string_view kHelloWithoutLogin =
    "NOAUTH HELLO must be called with the client already authenticated, otherwise the HELLO <proto> AUTH <user> <pass> "
    "option can be used to authenticate the client and select the RESP protocol version at the same time";

bool IsNull(std::string_view reply) { return reply.starts_with("$-1") || reply.starts_with('_'); }

// One value, or an array of them: those that are there, and those that are not.
void CountFetched(gateway::Reply& answer) {
  const std::string_view bytes = answer.bytes;
  if (bytes.starts_with('*')) {
    for (size_t at = bytes.find("\r\n") + 2; at < bytes.size();) {
      const std::string_view one = bytes.substr(at);
      IsNull(one) ? ++answer.misses : ++answer.hits;
      const size_t line = one.find("\r\n") + 2;
      at += IsNull(one) ? line : line + static_cast<size_t>(*ToInteger(one.substr(1, line - 3))) + 2;
    }
  } else if (!answer.error) {
    (IsNull(bytes) ? answer.misses : answer.hits) = 1;
  }
}

}  // namespace

size_t KindOf(const CommandInfo& command) { return static_cast<size_t>(&command - AllCommands().data()); }

size_t KindOfName(std::string_view name) {
  if (const CommandInfo* const command = FindCommand(name)) return KindOf(*command);
  const std::span<const std::string_view> others = NamesNotServed();
  const auto found = std::ranges::find(others, std::string_view(ToLower(name)));
  return AllCommands().size() + static_cast<size_t>(found - others.begin());
}

gateway::Reply ToAnswer(std::string bytes) {
  gateway::Reply answer{.bytes = std::move(bytes)};
  answer.error = answer.bytes.starts_with('-');
  return answer;
}

std::string FullName(const CommandInfo& command, const Words& words) {
  const std::string name(command.name);
  return words.size() > 1 && SubcommandsOf(command).contains(ToLower(words[1])) ? name + "|" + ToLower(words[1]) : name;
}

std::optional<std::string> OnlyListens(const ConnectionState& state, std::string_view command) {
  if (state.session.protocol() >= 3 || !state.subscriptions.any()) return std::nullopt;
  if (command.ends_with("subscribe") || command == "ping" || command == "quit" || command == "reset")
    return std::nullopt;
  return "Can't execute '" + std::string(command) +
         "': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context";
}

void ConnectionCommand::NoteIfSlow() {
  SlowLog& log = state_.shared->clients->slow_log;
  const auto took = timed_ ? log.IfSlow(began()) : std::nullopt;
  if (!took) return;
  const ClientLine line = state_.shared->clients->Find(state_.session.id());
  const bool by_keys = command_.HasKeys() || command_.Is(Flag::kNoAuth);
  KeyViews shown{words_[0]};
  const auto show = [&shown](auto words) { shown.insert(shown.end(), words.begin(), words.end()); };
  by_keys ? show(std::span(keys_)) : show(std::span(words_).subspan(1));
  log.Add({.owner = line.owner,
           .address = line.address,
           .name = SlowLog::Shown(line.name),
           .took = *took,
           .words = SlowLog::Shown(shown, words_.size())});
}
void ConnectionCommand::End(std::string bytes) {
  NoteIfSlow();
  Words().swap(words_);  // not counted while the reply waits for its turn
  state_.shared->errors->Count(bytes);
  gateway::Reply answer = ToAnswer(std::move(bytes));
  if (command_.Is(kFetches)) CountFetched(answer);
  if (!sends_) answer.bytes.clear();
  answer.last = state_.session.killed();
  SendReply(std::move(answer));
}
void ConnectionCommand::EndWith(std::string_view failure) {
  End(redis::Reply(state_.session.protocol()).Failure(failure).Take());
}

std::string ConnectionCommand::AnswerHere(const CommandInfo& command, const Words& words) {
  Session& session = state_.session;
  Subscriptions& subscriptions = state_.subscriptions;
  const std::string_view name = command.name;
  if (name == "reset") return ResetConnection(command, words);
  if (name == "discard" || name == "unwatch") state_.TakeWatched();
  redis::Reply reply(session.protocol());
  if (name == "hello" && state_.NobodyIsIn()) return reply.Failure(kHelloWithoutLogin).Take();
  if (name == "ping" && session.protocol() < 3 && subscriptions.any() && words.size() <= 2)
    return reply.Array(2).Bulk("pong").Bulk(words.size() == 2 ? words[1] : "").Take();
  if (name == "config" && words.size() == 2 && IsWord(words[1], "RESETSTAT")) ResetCounts(*state_.shared);
  if (name == "info") return reply.Verbatim(InfoText(*state_.shared, {words.begin() + 1, words.end()})).Take();
  if (name == "slowlog") {
    state_.shared->clients->slow_log.Answer(words, session.owner(), reply);
    return reply.Take();
  }
  if (name == "pubsub") {
    DescribeChannels(*state_.shared->channels, words, reply);
    return reply.Take();
  }
  auto answer = subscriptions.Answer(command, words, session.protocol());
  if (answer) session.set_listening(subscriptions.channels(), subscriptions.patterns(), subscriptions.shards());
  if (!answer) answer = session.Answer(command, words);
  subscriptions.set_protocol(session.protocol());
  return *std::move(answer);
}

// All that RESET does; Session::Reset does its part within Answer.
std::string ConnectionCommand::ResetConnection(const CommandInfo& reset, const Words& words) {
  state_.TakeWatched();
  state_.subscriptions.Clear();
  state_.Use(state_.shared->databases);
  state_.session.set_listening(0, 0, 0);
  std::string answer = *state_.session.Answer(reset, words);
  state_.subscriptions.set_protocol(state_.session.protocol());
  return answer;
}

void ConnectionCommand::Open(const std::string& database, Opened then) {
  const ConnectionOptions& options = state_.session.options();
  // A client that watches decides on the values that it reads now. These must not be older than those that WATCH saw,
  // or EXEC would commit such a decision.
  const Read read = state_.watched.empty() ? options.read : Read::Strong();
  if (std::shared_ptr<Store> open = state_.opened.Find(database, read, options.ack)) return then(std::move(open));
  state_.databases()->Open(
      database, read, options.ack,
      [this, database, read, ack = options.ack, then = std::move(then)](Result<std::shared_ptr<Store>> store) mutable {
        if (!store) return EndWith(FailureText(store.error()));
        auto go_on = [this, database, read, ack, then = std::move(then), store = *std::move(store)]() mutable {
          then(state_.opened.Note(database, read, ack, std::move(store)));
        };
        // The look-up may have ended on another thread, but the call joins a batch on its own loop alone.
        state_.executor.InThread() ? go_on() : state_.executor.Post(std::move(go_on));
      });
}

StoreContext ConnectionCommand::ContextOf(std::shared_ptr<Store> store) const {
  return {.protocol = state_.session.protocol(),
          .store = std::move(store),
          .caller = state_.caller(),
          .effects = nullptr,
          .until = began() + state_.shared->deadline};
}

}  // namespace ebla::gateway::redis
