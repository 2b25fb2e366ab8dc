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
DEFINE_string(redis_advertise, "",
              "HOST:PORT by which other gateways reach --redis_listen, with a numeric host. They bring messages to who "
              "listens here. Empty: as it listens; it must be said where that is every address of the machine.");
DEFINE_string(
    redis_transactions, "one-group",
    "What MULTI and EXEC of Redis's clients may do, until a connection says otherwise. one-group: all keys of "
    "a transaction have the same {tag}, or are one key. each-group: any keys; the commands of each group are "
    "a transaction of their own.");
DEFINE_BOUNDED(uint32, redis_script_threads, 2, 1, 1'000, "threads",
               "Threads for the scripts of Redis's clients: so many run at a time. Others wait, until their deadline.");
DEFINE_BOUNDED(int64, redis_slowlog_slower_than, 10'000, -1, 86'400'000'000, "microseconds",
               "Microseconds after which a command of Redis's clients is noted for SLOWLOG, until CONFIG SET says "
               "otherwise. -1: none is.");
DEFINE_bool(create_table, false, "Make the tables of Memcached's and Redis's clients where they are not there.");
DEFINE_bool(create_in_memory, false,
            "The tables of --memcached_table and --redis_table, where --create_table makes them, live in memory alone: "
            "fast, and lost when all servers that have them end. Other databases' are made as database 0's is.");
DEFINE_BOUNDED(
    uint32, create_memory_limit_mb, 0, 0, 1 << 24, "MiB",
    "Most memory that each such table takes on each server, in MiB. 0: as much as the server has for tables.");
DEFINE_string(create_evict, "none",
              "What such a table forgets where it is full: none (it refuses writes), lru, lfu, or ttl (what expires "
              "soonest).");
DEFINE_string(read_level, "default",
              "How fresh what Memcached's and Redis's clients read must be: default (the table's), strong, "
              "bounded=500ms, bounded=2s, eventual. Changes are based on strong reads whatever this says.");
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
                                               " takes --redis_listen or --memcached_listen: it is for the tables that "
                                               "are made for their clients. `ebla table create --memory` makes others");
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
