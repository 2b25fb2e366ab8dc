#include "gateway/redis/options.h"

#include <algorithm>

#include "gateway/store/table_store.h"

namespace ebla::gateway::redis {
namespace {

constexpr std::string_view kRead = "ebla.read", kAck = "ebla.ack";

std::string NameOf(const Read& read) {
  switch (read.level()) {
    case Read::Level::kStrong: return "strong";
    case Read::Level::kBounded: return "bounded=" + std::to_string(read.bound().count()) + "ms";
    case Read::Level::kEventual: return "eventual";
    default: return "default";
  }
}

std::string NameOf(Ack ack) {
  switch (ack) {
    case Ack::kMajority: return "majority";
    case Ack::kAll: return "all";
    case Ack::kPrimary: return "primary";
    default: return "default";
  }
}

std::string CannotSet(const std::string& name, const std::string& why) {
  return "ERR CONFIG SET failed (possibly related to argument '" + name + "') - " + why;
}

}  // namespace

std::vector<std::pair<std::string, std::string>> OptionsAre(const Read& read, Ack ack) {
  return {{"appendfsync", "everysec"},
          {"appendonly", "yes"},
          {"cluster-enabled", "no"},
          {"databases", std::to_string(kDatabases)},
          {std::string(kAck), NameOf(ack)},
          {std::string(kRead), NameOf(read)},
          {"maxclients", "10000"},
          {"maxmemory", "0"},
          {"maxmemory-policy", "noeviction"},
          {"notify-keyspace-events", ""},
          {"proto-max-bulk-len", "1048576"},
          {"save", ""},
          {"slowlog-log-slower-than", "-1"},
          {"slowlog-max-len", "0"},
          {"tcp-keepalive", "300"},
          {"timeout", "0"}};
}

std::string SetOption(const std::string& name, const std::string& value, Read& read, Ack& ack) {
  const auto take = [&](auto parsed, auto& to) {
    if (!parsed) return CannotSet(name, parsed.error().message());
    to = *parsed;
    return std::string();
  };
  if (name == kRead) return take(ParseReadLevel(value), read);
  if (name == kAck) return take(ParseAckLevel(value), ack);
  const auto options = OptionsAre(read, ack);
  const auto found = std::ranges::find(options, name, [](const auto& option) { return option.first; });
  if (found == options.end()) return "ERR Unknown option or number of arguments for CONFIG SET - '" + name + "'";
  return found->second == value ? "" : CannotSet(name, "can't set immutable config");
}

}  // namespace ebla::gateway::redis
