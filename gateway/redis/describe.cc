// COMMAND and INFO.
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "common/process/process.h"
#include "gateway/redis/connection_state.h"
#include "gateway/redis/glob.h"
#include "gateway/redis/options.h"

namespace ebla::gateway::redis {
namespace {

void DescribeNamed(const Words& words, Reply& reply) {
  reply.Array(words.size() - 2);
  for (size_t at = 2; at < words.size(); ++at) {
    const CommandInfo* const command = FindCommand(words[at]);
    command == nullptr ? void(reply.Null()) : Describe(*command, reply);
  }
}

void DescribeAll(Reply& reply) {
  reply.Array(AllCommands().size());
  for (const CommandInfo& command : AllCommands()) Describe(command, reply);
}

// Without a text of each: its name and group alone.
void Docs(const Words& words, Reply& reply) {
  std::vector<const CommandInfo*> wanted;
  for (const CommandInfo& command : AllCommands()) {
    const bool named = words.size() == 2 || std::any_of(words.begin() + 2, words.end(), [&](const std::string& word) {
                         return ToLower(word) == command.name;
                       });
    if (named) wanted.push_back(&command);
  }
  reply.Map(wanted.size());
  for (const CommandInfo* const command : wanted) {
    reply.Bulk(command->name).Map(2).Bulk("summary").Bulk("").Bulk("group");
    reply.Bulk(command->groups.empty() ? "server" : command->groups.substr(0, command->groups.find(',')));
  }
}

void GetKeys(const Words& words, Reply& reply) {
  const Words named(words.begin() + 2, words.end());
  const CommandInfo* const command = FindCommand(named[0]);
  if (command == nullptr) return void(reply.Failure("ERR Invalid command specified"));
  if (!command->HasKeys()) return void(reply.Failure("ERR The command has no key arguments"));
  if (!command->Takes(named.size()))
    return void(reply.Failure("ERR Invalid number of arguments specified for command"));
  const std::vector<std::string_view> keys = KeysOf(*command, named);
  reply.Array(keys.size());
  for (const std::string_view key : keys) reply.Bulk(key);
}

void ListNames(const Words& words, Reply& reply) {
  std::string pattern = "*";
  if (words.size() == 5 && IsWord(words[2], "FILTERBY") && IsWord(words[3], "PATTERN")) {
    pattern = ToLower(words[4]);
  } else if (words.size() != 2) {
    return void(reply.Failure(kSyntax));
  }
  std::vector<std::string_view> names;
  for (const CommandInfo& command : AllCommands()) {
    if (Matches(pattern, command.name)) names.push_back(command.name);
  }
  reply.Array(names.size());
  for (const std::string_view name : names) reply.Bulk(name);
}

int64_t ResidentBytes() {
  std::ifstream in("/proc/self/statm");
  int64_t total = 0, resident = 0;
  in >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

using Line = std::pair<std::string_view, std::string>;
using Section = std::pair<std::string_view, std::vector<Line>>;

std::vector<Section> Sections(const Shared& shared) {
  const Clients& clients = *shared.clients;
  const Channels& channels = *shared.channels;
  Scripts& scripts = *shared.scripts;
  const auto up = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now() - clients.began);
  utsname system{};
  uname(&system);
  const std::string memory = std::to_string(ResidentBytes());
  return {{"Server",
           {{"redis_version", std::string(kRedisVersion)},
            {"redis_mode", "standalone"},
            {"ebla_version", std::string(process::BuildVersion())},
            {"os", std::string(system.sysname) + " " + system.release + " " + system.machine},
            {"arch_bits", std::to_string(8 * sizeof(void*))},
            {"process_id", std::to_string(getpid())},
            {"uptime_in_seconds", std::to_string(up.count())},
            {"uptime_in_days", std::to_string(up.count() / 86'400)}}},
          {"Clients",
           {{"connected_clients", std::to_string(clients.size())},
            {"maxclients", std::to_string(clients.most)},
            {"blocked_clients", "0"}}},
          {"Memory",
           {{"used_memory", memory},
            {"used_memory_rss", memory},
            {"used_memory_scripts", std::to_string(scripts.cache().bytes())},
            {"number_of_cached_scripts", std::to_string(scripts.cache().size())},
            {"maxmemory", "0"},
            {"maxmemory_policy", "noeviction"}}},
          {"Persistence", {{"loading", "0"}, {"rdb_changes_since_last_save", "0"}, {"aof_enabled", "1"}}},
          {"Stats",
           {{"total_connections_received", std::to_string(clients.connections)},
            {"total_commands_processed", std::to_string(clients.commands)},
            {"pubsub_channels", std::to_string(channels.Count(ChannelKind::kChannel))},
            {"pubsub_patterns", std::to_string(channels.Count(ChannelKind::kPattern))},
            {"pubsubshard_channels", std::to_string(channels.Count(ChannelKind::kShard))}}},
          {"Scripts",
           {{"scripts_running", std::to_string(scripts.running())},
            {"scripts_waiting", std::to_string(scripts.waiting())}}},
          {"Replication", {{"role", "master"}, {"connected_slaves", "0"}}},
          {"Cluster", {{"cluster_enabled", "0"}}}};
}

}  // namespace

void DescribeCommands(const Words& words, Reply& reply) {
  if (words.size() == 1) return DescribeAll(reply);
  const std::string what = ToUpper(words[1]);
  if (what == "COUNT" && words.size() == 2) {
    reply.Number(static_cast<int64_t>(AllCommands().size()));
  } else if (what == "INFO") {
    words.size() == 2 ? DescribeAll(reply) : DescribeNamed(words, reply);
  } else if (what == "DOCS") {
    Docs(words, reply);
  } else if (what == "LIST") {
    ListNames(words, reply);
  } else if (what == "GETKEYS" && words.size() > 3) {
    GetKeys(words, reply);
  } else if (what == "COUNT" || what == "GETKEYS") {
    reply.Failure("ERR wrong number of arguments for 'command|" + ToLower(words[1]) + "' command");
  } else {
    reply.Failure("ERR unknown subcommand '" + words[1].substr(0, 128) + "'. Try COMMAND HELP.");
  }
}

std::string InfoText(const Shared& shared, const Words& sections) {
  const auto wanted = [&](std::string_view name) {
    return sections.empty() || std::ranges::any_of(sections, [&](const std::string& section) {
             const std::string lower = ToLower(section);
             return lower == ToLower(name) || lower == "all" || lower == "default" || lower == "everything";
           });
  };
  std::string text;
  for (const auto& [name, lines] : Sections(shared)) {
    if (!wanted(name)) continue;
    text += (text.empty() ? "# " : "\r\n# ") + std::string(name) + "\r\n";
    for (const auto& [key, value] : lines) text += std::string(key) + ":" + value + "\r\n";
  }
  return text;
}

}  // namespace ebla::gateway::redis
