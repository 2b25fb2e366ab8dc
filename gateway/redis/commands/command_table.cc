#include "gateway/redis/commands/command_table.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "functions/redis/keys/dump_commands.h"
#include "functions/redis/keys/dump_format.h"

namespace ebla::gateway::redis {
namespace {

// Commands that will never be served, because something else does their work.
constexpr std::string_view kCopies = "a table keeps what it acknowledges, and `ebla backup` makes copies";
constexpr std::string_view kReplicas = "a table has its replicas from `ebla table create --replicas`";
constexpr std::string_view kWatching = "SLOWLOG, INFO and the gateway's /metrics tell what it does";
struct Instead {
  std::string_view name, how;
};
constexpr Instead kInstead[] = {
    {"bgrewriteaof", kCopies},
    {"bgsave", kCopies},
    {"cluster", "every gateway serves all keys"},
    {"debug", kWatching},
    {"failover", kReplicas},
    {"fcall", "EVAL and EVALSHA run scripts"},
    {"fcall_ro", "EVAL_RO and EVALSHA_RO run scripts"},
    {"lastsave", kCopies},
    {"migrate", "ebla-redis-copy copies keys, or DUMP here and RESTORE there"},
    {"module", "there are none"},
    {"monitor", kWatching},
    {"move", "a database is a table of its own; COPY with DB and then DEL are two steps, which others see"},
    {"psync", kReplicas},
    {"replconf", kReplicas},
    {"replicaof", kReplicas},
    {"save", kCopies},
    {"shutdown", "SIGTERM ends the process"},
    {"slaveof", kReplicas},
    {"sync", kReplicas},
};

constexpr std::string_view kNotServed[] = {"acl",
                                           "asking",
                                           "bgrewriteaof",
                                           "bgsave",
                                           "blmove",
                                           "blmpop",
                                           "blpop",
                                           "brpop",
                                           "brpoplpush",
                                           "bzmpop",
                                           "bzpopmax",
                                           "bzpopmin",
                                           "cluster",
                                           "debug",
                                           "failover",
                                           "fcall",
                                           "fcall_ro",
                                           "geoadd",
                                           "geodist",
                                           "geohash",
                                           "geopos",
                                           "georadius",
                                           "georadius_ro",
                                           "georadiusbymember",
                                           "georadiusbymember_ro",
                                           "geosearch",
                                           "geosearchstore",
                                           "hdel",
                                           "hexists",
                                           "hget",
                                           "hgetall",
                                           "hincrby",
                                           "hincrbyfloat",
                                           "hkeys",
                                           "hlen",
                                           "hmget",
                                           "hmset",
                                           "hrandfield",
                                           "hscan",
                                           "hset",
                                           "hsetnx",
                                           "hstrlen",
                                           "hvals",
                                           "lastsave",
                                           "latency",
                                           "lindex",
                                           "linsert",
                                           "llen",
                                           "lmove",
                                           "lmpop",
                                           "lpop",
                                           "lpos",
                                           "lpush",
                                           "lpushx",
                                           "lrange",
                                           "lrem",
                                           "lset",
                                           "ltrim",
                                           "migrate",
                                           "module",
                                           "monitor",
                                           "move",
                                           "pfadd",
                                           "pfcount",
                                           "pfdebug",
                                           "pfmerge",
                                           "pfselftest",
                                           "psync",
                                           "readonly",
                                           "readwrite",
                                           "replconf",
                                           "replicaof",
                                           "restore-asking",
                                           "rpop",
                                           "rpoplpush",
                                           "rpush",
                                           "rpushx",
                                           "sadd",
                                           "save",
                                           "scard",
                                           "sdiff",
                                           "sdiffstore",
                                           "shutdown",
                                           "sinter",
                                           "sintercard",
                                           "sinterstore",
                                           "sismember",
                                           "slaveof",
                                           "smembers",
                                           "smismember",
                                           "smove",
                                           "sort",
                                           "sort_ro",
                                           "spop",
                                           "srandmember",
                                           "srem",
                                           "sscan",
                                           "sunion",
                                           "sunionstore",
                                           "swapdb",
                                           "sync",
                                           "xack",
                                           "xadd",
                                           "xautoclaim",
                                           "xclaim",
                                           "xdel",
                                           "xgroup",
                                           "xinfo",
                                           "xlen",
                                           "xpending",
                                           "xrange",
                                           "xread",
                                           "xreadgroup",
                                           "xrevrange",
                                           "xsetid",
                                           "xtrim",
                                           "zadd",
                                           "zcard",
                                           "zcount",
                                           "zdiff",
                                           "zdiffstore",
                                           "zincrby",
                                           "zinter",
                                           "zintercard",
                                           "zinterstore",
                                           "zlexcount",
                                           "zmpop",
                                           "zmscore",
                                           "zpopmax",
                                           "zpopmin",
                                           "zrandmember",
                                           "zrange",
                                           "zrangebylex",
                                           "zrangebyscore",
                                           "zrangestore",
                                           "zrank",
                                           "zrem",
                                           "zremrangebylex",
                                           "zremrangebyrank",
                                           "zremrangebyscore",
                                           "zrevrange",
                                           "zrevrangebylex",
                                           "zrevrangebyscore",
                                           "zrevrank",
                                           "zscan",
                                           "zscore",
                                           "zunion",
                                           "zunionstore"};

constexpr struct {
  Flag flag;
  std::string_view name;
} kFlagNames[] = {{kWrite, "write"},
                  {kReadOnly, "readonly"},
                  {kDenyOom, "denyoom"},
                  {kAdmin, "admin"},
                  {kNoScript, "noscript"},
                  {kLoading, "loading"},
                  {kStale, "stale"},
                  {kFast, "fast"},
                  {kNoAuth, "no_auth"},
                  {kPubSub, "pubsub"},
                  {kSkipMonitor, "skip_monitor"},
                  {kNoMandatoryKeys, "no_mandatory_keys"},
                  {kMovableKeys, "movablekeys"}};

}  // namespace

const CommandInfo* FindCommand(std::string_view name) {
  static const auto by_name = [] {
    absl::flat_hash_map<std::string_view, const CommandInfo*> map;
    for (const CommandInfo& command : AllCommands()) map.emplace(command.name, &command);
    return map;
  }();
  const auto found = by_name.find(ToLower(name));
  return found == by_name.end() ? nullptr : found->second;
}

std::span<const std::string_view> NamesNotServed() { return kNotServed; }

std::vector<std::string> CategoriesOf(const CommandInfo& command) {
  std::vector<std::string> all;
  for (std::string_view left = command.groups; !left.empty();) {
    const size_t end = std::min(left.find(','), left.size());
    all.push_back("@" + std::string(left.substr(0, end)));
    left.remove_prefix(std::min(end + 1, left.size()));
  }
  if (command.Is(kWrite)) all.emplace_back("@write");
  if (command.Is(kReadOnly)) all.emplace_back("@read");
  if (command.Is(kAdmin)) {
    all.emplace_back("@admin");
    all.emplace_back("@dangerous");
  }
  all.emplace_back(command.Is(kFast) ? "@fast" : "@slow");
  return all;
}

const std::set<std::string_view>& SubcommandsOf(const CommandInfo& command) {
  static const std::unordered_map<std::string_view, std::set<std::string_view>> known = {
      {"client",
       {"id", "getname", "setname", "info", "list", "reply", "kill", "help", "tracking", "caching", "pause", "unpause",
        "unblock", "no-evict", "getredir", "trackinginfo", "setinfo", "no-touch"}},
      {"command", {"count", "docs", "getkeys", "getkeysandflags", "help", "info", "list"}},
      {"config", {"get", "set", "resetstat", "rewrite", "help"}},
      {"function", {"delete", "dump", "flush", "help", "kill", "list", "load", "restore", "stats"}},
      {"memory", {"doctor", "help", "malloc-stats", "purge", "stats", "usage"}},
      {"object", {"encoding", "freq", "help", "idletime", "refcount"}},
      {"pubsub", {"channels", "help", "numpat", "numsub", "shardchannels", "shardnumsub"}},
      {"slowlog", {"get", "help", "len", "reset"}},
      {"script", {"debug", "exists", "flush", "help", "kill", "load"}}};
  static const std::set<std::string_view> none;
  const auto found = known.find(command.name);
  return found == known.end() ? none : found->second;
}

bool KnowsSubcommand(const CommandInfo& command, std::string_view name) {
  const std::set<std::string_view>& known = SubcommandsOf(command);
  return known.empty() || known.contains(ToLower(name));
}

std::string WrongNumberOfArguments(std::string_view name) {
  return "wrong number of arguments for '" + std::string(name) + "' command";
}

std::optional<std::string> WhyNotServed(std::string_view name) {
  const std::string lower = ToLower(name);
  if (std::ranges::find(kNotServed, std::string_view(lower)) == std::end(kNotServed)) return std::nullopt;
  const std::string text = "ERR " + ToUpper(name) + " is not served by Ebla";
  const auto instead = std::ranges::find(kInstead, std::string_view(lower), &Instead::name);
  return instead == std::end(kInstead) ? text + " yet" : text + ": " + std::string(instead->how);
}

bool HasTooLongWord(const CommandInfo& command, const Words& words) {
  const size_t most = kStringBytesMax + (command.runner.update == Restore ? kDumpFrameBytesMax : 0);
  return std::ranges::any_of(words, [most](const std::string& word) { return word.size() > most; });
}

KeyViews KeysOf(const CommandInfo& command, const Words& words) {
  KeyViews keys;
  if (command.key_count != 0) {
    const auto first = words.begin() + command.key_count + 1;
    const std::optional<int64_t> count = ToInteger(words[static_cast<size_t>(command.key_count)]);
    if (count && *count > 0 && *count <= words.end() - first) keys.assign(first, first + *count);
    return keys;
  }
  if (command.first_key == 0) return keys;
  const int size = static_cast<int>(words.size());
  const int last = command.last_key < 0 ? size + command.last_key : command.last_key;
  for (int at = command.first_key; at <= last && at < size; at += command.key_step)
    keys.push_back(words[static_cast<size_t>(at)]);
  return keys;
}

std::vector<std::string> CopiedKeysOf(const CommandInfo& command, const Words& words) {
  const KeyViews keys = KeysOf(command, words);
  return {keys.begin(), keys.end()};
}

void Describe(const CommandInfo& command, Reply& reply) {
  reply.Array(10).Bulk(command.name).Number(command.arity);
  const auto flags = std::ranges::count_if(kFlagNames, [&](const auto& named) { return command.Is(named.flag); });
  reply.Set(static_cast<size_t>(flags));
  for (const auto& [flag, name] : kFlagNames) {
    if (command.Is(flag)) reply.Simple(name);
  }
  reply.Number(command.first_key).Number(command.last_key).Number(command.key_step);
  const std::vector<std::string> categories = CategoriesOf(command);
  reply.Set(categories.size());
  for (const std::string& category : categories) reply.Simple(category);
  reply.Array(0).Array(0).Array(0);  // tips, key specifications, subcommands
}

}  // namespace ebla::gateway::redis
