#include "gateway/redis/connections/session.h"

#include <algorithm>
#include <limits>
#include <set>

#include "gateway/redis/commands/subcommands.h"
#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/connections/options.h"
#include "gateway/redis/wire/glob.h"

namespace ebla::gateway::redis {
namespace {

using Clock = std::chrono::steady_clock;

// How old what others see of a busy connection may be.
constexpr std::chrono::seconds kShownEvery{1};
constexpr std::string_view kDefaultUser = "default";
constexpr size_t kClientNameMax = 1'024;

void Time(Reply& reply) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  reply.Array(2).Bulk(std::to_string(micros / 1'000'000)).Bulk(std::to_string(micros % 1'000'000));
}

// No replica has yet to acknowledge anything, because a write is replicated before it is acknowledged.
void Wait(const Words& words, Reply& reply) {
  const std::optional<int64_t> timeout = ToInteger(words[2]);
  if (!ToInteger(words[1])) {
    reply.Failure(kNotAnInteger);
  } else if (!timeout) {
    reply.Failure("ERR timeout is not an integer or out of range");
  } else {
    *timeout < 0 ? reply.Failure("ERR timeout is negative") : reply.Number(0);
  }
}

void ListFunctions(const Words& words, Reply& reply) {
  for (size_t at = 2; at < words.size(); ++at) {
    if (IsWord(words[at], "WITHCODE")) continue;
    if (!IsWord(words[at], "LIBRARYNAME")) return void(reply.Failure("ERR Unknown argument " + words[at]));
    if (++at == words.size()) return void(reply.Failure("ERR library name argument was not given"));
  }
  reply.Array(0);
}

// There are none: so they can be listed, and flushed.
void Functions(const Words& words, Reply& reply) {
  const std::string what = ToUpper(words[1]);
  if (what == "LIST") {
    ListFunctions(words, reply);
  } else if (!KnowsSubcommand(*FindCommand(words[0]), words[1])) {
    reply.Failure(UnknownSubcommand(words));
  } else if (what == "FLUSH" && words.size() > 3) {
    reply.Failure(UnknownOrWrongNumber(words));
  } else if (what == "FLUSH") {
    EndsWithFlushMode(words, 2) ? reply.Ok() : reply.Failure("ERR FUNCTION FLUSH only supports SYNC|ASYNC option");
  } else {
    reply.Failure("ERR FUNCTION " + what.substr(0, 128) + " is not served by Ebla: EVAL and EVALSHA run scripts");
  }
}

}  // namespace

bool IsClientName(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
}

// ---- Session --------------------------------------------------------------------------------------------------------

Session::Session(const Shared& shared, std::string address, std::weak_ptr<Sink> sink)
    : clients_(shared.clients), tables_(shared.tables), first_options_(shared.options) {
  line_.id = clients_->NextId();
  line_.address = std::move(address);
  line_.since = line_.active = Clock::now();
  line_.queue = queue_;
  line_.sink = std::move(sink);
  clients_->connections.fetch_add(1, std::memory_order_relaxed);
  clients_->Put(line_);
}

Session::~Session() { clients_->Forget(line_.id); }

bool Session::Begin(const CommandInfo& command, const Words& words, Clock::time_point now) {
  const bool stale = now - line_.active >= kShownEvery;
  line_.active = now;
  if (line_.command != command.name) line_.command = command.name;
  if (command.name == "client" && words.size() > 1 && KnowsSubcommand(command, words[1]))
    line_.command += "|" + ToLower(words[1]);
  if (stale || command.Is(kAdmin) || command.name == "client") clients_->Put(line_);
  return TakesReply();
}

std::optional<std::string> AnswerAnywhere(const CommandInfo& command, const Words& words, int protocol) {
  Reply reply(protocol);
  const std::string_view name = command.name;
  if (name == "ping") {
    if (words.size() > 2) {
      reply.Failure("ERR " + WrongNumberOfArguments(name));
    } else {
      words.size() == 2 ? reply.Bulk(words[1]) : reply.Simple("PONG");
    }
  } else if (name == "echo") {
    reply.Bulk(words[1]);
  } else if (name == "time") {
    Time(reply);
  } else if (name == "command") {
    DescribeCommands(words, reply);
  } else if (name == "lolwut" && words.size() > 2 && IsWord(words[1], "VERSION") && !ToInteger(words[2])) {
    reply.Failure(kNotAnInteger);
  } else if (name == "lolwut") {
    reply.Verbatim("Ebla, behind Redis ver. " + std::string(kRedisVersion) + "\n");
  } else {
    return std::nullopt;
  }
  return reply.Take();
}

