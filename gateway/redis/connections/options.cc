#include "gateway/redis/connections/options.h"

#include <algorithm>

#include "ebla/level_names.h"
#include "gateway/redis/databases/databases.h"
#include "gateway/redis/scripts/engine/script_engine.h"
#include "gateway/redis/wire/names.h"
#include "gateway/store/table_store.h"

namespace ebla::gateway::redis {
namespace {

constexpr std::string_view kRead = "ebla.read", kAck = "ebla.ack", kTransactions = "ebla.transactions";
constexpr std::string_view kOneGroup = "one-group", kEachGroup = "each-group";

}  // namespace

std::string CannotSet(const std::string& name, const std::string& why) {
  return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why;
}

std::string UnknownOption(const std::string& name) {
  return "ERR Unknown option or number of arguments for CONFIG SET - '" + name + "'";
}

std::vector<std::pair<std::string, std::string>> OptionsAre(const ConnectionOptions& options,
                                                            const SharedOptions& shared) {
  const std::string script_time = std::to_string(ScriptLimits().time.count());
  return {{"appendfsync", "everysec"},
          {"appendonly", "yes"},
          {"cluster-enabled", "no"},
          {"databases", std::to_string(kDatabases)},
          {std::string(kAck), FormatAck(options.ack)},
          {std::string(kRead), FormatRead(options.read)},
          {std::string(kTransactions),
           std::string(options.transactions == Transactions::kOneGroup ? kOneGroup : kEachGroup)},
          {"busy-reply-threshold", script_time},
          {"lua-time-limit", script_time},
          {"maxclients", std::to_string(shared.connections_max)},
          {"maxmemory", std::to_string(shared.memory.bytes_max)},
          {"maxmemory-policy", std::string(shared.memory.policy)},
          {"notify-keyspace-events", ""},
          {"proto-max-bulk-len", std::to_string(kStringBytesMax)},
          {"save", ""},
          {"slowlog-log-slower-than", std::to_string(shared.slower_than_micros)},
          {"slowlog-max-len", std::to_string(shared.slow_max)},
          {"tcp-keepalive", "300"},
          {"timeout", "0"}};
}

Result<Transactions> ParseTransactions(std::string_view text) {
  if (text == kOneGroup) return Transactions::kOneGroup;
  if (text == kEachGroup) return Transactions::kEachGroup;
  return Error(Code::kInvalidArgument,
               "\"" + std::string(text) + "\" is no kind of transactions: write one-group or each-group");
}

std::string SetOption(const std::string& name, const std::string& value, ConnectionOptions& options,
                      const SharedOptions& shared) {
  const auto take = [&](auto parsed, auto& to) {
    if (!parsed) return CannotSet(name, parsed.error().message());
    to = *parsed;
    return std::string();
  };
  if (name == kRead) return take(ParseReadLevel(value), options.read);
  if (name == kAck) return take(ParseAckLevel(value), options.ack);
  if (name == kTransactions) return take(ParseTransactions(value), options.transactions);
  const auto all = OptionsAre(options, shared);
  const auto found = std::ranges::find(all, name, [](const auto& option) { return option.first; });
  if (found == all.end()) return UnknownOption(name);
  return found->second == value ? "" : CannotSet(name, "can't set immutable config");
}

}  // namespace ebla::gateway::redis
