#include "gateway/redis/command_table.h"

#include <absl/container/flat_hash_map.h>

#include <algorithm>
#include <array>
#include <unordered_map>

#include "common/redis/bit_commands.h"
#include "common/redis/dump_commands.h"
#include "common/redis/dump_format.h"
#include "common/redis/expiry_commands.h"
#include "common/redis/string_commands.h"
#include "gateway/redis/key_commands.h"
#include "gateway/redis/script_commands.h"

namespace ebla::gateway::redis {
namespace {

constexpr uint32_t kAlways = kLoading | kStale;
constexpr uint32_t kLogin = kNoScript | kLoading | kStale | kFast | kNoAuth;
constexpr uint32_t kChange = kWrite | kDenyOom;
constexpr uint32_t kRunsScript = kNoScript | kStale | kSkipMonitor | kNoMandatoryKeys | kMovableKeys;
constexpr uint32_t kListens = kPubSub | kNoScript | kLoading | kStale;

void TypeOf(Update& update) { update.reply.Simple(update.old ? "string" : "none"); }

constexpr CommandInfo kCommands[] = {
    // Connection, and what there is to know.
    {"auth", -2, kLogin | kOwn, 0, 0, 0, "connection"},
    {"client", -2, kNoScript | kAlways | kOwn, 0, 0, 0, "connection"},
    {"command", -1, kAlways | kOwn, 0, 0, 0, "connection"},
    {"config", -2, kAdmin | kNoScript | kAlways | kOwn, 0, 0, 0, ""},
    {"echo", 2, kAlways | kFast | kOwn, 0, 0, 0, "connection"},
    {"hello", -1, kLogin | kOwn, 0, 0, 0, "connection"},
    {"info", -1, kAlways | kOwn, 0, 0, 0, "dangerous"},
    {"lolwut", -1, kReadOnly | kFast | kOwn, 0, 0, 0, ""},
    {"memory", -2, kReadOnly, 0, 0, 0, "", Memory},
    {"ping", -1, kFast | kOwn, 0, 0, 0, "connection"},
    {"quit", -1, kLogin | kOwn, 0, 0, 0, "connection"},
    {"reset", 1, kLogin | kOwn, 0, 0, 0, "connection"},
    {"role", 1, kNoScript | kAlways | kFast | kAdmin | kOwn, 0, 0, 0, ""},
    {"select", 2, kAlways | kFast, 0, 0, 0, "connection"},
    {"slowlog", -2, kAdmin | kAlways | kOwn, 0, 0, 0, ""},
    {"time", 1, kAlways | kFast | kOwn, 0, 0, 0, ""},
    {"wait", 3, kNoScript | kOwn, 0, 0, 0, "connection"},
    // Messages.
    {"ebla.deliver", 4, kAdmin | kNoScript, 0, 0, 0, "pubsub", Deliver},
    {"ebla.peer", 2, kAdmin | kNoScript, 0, 0, 0, "pubsub", MeetPeer},
    {"psubscribe", -2, kListens | kOwn, 0, 0, 0, "pubsub"},
    {"publish", 3, kPubSub | kLoading | kStale | kFast, 0, 0, 0, "pubsub", Publish},
    {"pubsub", -2, kLoading | kStale | kOwn, 0, 0, 0, ""},
    {"punsubscribe", -1, kListens | kOwn, 0, 0, 0, "pubsub"},
    {"spublish", 3, kPubSub | kLoading | kStale | kFast, 0, 0, 0, "pubsub", Publish},
    {"ssubscribe", -2, kListens | kOwn, 0, 0, 0, "pubsub"},
    {"subscribe", -2, kListens | kOwn, 0, 0, 0, "pubsub"},
    {"sunsubscribe", -1, kListens | kOwn, 0, 0, 0, "pubsub"},
    {"unsubscribe", -1, kListens | kOwn, 0, 0, 0, "pubsub"},
    // Scripts.
    {"eval", -3, kRunsScript, 0, 0, 0, "scripting", EvalCommand, 2},
    {"eval_ro", -3, kRunsScript | kReadOnly, 0, 0, 0, "scripting", EvalCommand, 2},
    {"evalsha", -3, kRunsScript, 0, 0, 0, "scripting", EvalCommand, 2},
    {"evalsha_ro", -3, kRunsScript | kReadOnly, 0, 0, 0, "scripting", EvalCommand, 2},
    {"function", -2, kNoScript | kAlways | kOwn, 0, 0, 0, "scripting"},
    {"script", -2, kNoScript, 0, 0, 0, "scripting", ScriptCommand},
    // Transactions.
    {"discard", 1, kNoScript | kAlways | kFast | kOwn, 0, 0, 0, "transaction"},
    {"exec", 1, kNoScript | kLoading | kStale, 0, 0, 0, "transaction"},
    {"multi", 1, kNoScript | kAlways | kFast, 0, 0, 0, "transaction"},
    {"unwatch", 1, kNoScript | kAlways | kFast | kOwn, 0, 0, 0, "transaction"},
    {"watch", -2, kNoScript | kAlways | kFast | kAlone, 1, -1, 1, "transaction"},
    // Strings.
    {"append", 3, kChange | kFast, 1, 1, 1, "string", Append},
    {"decr", 2, kChange | kFast, 1, 1, 1, "string", Increment},
    {"decrby", 3, kChange | kFast, 1, 1, 1, "string", Increment},
    {"get", 2, kReadOnly | kFast | kFetches, 1, 1, 1, "string", Get},
    {"getdel", 2, kWrite | kFast | kFetches, 1, 1, 1, "string", GetDel},
    {"getex", -2, kWrite | kFast | kFetches, 1, 1, 1, "string", GetEx},
    {"getrange", 4, kReadOnly, 1, 1, 1, "string", GetRange},
    {"getset", 3, kChange | kFast, 1, 1, 1, "string", GetSet},
    {"incr", 2, kChange | kFast, 1, 1, 1, "string", Increment},
    {"incrby", 3, kChange | kFast, 1, 1, 1, "string", Increment},
    {"incrbyfloat", 3, kChange | kFast, 1, 1, 1, "string", IncrementByFloat},
    {"lcs", -3, kReadOnly, 1, 2, 1, "string", LcsOf},
    {"mget", -2, kReadOnly | kFast | kFetches, 1, -1, 1, "string", MGet},
    {"mset", -3, kChange | kTogether, 1, -1, 2, "string", MSet},
    {"msetnx", -3, kChange | kTogether, 1, -1, 2, "string", MSetNx},
    {"psetex", 4, kChange, 1, 1, 1, "string", SetEx},
    {"set", -3, kChange, 1, 1, 1, "string", Set},
    {"setex", 4, kChange, 1, 1, 1, "string", SetEx},
    {"setnx", 3, kChange | kFast, 1, 1, 1, "string", SetNx},
    {"setrange", 4, kChange, 1, 1, 1, "string", SetRange},
    {"strlen", 2, kReadOnly | kFast, 1, 1, 1, "string", StrLen},
    {"substr", 4, kReadOnly, 1, 1, 1, "string", GetRange},
    // Bits.
    {"bitcount", -2, kReadOnly, 1, 1, 1, "bitmap", BitCount},
    {"bitfield", -2, kChange, 1, 1, 1, "bitmap", BitField},
    {"bitfield_ro", -2, kReadOnly | kFast, 1, 1, 1, "bitmap", BitField},
    {"bitop", -4, kChange | kTogether, 2, -1, 1, "bitmap", BitOpOf},
    {"bitpos", -3, kReadOnly, 1, 1, 1, "bitmap", BitPos},
    {"getbit", 3, kReadOnly | kFast, 1, 1, 1, "bitmap", GetBit},
    {"setbit", 4, kChange, 1, 1, 1, "bitmap", SetBit},
    // Keys.
    {"copy", -3, kChange | kTogether, 1, 2, 1, "keyspace", Copy},
    {"dbsize", 1, kReadOnly | kFast, 0, 0, 0, "keyspace", DbSize},
    {"del", -2, kWrite, 1, -1, 1, "keyspace", Del},
    {"dump", 2, kReadOnly, 1, 1, 1, "keyspace", Dump},
    {"exists", -2, kReadOnly | kFast, 1, -1, 1, "keyspace", CountKeys},
    {"expire", -3, kWrite | kFast, 1, 1, 1, "keyspace", Expire},
    {"expireat", -3, kWrite | kFast, 1, 1, 1, "keyspace", Expire},
    {"expiretime", 2, kReadOnly | kFast, 1, 1, 1, "keyspace", TimeLeft},
    {"flushall", -1, kWrite, 0, 0, 0, "keyspace,dangerous", FlushDb},
    {"flushdb", -1, kWrite, 0, 0, 0, "keyspace,dangerous", FlushDb},
    {"keys", 2, kReadOnly, 0, 0, 0, "keyspace,dangerous", Keys},
    {"object", -2, kReadOnly, 2, 2, 1, "keyspace", Object},
    {"persist", 2, kWrite | kFast, 1, 1, 1, "keyspace", Persist},
    {"pexpire", -3, kWrite | kFast, 1, 1, 1, "keyspace", Expire},
    {"pexpireat", -3, kWrite | kFast, 1, 1, 1, "keyspace", Expire},
    {"pexpiretime", 2, kReadOnly | kFast, 1, 1, 1, "keyspace", TimeLeft},
    {"pttl", 2, kReadOnly | kFast, 1, 1, 1, "keyspace", TimeLeft},
    {"randomkey", 1, kReadOnly, 0, 0, 0, "keyspace", RandomKey},
    {"rename", 3, kWrite | kTogether, 1, 2, 1, "keyspace", Rename},
    {"renamenx", 3, kWrite | kFast | kTogether, 1, 2, 1, "keyspace", Rename},
    {"restore", -4, kChange, 1, 1, 1, "keyspace,dangerous", Restore},
    {"scan", -2, kReadOnly, 0, 0, 0, "keyspace", Scan},
    {"touch", -2, kReadOnly | kFast, 1, -1, 1, "keyspace", CountKeys},
    {"ttl", 2, kReadOnly | kFast, 1, 1, 1, "keyspace", TimeLeft},
    {"type", 2, kReadOnly | kFast, 1, 1, 1, "keyspace", TypeOf},
    {"unlink", -2, kWrite | kFast, 1, -1, 1, "keyspace", Del},
};

// What is never to be served, as something else does its work.
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
    for (const CommandInfo& command : kCommands) map.emplace(command.name, &command);
    return map;
  }();
  const auto found = by_name.find(ToLower(name));
  return found == by_name.end() ? nullptr : found->second;
}

std::span<const CommandInfo> AllCommands() { return kCommands; }
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
