// gateway/main.cc: ebla-gateway. Speaks other stores' protocols before an Ebla cluster.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <cstdlib>
#include <iostream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/http/http_server.h"
#include "common/process/exposure.h"
#include "common/process/process.h"
#include "common/rpc/event_loop.h"
#include "common/security/scram.h"
#include "ebla/ebla.h"
#include "gateway/memcached/protocol.h"
#include "gateway/server/metrics.h"
#include "gateway/server/server.h"
#include "gateway/store/table_store.h"

DEFINE_string(masters, "127.0.0.1:7400",
              "host:port[,host:port...] of the cluster's masters. One that answers is enough.");
DEFINE_string(memcached_listen, "127.0.0.1:11211",
              "Address for Memcached's clients. With port 0 the system picks a port.");
DEFINE_string(memcached_table, "cache", "The table that holds the items of Memcached's clients.");
DEFINE_bool(create_table, false, "Make the table, with its defaults, where it is not there.");
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

constexpr std::chrono::seconds kStopPatience{5};
constexpr std::chrono::seconds kMakeTable{30};      // until it serves
constexpr char kProbeKey[] = "ebla-gateway:ready";  // read, never written

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

Table OpenCacheTable(const Client& client) {
  const std::string& name = FLAGS_memcached_table;
  Result<Table> table = client.OpenTable(name);
  if (!table && table.error().code() == Code::kNoSuchTable) {
    if (!FLAGS_create_table)
      Refuse(Error(Code::kNoSuchTable, "there is no table \"" + name + "\": make it with  ebla table create " + name +
                                           "  or have this gateway make it with --create_table"));
    const Result<TableInfo> made = client.CreateTable(name, {.deadline = kMakeTable});
    if (!made && made.error().code() != Code::kTableExists) Refuse(made.error());
    table = client.OpenTable(name);
  }
  return OrRefuse(std::move(table));
}

ServerOptions MemcachedSettings(const std::shared_ptr<security::TlsCredentials>& tls) {
  ServerOptions options;
  options.listen = OrRefuse(process::EndpointFlag("memcached_listen", FLAGS_memcached_listen));
  options.connections_max = static_cast<size_t>(FLAGS_connections_max);
  options.tls = tls;
  return options;
}

// What still runs holds on to the store: waits for it, within a bound. False: it goes on.
bool AwaitQuiet(const Statistics& statistics, const memcached::Environment& environment) {
  const auto until = steady_clock::now() + milliseconds(FLAGS_deadline_ms) + kStopPatience;
  while (statistics.Sum().in_flight > 0 || environment.background.load() > 0) {
    if (steady_clock::now() > until) return false;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return true;
}

int Run() {
  OrRefuse(CheckFlags());
  const TableStoreOptions levels{.read = OrRefuse(ParseReadLevel(FLAGS_read_level)),
                                 .ack = OrRefuse(ParseAckLevel(FLAGS_ack))};
  std::shared_ptr<security::TlsCredentials> tls;
  if (!FLAGS_listen_tls_dir.empty()) tls = OrRefuse(security::TlsCredentials::Load(FLAGS_listen_tls_dir, "server"));
  const ServerOptions options = MemcachedSettings(tls);
  const rpc::Endpoint http_listen = OrRefuse(process::EndpointFlag("http_listen", FLAGS_http_listen));
  if (tls == nullptr) {
    const std::string advice = "give it certificates with --listen_tls_dir (ebla cert makes them)";
    OrRefuse(process::CheckUnguarded("memcached_listen", options.listen, advice));
    OrRefuse(process::CheckUnguarded("http_listen", http_listen, advice));
  }
  process::CheckOpenFiles(options.connections_max + 64);

  // In this order, as what stands below uses what stands above.
  std::vector<std::unique_ptr<rpc::EventLoop>> loops;
  std::vector<rpc::EventLoop*> loop_pointers;
  for (int i = 0; i < FLAGS_threads; ++i) {
    loops.push_back(std::make_unique<rpc::EventLoop>("gateway-" + std::to_string(i)));
    loop_pointers.push_back(loops.back().get());
  }
  Statistics statistics(memcached::CommandNames(), loops.size());
  const Client client = ConnectToCluster();
  const Table table = OpenCacheTable(client);
  TableStore store(table, levels);
  memcached::Environment environment{.store = store,
                                     .statistics = statistics,
                                     .deadline = milliseconds(FLAGS_deadline_ms),
                                     .connections_max = options.connections_max,
                                     .threads = loops.size()};
  Server server(
      options,
      [&environment](rpc::EventLoop& loop) {
        return std::make_unique<memcached::MemcachedProtocol>(environment, loop);
      },
      loop_pointers, statistics);

  http::HttpOptions http_options;
  http_options.title = "Ebla gateway";
  http_options.listen = http_listen;
  http_options.tls = tls;
  http_options.metrics =
      std::make_shared<Metrics>(std::vector<std::pair<std::string, const Statistics*>>{{"memcached", &statistics}});
  const auto ready = [&table]() -> Status {
    const auto got = table.Get(kProbeKey, {.deadline = std::chrono::seconds(1)});
    return got || got.error().code() == Code::kNotFound ? Status() : got.error();
  };
  http_options.ready = ready;
  http::HttpServer http(http_options);

  for (auto& loop : loops) loop->Start();
  OrRefuse(server.Start());
  environment.port = server.address().port;
  OrRefuse(http.Start());
  std::cout << "ebla-gateway serves memcached at " << server.address().ToString() << ", http at "
            << http.address().ToString() << std::endl;

  process::WaitForTermination(ready, "--masters=" + FLAGS_masters);
  LOG(INFO) << "stopping";
  ++environment.flushes;  // none that waits begins any more
  server.Stop(kStopPatience);
  http.Stop();
  if (!AwaitQuiet(statistics, environment)) {
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
       .usage = "Serves an Ebla cluster to clients of other stores. It speaks Memcached's text and meta protocols.\n"
                "  ebla-gateway --masters=HOST:PORT[,HOST:PORT...] [--memcached_table=cache] [--flagfile=FILE]"},
      argc, argv);
  return ebla::gateway::Run();
}
