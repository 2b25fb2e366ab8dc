// The commands that there are: AllCommands() of command_table.h. The list names every room of commands, so it is above
// them all, while the rooms look commands up.
#include "functions/redis/bits/bit_commands.h"
#include "functions/redis/keys/dump_commands.h"
#include "functions/redis/keys/expiry_commands.h"
#include "functions/redis/strings/string_commands.h"
#include "gateway/redis/commands/bits/bit_commands.h"
#include "gateway/redis/commands/command_table.h"
#include "gateway/redis/commands/keys/key_commands.h"
#include "gateway/redis/commands/keys/scan_commands.h"
#include "gateway/redis/commands/messages/message_commands.h"
#include "gateway/redis/commands/scripts/script_commands.h"
#include "gateway/redis/commands/strings/string_commands.h"

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
    {"memory", -2, kReadOnly, 2, 2, 1, "", Memory},
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

}  // namespace

std::span<const CommandInfo> AllCommands() { return kCommands; }

}  // namespace ebla::gateway::redis
