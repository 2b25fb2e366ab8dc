#include "gateway/redis/session.h"

#include <algorithm>

#include "gateway/redis/glob.h"
#include "gateway/redis/options.h"

namespace ebla::gateway::redis {
namespace {

using Clock = std::chrono::steady_clock;

// How old what others see of a busy connection may be.
constexpr std::chrono::seconds kShownEvery{1};
constexpr std::string_view kDefaultUser = "default";

int64_t SecondsSince(Clock::time_point then) {
  return std::chrono::duration_cast<std::chrono::seconds>(Clock::now() - then).count();
}

void UnknownSubcommand(const Words& words, Reply& reply) {
  reply.Failure("ERR unknown subcommand '" + words[1].substr(0, 128) + "'. Try " + ToUpper(words[0]) + " HELP.");
}

void WrongNumber(const Words& words, Reply& reply) {
  reply.Failure("ERR wrong number of arguments for '" + ToLower(words[0]) + "|" + ToLower(words[1]) + "' command");
}

void Help(const std::string& command, std::initializer_list<std::string_view> lines, Reply& reply) {
  reply.Array(lines.size() + 3).Simple(command + " <subcommand> [<arg> [value] [opt] ...]. Subcommands are:");
  for (const std::string_view line : lines) reply.Simple(line);
  reply.Simple("HELP").Simple("    Shows this.");
}

void Time(Reply& reply) {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const int64_t micros = std::chrono::duration_cast<std::chrono::microseconds>(now).count();
  reply.Array(2).Bulk(std::to_string(micros / 1'000'000)).Bulk(std::to_string(micros % 1'000'000));
}

}  // namespace

bool IsClientName(std::string_view name) {
  return std::ranges::all_of(name, [](char c) { return c >= '!' && c <= '~'; });
}

// ---- Clients ----------------------------------------------------------------------------------------------------------

std::string ClientLine::ToString() const {
  return "id=" + std::to_string(id) + " addr=" + address + " laddr= fd=-1 name=" + name +
         " age=" + std::to_string(SecondsSince(since)) + " idle=" + std::to_string(SecondsSince(active)) +
         " flags=" + (channels + patterns > 0 ? "P" : "N") + " db=" + database + " sub=" + std::to_string(channels) +
         " psub=" + std::to_string(patterns) + " ssub=0 multi=-1 qbuf=0 qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 " +
         "rbp=0 obl=0 oll=0 omem=0 tot-mem=0 events=r cmd=" + (command.empty() ? "NULL" : command) + " user=" + user +
         " redir=-1 resp=" + std::to_string(protocol);
}

void Clients::Put(const ClientLine& line) {
  MutexLock lock(mutex_);
  lines_[line.id] = line;
}

void Clients::Forget(int64_t id) {
  MutexLock lock(mutex_);
  lines_.erase(id);
}

std::vector<ClientLine> Clients::All() const {
  MutexLock lock(mutex_);
  std::vector<ClientLine> all;
  for (const auto& [id, line] : lines_) all.push_back(line);
  return all;
}

size_t Clients::size() const {
  MutexLock lock(mutex_);
  return lines_.size();
}

// ---- Session ----------------------------------------------------------------------------------------------------------

Session::Session(std::shared_ptr<Clients> clients, std::string address, const ConnectionOptions& options)
    : clients_(std::move(clients)), first_options_(options) {
  line_.id = clients_->NextId();
  line_.address = std::move(address);
  line_.since = line_.active = Clock::now();
  clients_->connections.fetch_add(1, std::memory_order_relaxed);
  clients_->Put(line_);
}

Session::~Session() { clients_->Forget(line_.id); }

bool Session::Begin(const CommandInfo& command, const Words& words) {
  clients_->commands.fetch_add(1, std::memory_order_relaxed);
  const auto now = Clock::now();
  const bool stale = now - line_.active >= kShownEvery;
  line_.active = now;
  line_.command = command.name;
  if (command.name == "client" && words.size() > 1) line_.command += "|" + ToLower(words[1]);
  if (stale || command.Is(kAdmin) || command.name == "client") clients_->Put(line_);
  if (command.name == "client") {
    return !std::exchange(skip_next_, false);  // whether replies are on is seen once it has run
  }
  return !std::exchange(skip_next_, false) && replies_;
}

std::optional<std::string> AnswerAnywhere(const CommandInfo& command, const Words& words, int protocol) {
  Reply reply(protocol);
  const std::string_view name = command.name;
  if (name == "ping") {
    if (words.size() > 2) {
      reply.Failure("ERR wrong number of arguments for 'ping' command");
    } else {
      words.size() == 2 ? reply.Bulk(words[1]) : reply.Simple("PONG");
    }
  } else if (name == "echo") {
    reply.Bulk(words[1]);
  } else if (name == "time") {
    Time(reply);
  } else if (name == "command") {
    DescribeCommands(words, reply);
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
  } else if (name == "info") {
    reply.Verbatim(InfoText(*clients_, {words.begin() + 1, words.end()}));
  } else if (name == "quit" || name == "discard" || name == "unwatch") {
    reply.Ok();
  } else if (name == "reset") {
    Reset();
    reply = Reply(line_.protocol);
    reply.Simple("RESET");
  } else if (name == "role") {
    reply.Array(3).Bulk("master").Number(0).Array(0);
  } else if (name == "wait") {
    reply.Number(0);
  } else if (name == "auth") {
    Auth(words, reply);
  } else {
    return std::nullopt;
  }
  return reply.Take();
}

// As a Redis without passwords does, whose only user is in; where there are users, that one has just shown his.
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
    ClientList(words, reply);
  } else if (what == "REPLY" && size == 3) {
    ClientReply(words, reply);
  } else if (what == "KILL" && size >= 3) {
    ClientKill(words, reply);
  } else if (what == "HELP" && size == 2) {
    Help("CLIENT",
         {"GETNAME", "    Shows this connection's name.", "ID", "    Shows this connection's number.", "INFO",
          "    Shows this connection's line of LIST.", "LIST [TYPE NORMAL] [ID <id> ...]", "    Shows all connections.",
          "REPLY (ON|OFF|SKIP)", "    Whether commands are answered.", "SETNAME <name>", "    Names this connection."},
         reply);
  } else {
    ClientSettings(what, words, reply);
  }
}