std::optional<std::string> Session::Answer(const CommandInfo& command, const Words& words) {
  const std::string_view name = command.name;
  Reply reply(line_.protocol);
  if (auto answer = AnswerAnywhere(command, words, line_.protocol)) return answer;
  if (name == "hello") {
    Hello(words, reply);
  } else if (name == "client") {
    Client(words, reply);
  } else if (name == "config") {
    Config(words, reply);
  } else if (name == "function") {
    Functions(words, reply);
  } else if (name == "quit" || name == "discard" || name == "unwatch") {
    reply.Ok();
  } else if (name == "reset") {
    Reset();
    reply = Reply(line_.protocol);
    reply.Simple("RESET");
  } else if (name == "role") {
    reply.Array(3).Bulk("master").Number(0).Array(0);
  } else if (name == "wait") {
    Wait(words, reply);
  } else if (name == "auth") {
    Auth(words, reply);
  } else {
    return std::nullopt;
  }
  return reply.Take();
}

// Like a Redis without passwords, in which the only user is logged in. With users of a cluster, the login has just
// succeeded.
void Session::Auth(const Words& words, Reply& reply) {
  if (words.size() > 3) {
    reply.Failure(kSyntax);
  } else if (logged_in_) {
    reply.Ok();
  } else if (words.size() == 2) {
    reply.Failure(
        "ERR AUTH <password> called without any password configured for the default user. Are you sure your "
        "configuration is correct?");
  } else {
    words[1] == kDefaultUser ? reply.Ok() : reply.Failure(kWrongPassword);
  }
}

void Session::Hello(const Words& words, Reply& reply) {
  int protocol = line_.protocol;
  size_t at = 1;
  if (words.size() > 1) {
    const std::optional<int64_t> wanted = ToInteger(words[at++]);
    if (!wanted) return void(reply.Failure("ERR Protocol version is not an integer or out of range"));
    if (*wanted != 2 && *wanted != 3) return void(reply.Failure("NOPROTO unsupported protocol version"));
    protocol = static_cast<int>(*wanted);
  }
  std::optional<std::string> name;
  while (at < words.size()) {
    if (IsWord(words[at], "SETNAME") && at + 1 < words.size()) {
      name = words[at + 1];
      at += 2;
    } else if (IsWord(words[at], "AUTH") && at + 2 < words.size()) {
      if (!logged_in_ && words[at + 1] != kDefaultUser) return void(reply.Failure(kWrongPassword));
      at += 3;
    } else {
      return void(reply.Failure("ERR Syntax error in HELLO option '" + words[at] + "'"));
    }
  }
  if (name && !SetName(*name, reply)) return;
  line_.protocol = protocol;
  clients_->Put(line_);
  reply = Reply(protocol);
  reply.Map(7).Bulk("server").Bulk("redis").Bulk("version").Bulk(kRedisVersion).Bulk("proto").Number(protocol);
  reply.Bulk("id").Number(line_.id).Bulk("mode").Bulk("standalone").Bulk("role").Bulk("master");
  reply.Bulk("modules").Array(0);
}

bool Session::SetName(const std::string& name, Reply& reply) {
  if (!IsClientName(name)) {
    reply.Failure("ERR Client names cannot contain spaces, newlines or special characters.");
    return false;
  }
  if (name.size() > kClientNameMax) {
    reply.Failure("ERR Client names cannot be longer than 1024 bytes");
    return false;
  }
  line_.name = name;
  clients_->Put(line_);
  return true;
}

