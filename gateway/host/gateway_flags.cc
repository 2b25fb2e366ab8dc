#include "gateway/host/gateway_flags.h"

#include <gflags/gflags.h>

#include "common/process/bounded_flag.h"
#include "common/process/exposure.h"
#include "common/process/process.h"
#include "common/rpc/socket.h"
#include "ebla/level_names.h"

DEFINE_string(
    memcached_listen, "",
    "Address for Memcached's clients, for example 127.0.0.1:11211. With port 0 the system picks a port. Empty: "
    "Memcached's protocols are not spoken.");
DEFINE_string(memcached_table, "cache", "The table that holds the items of Memcached's clients.");
DEFINE_string(redis_listen, "",
              "Address for Redis's clients, for example 127.0.0.1:6379. With port 0 the system picks a port. Empty: "
              "Redis's protocol is not spoken.");
DEFINE_string(
    redis_table, "redis",
    "The table that is database 0 of Redis's clients. Database 7 is the table of that name with -7 behind it.");
DEFINE_string(
    redis_advertise, "",
    "HOST:PORT by which other gateways reach --redis_listen, with a numeric host. They send messages for this "
    "gateway's subscribers there. Empty: the address of --redis_listen. Required if that is a wildcard.");
DEFINE_string(
    redis_transactions, "one-group",
    "The keys that a transaction (MULTI, EXEC) of Redis's clients may have, until CONFIG SET changes that for a "
    "connection. one-group: all keys have the same {tag}, or are one key. each-group: any keys; the commands of each "
    "group are a transaction of their own.");
DEFINE_BOUNDED(
    uint32, redis_script_threads, 2, 1, 1'000, "threads",
    "Threads for the scripts of Redis's clients. Each runs one script at a time; further scripts wait, at most "
    "until their deadline.");
DEFINE_BOUNDED(
    int64, redis_slowlog_slower_than, 10'000, -1, 86'400'000'000, "microseconds",
    "Microseconds after which SLOWLOG notes a command of Redis's clients, until CONFIG SET changes that. -1: "
    "never.");
DEFINE_bool(create_table, false, "Make missing tables of Memcached's and Redis's clients.");
DEFINE_bool(
    create_in_memory, false,
    "Have the tables that --create_table makes live in memory alone: fast, and lost when all their servers end. "
    "Tables of other databases are made like that of database 0.");
DEFINE_BOUNDED(
    uint32, create_memory_limit_mb, 0, 0, 1 << 24, "MiB",
    "Most memory that each such table takes on each server, in MiB. 0: as much as the server has for tables.");
DEFINE_string(
    create_evict, "none",
    "Records that such a table evicts when it is full: none (it refuses writes), lru, lfu, or ttl (records that "
    "expire soonest).");
DEFINE_string(
    read_level, "default",
    "Read level of Memcached's and Redis's clients: default (the table's), strong, bounded=500ms, bounded=2s, "
    "eventual. Changes are always based on strong reads.");
DEFINE_string(ack, "default",
              "When a write of Memcached's and Redis's clients is acknowledged: default (the table's), majority, all, "
              "primary.");

namespace ebla::gateway {

namespace {

// The value of a flag; a refusal names the flag, too.
template <class T>
Result<T> OfFlag(const char* flag, Result<T> value) {
  if (value) return value;
  return Error(value.error().code(), std::string("--") + flag + ": " + value.error().message());
}

Result<TableOptions> CreatedTablesFromFlags() {
  const std::optional<TableEviction> eviction = EvictionNamed(FLAGS_create_evict);
  if (!eviction)
    return Error(Code::kInvalidArgument, "--create_evict=" + FLAGS_create_evict + " is none of none, lru, lfu and ttl");
  TableOptions options;
  if (!FLAGS_create_in_memory) {
    if (eviction == TableEviction::kNone && FLAGS_create_memory_limit_mb == 0) return options;
    return Error(Code::kInvalidArgument, "--create_evict and --create_memory_limit_mb take --create_in_memory");
  }
  if (!FLAGS_create_table)
    return Error(Code::kInvalidArgument,
                 "--create_in_memory takes --create_table: tables that are there stay as they are");
  options.memory = true;
  options.eviction = eviction;
  options.memory_limit = uint64_t{FLAGS_create_memory_limit_mb} << 20;
  return options;
}

}  // namespace

Result<bool> GatewayIsAskedFor() {
  if (!FLAGS_memcached_listen.empty() || !FLAGS_redis_listen.empty()) return true;
  for (const auto& [flag, given] : {std::pair("create_in_memory", FLAGS_create_in_memory),
                                    {"create_memory_limit_mb", FLAGS_create_memory_limit_mb != 0},
                                    {"create_evict", FLAGS_create_evict != "none"}}) {
    if (given)
      return Error(Code::kInvalidArgument, std::string("--") + flag +
                                               " takes --redis_listen or --memcached_listen, because it is for tables "
                                               "of their clients. `ebla table create --memory` makes other tables");
  }
  return false;
}

Result<GatewayOptions> GatewayOptionsFromFlags(std::shared_ptr<security::TlsCredentials> tls, const char* remedy) {
  GatewayOptions options;
  options.tls = std::move(tls);
  const auto take = [&](const char* flag, const std::string& value, std::optional<rpc::Endpoint>& endpoint) -> Status {
    if (value.empty()) return {};
    EBLA_ASSIGN(endpoint, process::ListenFlag(flag, value));
    return options.tls == nullptr ? process::CheckUnguarded(flag, *endpoint, remedy) : Status();
  };
  EBLA_TRY(take("memcached_listen", FLAGS_memcached_listen, options.memcached_listen));
  EBLA_TRY(take("redis_listen", FLAGS_redis_listen, options.redis_listen));
  if (!FLAGS_redis_advertise.empty()) {
    EBLA_ASSIGN(options.redis_advertise, process::EndpointFlag("redis_advertise", FLAGS_redis_advertise));
    if (options.redis_advertise->port == 0 || !rpc::SocketAddress::FromNumeric(*options.redis_advertise))
      return Error(Code::kInvalidArgument, "--redis_advertise=" + FLAGS_redis_advertise +
                                               " is no numeric address with a port, such as 10.0.0.7:6379");
  }
  options.memcached_table = FLAGS_memcached_table;
  options.redis_table = FLAGS_redis_table;
  options.create_tables = FLAGS_create_table;
  EBLA_ASSIGN(options.created, CreatedTablesFromFlags());
  EBLA_ASSIGN(options.redis_transactions,
              OfFlag("redis_transactions", redis::ParseTransactions(FLAGS_redis_transactions)));
  options.redis_script_threads = FLAGS_redis_script_threads;
  options.redis_slower_than_micros = FLAGS_redis_slowlog_slower_than;
  EBLA_ASSIGN(options.levels.read, OfFlag("read_level", ParseReadLevel(FLAGS_read_level)));
  EBLA_ASSIGN(options.levels.ack, OfFlag("ack", ParseAckLevel(FLAGS_ack)));
  return options;
}

}  // namespace ebla::gateway