// Of what makes no difference here: accepted where Redis does, as clients send it when they connect.
void Session::ClientSettings(const std::string& what, const Words& words, Reply& reply) {
  const size_t size = words.size();
  const auto is = [&](size_t at, std::string_view upper) { return at < size && IsWord(words[at], upper); };
  if ((what == "NO-EVICT" || what == "NO-TOUCH") && size == 3) {
    is(2, "ON") || is(2, "OFF") ? reply.Ok() : reply.Failure(kSyntax);
  } else if (what == "SETINFO" && size == 4) {
    is(2, "LIB-NAME") || is(2, "LIB-VER") ? reply.Ok() : reply.Failure("ERR Unrecognized option '" + words[2] + "'");
  } else if (what == "TRACKING" && size >= 3) {
    is(2, "OFF") ? reply.Ok() : reply.Failure("ERR client-side caching is not served by Ebla yet");
  } else if (what == "CACHING" && size == 3) {
    reply.Failure(
        "ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode "
        "enabled");
  } else if (what == "GETREDIR" && size == 2) {
    reply.Number(-1);
  } else if (what == "TRACKINGINFO" && size == 2) {
    reply.Map(3).Bulk("flags").Set(1).Bulk("off").Bulk("redirect").Number(-1).Bulk("prefixes").Array(0);
  } else if (what == "UNBLOCK" && size >= 3) {
    ToInteger(words[2]) ? reply.Number(0) : reply.Failure(kNotAnInteger);
  } else if (what == "UNPAUSE" && size == 2) {
    reply.Ok();
  } else if (what == "PAUSE" && size >= 3) {
    reply.Failure("ERR CLIENT PAUSE is not served by Ebla");
  } else if (KnowsSubcommand(*FindCommand("client"), what)) {
    WrongNumber(words, reply);
  } else {
    UnknownSubcommand(words, reply);
  }
}

void Session::ClientReply(const Words& words, Reply& reply) {
  if (IsWord(words[2], "ON")) {
    replies_ = true;
    reply.Ok();
  } else if (IsWord(words[2], "OFF")) {
    replies_ = false;
  } else if (IsWord(words[2], "SKIP")) {
    skip_next_ = replies_;
  } else {
    reply.Failure(kSyntax);
  }
}

