#include "gateway/redis/connections/clients.h"

#include <algorithm>
#include <optional>

namespace ebla::gateway::redis {
namespace {

int64_t SecondsSince(std::chrono::steady_clock::time_point then) {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - then).count();
}

std::string FlagsOf(const ClientLine& line) {
  std::string flags;
  if (line.listens()) flags += 'P';
  if (line.queue != nullptr && line.queue->commands >= 0) flags += 'x';
  return flags.empty() ? "N" : flags;
}

// Connections of one kind. Masters and replicas there are none.
std::optional<bool> IsOfType(const ClientLine& line, const std::string& type) {
  if (IsWord(type, "NORMAL")) return !line.listens() && !line.command.starts_with("ebla.");  // another gateway's
  if (IsWord(type, "PUBSUB")) return line.listens();
  if (IsWord(type, "MASTER") || IsWord(type, "REPLICA") || IsWord(type, "SLAVE")) return false;
  return std::nullopt;
}

struct KillFilter {
  std::optional<std::string> address, local, user, type;
  std::optional<int64_t> id;
  bool skip_me = true;
  std::string failure;  // why it is none

  bool Matches(const ClientLine& line, const ClientLine& own) const {
    if (line.owner != own.owner || (skip_me && line.id == own.id)) return false;
    if (address && line.address != *address) return false;
    if (user && line.user != *user) return false;
    if (type && !IsOfType(line, *type).value_or(false)) return false;
    if (id && line.id != *id) return false;
    if (!local) return true;
    const auto sink = line.sink.lock();
    return sink != nullptr && sink->vitals().local == *local;
  }
};

// An option and its value; false: the filter has the error.
bool TakeOption(const std::string& option, const std::string& value, KillFilter& filter) {
  if (IsWord(option, "ID")) {
    filter.id = ToInteger(value);
    if (filter.id.value_or(0) < 1) filter.failure = "ERR client-id should be greater than 0";
  } else if (IsWord(option, "TYPE")) {
    filter.type = value;
    if (!IsOfType({}, value)) filter.failure = "ERR Unknown client type '" + value + "'";
  } else if (IsWord(option, "ADDR")) {
    filter.address = value;
  } else if (IsWord(option, "LADDR")) {
    filter.local = value;
  } else if (IsWord(option, "USER")) {
    filter.user = value;
  } else if (IsWord(option, "SKIPME") && (IsWord(value, "YES") || IsWord(value, "NO"))) {
    filter.skip_me = IsWord(value, "YES");
  } else {
    filter.failure = kSyntax;
  }
  return filter.failure.empty();
}

KillFilter KillFilterIn(const Words& words, const std::vector<ClientLine>& all) {
  KillFilter filter;
  if (words.size() == 3) {
    filter.address = words[2];
    filter.skip_me = false;
    return filter;
  }
  for (size_t at = 2; at < words.size(); at += 2) {
    if (at + 1 == words.size()) {
      filter.failure = kSyntax;
      return filter;
    }
    if (!TakeOption(words[at], words[at + 1], filter)) return filter;
    // Users are known by their connections alone.
    const auto is_user = [&](const ClientLine& line) { return line.user == *filter.user; };
    if (!IsWord(words[at], "USER") || *filter.user == "default" || std::ranges::any_of(all, is_user)) continue;
    filter.failure = "ERR No such user '" + words[at + 1] + "'";
    return filter;
  }
  return filter;
}

}  // namespace

std::string ClientLine::ToString() const {
  const auto connection = sink.lock();
  const ConnectionVitals vitals = connection == nullptr ? ConnectionVitals() : connection->vitals();
  const int64_t queued = queue == nullptr ? -1 : queue->commands.load();
  const size_t queued_bytes = queue == nullptr ? 0 : queue->bytes.load();
  const auto number = [](auto value) { return std::to_string(value); };
  return "id=" + number(id) + " addr=" + address + " laddr=" + vitals.local + " fd=" + number(vitals.fd) +
         " name=" + name + " age=" + number(SecondsSince(since)) + " idle=" + number(SecondsSince(active)) +
         " flags=" + FlagsOf(*this) + " db=" + database + " sub=" + number(channels) + " psub=" + number(patterns) +
         " ssub=" + number(shards) + " multi=" + number(queued) + " qbuf=" + number(vitals.read_bytes) +
         " qbuf-free=0 argv-mem=0 multi-mem=" + number(queued_bytes) +
         " rbs=0 rbp=0 obl=0 oll=0 omem=" + number(vitals.unsent_bytes) + " tot-mem=" + number(vitals.held_bytes) +
         " events=" + (vitals.unsent_bytes > 0 ? "rw" : "r") + " cmd=" + (command.empty() ? "NULL" : command) +
         " user=" + user + " redir=-1 resp=" + number(protocol);
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

ClientLine Clients::Find(int64_t id) const {
  MutexLock lock(mutex_);
  const auto found = lines_.find(id);
  return found == lines_.end() ? ClientLine() : found->second;
}

size_t Clients::size() const {
  MutexLock lock(mutex_);
  return lines_.size();
}

void ListClients(const Clients& clients, const Words& words, Reply& reply) {
  std::vector<ClientLine> lines = clients.All();
  const bool by_type = words.size() == 4 && IsWord(words[2], "TYPE");
  const bool by_id = words.size() > 3 && IsWord(words[2], "ID");
  if (words.size() > 2 && !by_type && !by_id) return void(reply.Failure(kSyntax));
  if (by_type) {
    if (!IsOfType({}, words[3])) return void(reply.Failure("ERR Unknown client type '" + words[3] + "'"));
    std::erase_if(lines, [&](const ClientLine& line) { return !*IsOfType(line, words[3]); });
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

bool KillClients(const Clients& clients, const Words& words, const ClientLine& own, Reply& reply) {
  const std::vector<ClientLine> all = clients.All();
  const KillFilter filter = KillFilterIn(words, all);
  if (!filter.failure.empty()) {
    reply.Failure(filter.failure);
    return false;
  }
  int64_t killed = 0;
  bool itself = false;
  for (const ClientLine& line : all) {
    if (!filter.Matches(line, own)) continue;
    ++killed;
    if (line.id == own.id) {
      itself = true;
    } else if (const auto sink = line.sink.lock()) {
      sink->End();
    }
  }
  if (words.size() > 3) {
    reply.Number(killed);
  } else {
    killed > 0 ? reply.Ok() : reply.Failure("ERR No such client");
  }
  return itself;
}

}  // namespace ebla::gateway::redis