void Session::Client(const Words& words, Reply& reply) {
  const std::string what = ToUpper(words[1]);
  const size_t size = words.size();
  if (what == "ID" && size == 2) {
    reply.Number(line_.id);
  } else if (what == "GETNAME" && size == 2) {
    line_.name.empty() ? reply.Null() : reply.Bulk(line_.name);
  } else if (what == "SETNAME" && size == 3) {
    if (SetName(words[2], reply)) reply.Ok();
  } else if (what == "INFO" && size == 2) {
    reply.Verbatim(line_.ToString() + "\n");
  } else if (what == "LIST") {
    ListClients(*clients_, words, reply);
  } else if (what == "REPLY" && size == 3) {
    ClientReply(words, reply);
  } else if (what == "KILL" && size >= 3) {
    killed_ = KillClients(*clients_, words, line_, reply);
  } else if (what == "HELP" && size == 2) {
    AnswerHelp("CLIENT",
               {{"GETNAME", "Shows this connection's name."},
                {"ID", "Shows this connection's number."},
                {"INFO", "Shows this connection's line of LIST."},
                {"KILL <ip:port> | ([ID <id>] [TYPE <type>] [USER <user>] [ADDR <ip:port>] [LADDR <ip:port>] [SKIPME "
                 "(yes|no)])",
                 "Ends connections of your user."},
                {"LIST [TYPE NORMAL] [ID <id> ...]", "Shows all connections."},
                {"REPLY (ON|OFF|SKIP)", "Whether commands are answered."},
                {"SETNAME <name>", "Names this connection."}},
               reply);
  } else {
    ClientSettings(what, words, reply);
  }
}

// Settings without effect here. Ebla accepts them as Redis does, because clients send them when they connect.
void Session::ClientSettings(const std::string& what, const Words& words, Reply& reply) {
  const size_t size = words.size();
  const auto is = [&](size_t at, std::string_view upper) { return at < size && IsWord(words[at], upper); };
  if ((what == "NO-EVICT" || what == "NO-TOUCH") && size == 3) {
    is(2, "ON") || is(2, "OFF") ? reply.Ok() : reply.Failure(kSyntax);
  } else if (what == "SETINFO" && size == 4) {
    is(2, "LIB-NAME") || is(2, "LIB-VER") ? reply.Ok() : reply.Failure("ERR Unrecognized option '" + words[2] + "'");
  } else if (what == "TRACKING" && is(2, "ON")) {
    reply.Failure("ERR client-side caching is not served by Ebla yet");
  } else if (what == "TRACKING" && size >= 3) {
    is(2, "OFF") && size == 3 ? reply.Ok() : reply.Failure(kSyntax);
  } else if (what == "CACHING" && size == 3) {
    reply.Failure(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
        "enabled");
  } else if (what == "GETREDIR" && size == 2) {
    reply.Number(-1);
  } else if (what == "TRACKINGINFO" && size == 2) {
    reply.Map(3).Bulk("flags").Set(1).Bulk("off").Bulk("redirect").Number(-1).Bulk("prefixes").Array(0);
  } else if (what == "UNBLOCK" && size > 4) {
    reply.Failure(UnknownOrWrongNumber(words));
  } else if (what == "UNBLOCK" && size == 4 && !is(3, "TIMEOUT") && !is(3, "ERROR")) {
    reply.Failure("ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR");
  } else if (what == "UNBLOCK" && size >= 3) {
    ToInteger(words[2]) ? reply.Number(0) : reply.Failure(kNotAnInteger);
  } else if (what == "UNPAUSE" && size == 2) {
    reply.Ok();
  } else if (what == "PAUSE" && size >= 3) {
    reply.Failure("ERR CLIENT PAUSE is not served by Ebla");
  } else {
    reply.Failure(WrongWithSubcommand(words));
  }
}

void Session::ClientReply(const Words& words, Reply& reply) {
  if (IsWord(words[2], "ON")) {
    replies_ = sends_ = true;
    reply.Ok();
  } else if (IsWord(words[2], "OFF")) {
    replies_ = sends_ = false;
  } else if (IsWord(words[2], "SKIP")) {
    skip_next_ = replies_;
  } else {
    reply.Failure(kSyntax);
  }
}

void Session::Reset() {
  line_.name.clear();
  line_.database = "0";
  line_.protocol = 2;
  options_ = first_options_;
  line_.user = kDefaultUser;
  line_.owner.clear();
  logged_in_ = false;
  sends_ |= !replies_;
  replies_ = true;
  skip_next_ = false;
  clients_->Put(line_);
}

// ---- CONFIG ---------------------------------------------------------------------------------------------------------