void Session::ClientKill(const Words& words, Reply& reply) const {
  const bool old_form = words.size() == 3;
  const std::vector<ClientLine> all = clients_->All();
  const auto there = std::ranges::any_of(all, [&](const ClientLine& line) {
    return line.address == words.back() || (!old_form && std::to_string(line.id) == words.back());
  });
  if (there) {
    reply.Failure("ERR CLIENT KILL is not served by Ebla yet");
  } else if (old_form) {
    reply.Failure("ERR No such client");
  } else {
    reply.Number(0);
  }
}

void Session::ClientList(const Words& words, Reply& reply) const {
  std::vector<ClientLine> lines = clients_->All();
  const bool by_type = words.size() == 4 && IsWord(words[2], "TYPE");
  const bool by_id = words.size() > 3 && IsWord(words[2], "ID");
  if (words.size() > 2 && !by_type && !by_id) return void(reply.Failure(kSyntax));
  if (by_type) {
    const bool normal = IsWord(words[3], "NORMAL"), listens = IsWord(words[3], "PUBSUB");
    if (!normal && !listens && !IsWord(words[3], "MASTER") && !IsWord(words[3], "REPLICA"))
      return void(reply.Failure("ERR Unknown client type '" + words[3] + "'"));
    std::erase_if(lines,
                  [&](const ClientLine& line) { return !(line.channels + line.patterns > 0 ? listens : normal); });
  }
  if (by_id) {
    for (size_t at = 3; at < words.size(); ++at) {
      if (!ToInteger(words[at])) return void(reply.Failure("ERR Invalid client ID"));
    }
    std::erase_if(lines, [&](const ClientLine& line) {
      return std::find(words.begin() + 3, words.end(), std::to_string(line.id)) == words.end();
    });
  }
  std::string text;
  for (const ClientLine& line : lines) text += line.ToString() + "\n";
  reply.Verbatim(text);
}

void Session::Reset() {
  line_.name.clear();
  line_.database = "0";
  line_.protocol = 2;
  options_ = first_options_;
  line_.user = kDefaultUser;
  line_.owner.clear();
  logged_in_ = false;
  replies_ = true;
  skip_next_ = false;
  clients_->Put(line_);
}

// ---- CONFIG -----------------------------------------------------------------------------------------------------------

void Session::Config(const Words& words, Reply& reply) {
  const std::string what = ToUpper(words[1]);
  if (what == "GET" && words.size() >= 3) {
    std::vector<std::pair<std::string, std::string>> found;
    for (auto& option : OptionsAre(options_)) {
      const bool wanted = std::any_of(words.begin() + 2, words.end(),
                                      [&](const std::string& word) { return Matches(ToLower(word), option.first); });
      if (wanted) found.push_back(std::move(option));
    }
    reply.Map(found.size());
    for (const auto& [name, value] : found) reply.Bulk(name).Bulk(value);
  } else if (what == "SET" && words.size() >= 4 && words.size() % 2 == 0) {
    ConfigSet(words, reply);
  } else if (what == "RESETSTAT" && words.size() == 2) {
    clients_->commands = 0;
    clients_->connections = 0;
    reply.Ok();
  } else if (what == "REWRITE" && words.size() == 2) {
    reply.Failure("ERR The server is running without a config file");
  } else if (what == "HELP" && words.size() == 2) {
    Help("CONFIG",
         {"GET <pattern>", "    Shows the options whose names match.",
          "SET ebla.read strong|eventual|bounded=<duration>", "    How fresh this connection's reads are.",
          "SET ebla.ack majority|all|primary", "    When this connection's writes are acknowledged.",
          "SET ebla.transactions one-group|each-group",
          "    Whether a transaction has keys of one group alone, or each group's commands are one of their own.",
          "RESETSTAT", "    Begins INFO's counts anew."},
         reply);
  } else if (what == "GET" || what == "SET" || what == "RESETSTAT" || what == "REWRITE" || what == "HELP") {
    WrongNumber(words, reply);
  } else {
    UnknownSubcommand(words, reply);
  }
}

void Session::ConfigSet(const Words& words, Reply& reply) {
  ConnectionOptions options = options_;
  for (size_t at = 2; at < words.size(); at += 2) {
    const std::string failure = SetOption(ToLower(words[at]), words[at + 1], options);
    if (!failure.empty()) return void(reply.Failure(failure));
  }
  options_ = options;
  reply.Ok();
}

}  // namespace ebla::gateway::redis
