#include "gateway/redis/options.h"

#include <algorithm>
#include <charconv>

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

bool ToRead(std::string_view text, Read& read) {
  if (text == "default") return read = Read(), true;
  if (text == "strong") return read = Read::Strong(), true;
  if (text == "eventual") return read = Read::Eventual(), true;
  if (!text.starts_with("bounded=")) return false;
  text.remove_prefix(8);
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit(end, text.data() + text.size());
  if (error != std::errc() || (unit != "ms" && unit != "s") || number < 1 || number > 3'600'000) return false;
  const std::chrono::milliseconds bound(unit == "s" ? number * 1000 : number);
  if (bound > std::chrono::hours(1)) return false;
  read = Read::Bounded(bound);
  return true;
}

bool ToAck(std::string_view text, Ack& ack) {
  for (const Ack one : {Ack::kDefault, Ack::kMajority, Ack::kAll, Ack::kPrimary}) {
    if (text == NameOf(one)) return ack = one, true;
  }
  return false;
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
  if (name == kRead)
    return ToRead(value, read) ? "" : CannotSet(name, "it is strong, eventual, default, or bounded= and 1ms to 3600s");
  if (name == kAck) return ToAck(value, ack) ? "" : CannotSet(name, "it is majority, all, primary or default");
  const auto options = OptionsAre(read, ack);
  const auto found = std::ranges::find(options, name, [](const auto& option) { return option.first; });
  if (found == options.end()) return "ERR Unknown option or number of arguments for CONFIG SET - '" + name + "'";
  return found->second == value ? "" : CannotSet(name, "can't set immutable config");
}

}  // namespace ebla::gateway::redis