void Session::Config(const Words& words, Reply& reply) {
  const std::string what = ToUpper(words[1]);
  if (what == "GET" && words.size() >= 3) {
    size_t bytes = 0;
    for (size_t at = 2; at < words.size(); ++at) bytes += words[at].size();
    if (bytes > kPatternBytesMax) return void(reply.Failure(kPatternTooLong));
    std::vector<std::pair<std::string, std::string>> found;
    for (auto& option : OptionsAre(options_, OptionsOfAll())) {
      const bool wanted = std::any_of(words.begin() + 2, words.end(),
                                      [&](const std::string& word) { return Matches(ToLower(word), option.first); });
      if (wanted) found.push_back(std::move(option));
    }
    reply.Map(found.size());
    for (const auto& [name, value] : found) reply.Bulk(name).Bulk(value);
  } else if (what == "SET" && words.size() >= 4) {
    words.size() % 2 == 0 ? ConfigSet(words, reply) : void(reply.Failure(kSyntax));
  } else if (what == "RESETSTAT" && words.size() == 2) {
    reply.Ok();  // it is done where the counts are
  } else if (what == "REWRITE" && words.size() == 2) {
    reply.Failure("ERR The server is running without a config file");
  } else if (what == "HELP" && words.size() == 2) {
    AnswerHelp("CONFIG",
               {{"GET <pattern>", "Shows the options whose names match."},
                {"SET ebla.read strong|eventual|bounded=<duration>", "How fresh this connection's reads are."},
                {"SET ebla.ack majority|all|primary", "When this connection's writes are acknowledged."},
                {"SET ebla.transactions one-group|each-group",
                 "Whether a transaction has keys of one group alone, or each group's commands are one of their own."},
                {"SET slowlog-log-slower-than <microseconds>", "What SLOWLOG notes; -1 is nothing."},
                {"SET slowlog-max-len <count>", "How much of it is kept."},
                {"RESETSTAT", "Begins INFO's counts anew."}},
               reply);
  } else {
    reply.Failure(WrongWithSubcommand(words));
  }
}

SharedOptions Session::OptionsOfAll() const {
  return {.connections_max = clients_->most,
          .slower_than_micros = clients_->slow_log.slower_than_micros(),
          .slow_max = clients_->slow_log.most(),
          .memory = tables_ == nullptr ? MemoryBounds() : tables_->Bounds()};
}

// All of them or none.
void Session::ConfigSet(const Words& words, Reply& reply) {
  ConnectionOptions options = options_;
  SlowLogChange slow_log;
  std::set<std::string> names;
  const auto known = OptionsAre(options_, OptionsOfAll());
  for (size_t at = 2; at < words.size(); at += 2) {
    const std::string name = ToLower(words[at]);
    if (std::ranges::none_of(known, [&name](const auto& option) { return option.first == name; }))
      return void(reply.Failure(UnknownOption(words[at])));
    if (!names.insert(name).second) return void(reply.Failure(CannotSet(words[at], "duplicate parameter")));
  }
  for (size_t at = 2; at < words.size(); at += 2) {
    const std::string name = ToLower(words[at]);
    const std::optional<std::string> shared = TakeShared(name, words[at + 1], slow_log);
    const std::string failure = shared ? *shared : SetOption(name, words[at + 1], options, OptionsOfAll());
    if (!failure.empty()) return void(reply.Failure(failure));
  }
  options_ = options;
  if (slow_log.most) clients_->slow_log.set_most(*slow_log.most);
  if (slow_log.slower_than_micros) clients_->slow_log.set_slower_than_micros(*slow_log.slower_than_micros);
  reply.Ok();
}

std::optional<std::string> Session::TakeShared(const std::string& name, const std::string& value,
                                               SlowLogChange& change) const {
  const bool most = name == "slowlog-max-len";
  if (!most && name != "slowlog-log-slower-than") return std::nullopt;
  if (!line_.owner.empty()) return CannotSet(name, "it is every user's, and set by the gateway's flags");
  const std::optional<int64_t> number = ToInteger(value);
  if (!number) return CannotSet(name, "argument couldn't be parsed into an integer");
  const int64_t least = most ? 0 : -1, greatest = most ? SlowLog::kMostMax : std::numeric_limits<int64_t>::max();
  if (*number < least || *number > greatest) {
    return CannotSet(
        name, "argument must be between " + std::to_string(least) + " and " + std::to_string(greatest) + " inclusive");
  }
  (most ? change.most : change.slower_than_micros) = *number;
  return "";
}

}  // namespace ebla::gateway::redis
