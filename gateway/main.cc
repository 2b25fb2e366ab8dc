// gateway/main.cc: ebla-gateway. Speaks other stores' protocols before an Ebla cluster.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "common/http/http_server.h"
#include "common/process/exposure.h"
#include "common/process/process.h"
#include "common/rpc/event_loop.h"
#include "common/security/scram.h"
#include "ebla/ebla.h"
#include "gateway/memcached/memcached_door.h"
#include "gateway/redis/record_key.h"
#include "gateway/redis/redis_door.h"
#include "gateway/server/metrics.h"
#include "gateway/server/server.h"
#include "gateway/store/table_store.h"

DEFINE_string(masters, "127.0.0.1:7400",
              "host:port[,host:port...] of the cluster's masters. One that answers is enough.");
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
DEFINE_bool(create_table, false, "Make these tables, with their defaults, where they are not there.");
DEFINE_string(read_level, "default",
              "How fresh what is read must be: default (the table's), strong, bounded=500ms, bounded=2s, eventual. "
              "Changes are based on strong reads whatever this says.");
DEFINE_string(ack, "default", "When a write is acknowledged: default (the table's), majority, all, primary.");
DEFINE_int32(threads, 2, "Event loops that serve clients, and threads that speak with the cluster.");
DEFINE_int32(deadline_ms, 10'000, "Deadline of a command.");
DEFINE_int32(connections_max, 10'000, "Most clients at a time. Further ones are closed at once.");
DEFINE_string(tls_dir, "",
              "Directory of ca.crt, client.crt and client.key, with which the gateway shows the cluster who it is. "
              "Empty: in the clear.");
DEFINE_string(user, "", "Log in to the cluster under this name instead of with a certificate. It takes --tls_dir.");
DEFINE_string(password_file, "", "File whose first line is the password of --user.");
DEFINE_string(listen_tls_dir, "",
              "Directory of ca.crt, server.crt and server.key. With it, clients speak TLS and show a certificate of "
              "that authority; HTTP, too, but for /healthz and /readyz. Empty: whoever reaches the gateway can do what "
              "the gateway can do.");
DEFINE_string(http_listen, "127.0.0.1:7421",
              "Address for /metrics, /healthz and /readyz. With port 0 the system picks a port.");

namespace ebla::gateway {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr std::chrono::seconds kStopPatience{1};  // beyond the deadline of a command
constexpr std::chrono::seconds kMakeTable{30};    // until it serves

// A setting that cannot be, or a cluster that is not there.
[[noreturn]] void Refuse(const Status& status) {
  process::Complain(status);
  std::exit(status.code() == Code::kInvalidArgument ? 2 : 1);
}

void OrRefuse(const Status& status) {
  if (!status.ok()) Refuse(status);
}

template <class T>
T OrRefuse(Result<T> result) {
  if (!result) Refuse(result.error());
  return std::move(*result);
}

Status CheckFlags() {
  struct Range {
    const char* flag;
    int32_t value, least, most;
  };
  for (const Range& range : {Range{"threads", FLAGS_threads, 1, 64},
                             {"deadline_ms", FLAGS_deadline_ms, 1, 3'600'000},
                             {"connections_max", FLAGS_connections_max, 1, 1'000'000}}) {
    if (range.value >= range.least && range.value <= range.most) continue;
    return Error(Code::kInvalidArgument, std::string("--") + range.flag + " must be " + std::to_string(range.least) +
                                             " to " + std::to_string(range.most) + ", not " +
                                             std::to_string(range.value));
  }
  return {};
}

std::vector<std::string> SplitAtCommas(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t comma = std::min(text.find(',', begin), text.size());
    if (comma > begin) parts.push_back(text.substr(begin, comma - begin));
    begin = comma + 1;
  }
  return parts;
}

Client ConnectToCluster() {
  ClientOptions options;
  options.masters = SplitAtCommas(FLAGS_masters);
  options.deadline = milliseconds(FLAGS_deadline_ms);
  options.io_threads = FLAGS_threads;
  options.connect_timeout = milliseconds(FLAGS_deadline_ms);
  options.tls_dir = FLAGS_tls_dir;
  options.user = FLAGS_user;
  if (!FLAGS_user.empty()) options.password = OrRefuse(security::ReadPassword(FLAGS_password_file));
  return OrRefuse(Client::Connect(std::move(options)));
}

Table OpenOrMake(const Client& client, const std::string& name, TableOptions options = {}) {
  Result<Table> table = client.OpenTable(name);
  if (!table && table.error().code() == Code::kNoSuchTable) {
    if (!FLAGS_create_table)
      Refuse(Error(Code::kNoSuchTable, "there is no table \"" + name + "\": make it with  ebla table create " + name +
                                           "  or have this gateway make it with --create_table"));
    const Result<TableInfo> made = client.CreateTable(name, {.table = std::move(options), .deadline = kMakeTable});
    if (!made && made.error().code() != Code::kTableExists) Refuse(made.error());
    table = client.OpenTable(name);
  }
  return OrRefuse(std::move(table));
}

// Made so that the keys of a group stay together, however the table splits.
Table OpenOrMakeForRedis(const Client& client) {
  Table table =
      OpenOrMake(client, FLAGS_redis_table, {.key_group = TableKeyGroup{.delimiter = redis::kGroupDelimiter}});
  const auto info = client.DescribeTable(table.name());
  if (info && !(info->options.key_group && info->options.key_group->delimiter == redis::kGroupDelimiter))
    LOG(WARNING)
        << "the table \"" << table.name()
        << "\" has no key groups that end at a byte of 0: once it splits, transactions of several keys fail. A "
           "table made with  ebla table create NAME --key-group '\\x00'  keeps them together";
  return table;
}

// Where to listen, as the flags say.
struct Listening {
  std::optional<rpc::Endpoint> memcached, redis, redis_advertised;
  rpc::Endpoint http;
  std::shared_ptr<security::TlsCredentials> tls;  // null: in the clear
};

Listening ListeningFromFlags() {
  Listening listening;
  if (!FLAGS_listen_tls_dir.empty())
    listening.tls = OrRefuse(security::TlsCredentials::Load(FLAGS_listen_tls_dir, "server"));
  const auto take = [&](const char* flag, const std::string& value) {
    const rpc::Endpoint endpoint = OrRefuse(process::EndpointFlag(flag, value));
    if (listening.tls == nullptr)
      OrRefuse(
          process::CheckUnguarded(flag, endpoint, "give it certificates with --listen_tls_dir (ebla cert makes them)"));
    return endpoint;
  };
  if (!FLAGS_memcached_listen.empty()) listening.memcached = take("memcached_listen", FLAGS_memcached_listen);
  if (!FLAGS_redis_listen.empty()) listening.redis = take("redis_listen", FLAGS_redis_listen);
  if (!FLAGS_redis_advertise.empty())
    listening.redis_advertised = OrRefuse(process::EndpointFlag("redis_advertise", FLAGS_redis_advertise));
  listening.http = take("http_listen", FLAGS_http_listen);
  if (!listening.memcached && !listening.redis)
    Refuse(
        Error(Code::kInvalidArgument,
              "say what to listen for: --redis_listen=127.0.0.1:6379, or --memcached_listen=127.0.0.1:11211, or both"));
  return listening;
}

using Doors = std::vector<std::unique_ptr<Door>>;

Doors MakeDoors(const Listening& listening, const Client& client, const TableStoreOptions& levels,
                const std::vector<rpc::EventLoop*>& loops) {
  Doors doors;
  DoorOptions options{.loops = loops, .deadline = milliseconds(FLAGS_deadline_ms)};
  options.server.connections_max = static_cast<size_t>(FLAGS_connections_max);
  options.server.tls = listening.tls;
  if (listening.memcached) {
    options.server.listen = *listening.memcached;
    doors.push_back(
        std::make_unique<memcached::MemcachedDoor>(options, OpenOrMake(client, FLAGS_memcached_table), levels));
  }
  if (listening.redis) {
    options.server.listen = *listening.redis;
    doors.push_back(std::make_unique<redis::RedisDoor>(options, client, OpenOrMakeForRedis(client), levels,
                                                       OrRefuse(redis::ParseTransactions(FLAGS_redis_transactions)),
                                                       listening.redis_advertised));
  }
  return doors;
}

// All at the same time, so that none of them takes clients while another one waits for its own. What is under way has
// its whole deadline.
void StopAll(const Doors& doors) {
  std::vector<std::jthread> threads;
  for (const auto& door : doors)
    threads.emplace_back([&door] { door->Stop(milliseconds(FLAGS_deadline_ms) + kStopPatience); });
}

// What still runs holds on to its store: waits for it, within a bound. False: it goes on.
bool AwaitQuiet(const Doors& doors) {
  const auto until = steady_clock::now() + milliseconds(FLAGS_deadline_ms) + kStopPatience;
  while (!std::ranges::all_of(doors, [](const auto& door) { return door->quiet(); })) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

http::HttpOptions HttpSettings(const Listening& listening, const Doors& doors, std::function<Status()> ready) {
  std::vector<std::pair<std::string, const Statistics*>> statistics;
  for (const auto& door : doors) statistics.emplace_back(door->name(), &door->statistics());
  http::HttpOptions options;
  options.title = "Ebla gateway";
  options.listen = listening.http;
  options.tls = listening.tls;
  options.metrics = std::make_shared<Metrics>(std::move(statistics));
  options.ready = std::move(ready);
  return options;
}

int Run() {
  OrRefuse(CheckFlags());
  const TableStoreOptions levels{.read = OrRefuse(ParseReadLevel(FLAGS_read_level)),
                                 .ack = OrRefuse(ParseAckLevel(FLAGS_ack))};
  OrRefuse(redis::ParseTransactions(FLAGS_redis_transactions));
  const Listening listening = ListeningFromFlags();
  const size_t doors_count = (listening.memcached ? 1 : 0) + (listening.redis ? 1 : 0);
  process::CheckOpenFiles(doors_count * static_cast<size_t>(FLAGS_connections_max) + 64);

  // In this order, as what stands below uses what stands above.
  std::vector<std::unique_ptr<rpc::EventLoop>> loops;
  std::vector<rpc::EventLoop*> loop_pointers;
  for (int i = 0; i < FLAGS_threads; ++i) {
    loops.push_back(std::make_unique<rpc::EventLoop>("gateway-" + std::to_string(i)));
    loop_pointers.push_back(loops.back().get());
  }
  const Client client = ConnectToCluster();
  const Doors doors = MakeDoors(listening, client, levels, loop_pointers);
  const auto ready = [&doors]() -> Status {
    for (const auto& door : doors) EBLA_TRY(door->Ready());
    return {};
  };
  http::HttpServer http(HttpSettings(listening, doors, ready));

  for (auto& loop : loops) loop->Start();
  std::string serves;
  for (const auto& door : doors) {
    OrRefuse(door->Start());
    serves += door->name() + " at " + door->address().ToString() + ", ";
  }
  OrRefuse(http.Start());
  std::cout << "ebla-gateway serves " << serves << "http at " << http.address().ToString() << std::endl;

  process::WaitForTermination(ready, "--masters=" + FLAGS_masters);
  LOG(INFO) << "stopping";
  StopAll(doors);
  http.Stop();
  if (!AwaitQuiet(doors)) {
    LOG(WARNING) << "commands are still under way: what they write may or may not take effect";
    std::_Exit(0);
  }
  for (auto& loop : loops) loop->Stop();
  return 0;
}

}  // namespace
}  // namespace ebla::gateway

int main(int argc, char** argv) {
  const auto lock = ebla::process::InitProcess(
      {.role = "gateway",
       .usage = "Serves an Ebla cluster to clients of other stores. It speaks Redis's protocol, and Memcached's\n"
                "text and meta protocols.\n"
                "  ebla-gateway --redis_listen=127.0.0.1:6379 [--masters=HOST:PORT[,HOST:PORT...]] [--flagfile=FILE]"},
      argc, argv);
  return ebla::gateway::Run();
}
