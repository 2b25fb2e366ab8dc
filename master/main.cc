// master/main.cc: ebla-master. Stands for election in ZooKeeper and, while it leads, keeps the catalog.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <atomic>
#include <future>
#include <memory>
#include <string>

#include "common/coordination/access_watcher.h"
#include "common/coordination/layout.h"
#include "common/coordination/zookeeper_coordinator.h"
#include "common/http/http_server.h"
#include "common/process/addresses.h"
#include "common/process/bounded_flag.h"
#include "common/process/process.h"
#include "common/process/security_flags.h"
#include "common/process/zookeeper_flags.h"
#include "common/rpc/dispatcher.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/server.h"
#include "idl/MasterService.h"
#include "master/balancer/planner_flags.h"
#include "master/catalog/table_rules.h"
#include "master/host/master_host.h"
#include "master/host/metrics.h"

DEFINE_string(name, "master-1", "This master's name, unique in the cluster.");
DEFINE_string(
    data_dir, "",
    "Directory for this master's ADDRESS file and its logs. No other master may use it. A master has no other files.");
DEFINE_string(listen, "127.0.0.1:7400", "Address for clients and tablet servers. With port 0 the system picks a port.");
DEFINE_string(advertise, "",
              "host:port that clients and tablet servers use for this master. Empty: the --listen address.");
DEFINE_string(http_listen, "127.0.0.1:7401",
              "Address for /metrics, /healthz and /readyz. With port 0 the system picks a port.");
DEFINE_BOUNDED(int32, deadline_ms, 10'000, 1, 3'600'000, "ms",
               "Deadline of a request that names none. A longer deadline lets slow changes finish, and makes callers "
               "wait longer for an error.");
DEFINE_BOUNDED(int32, replicas_default, 3, 1, ebla::master::kReplicasMax, "replicas",
               "Replicas of a table whose creator names no number. The table gets fewer while fewer tablet servers are "
               "live. More replicas survive more failures and take more disk.");
DEFINE_BOUNDED(int32, replace_after_s, 300, 1, 31'536'000, "s",
               "How long a tablet server may be away before the master makes its replicas again on other servers. A "
               "longer time avoids needless copies after a restart, but leaves tablets with fewer replicas meanwhile.");
DEFINE_BOUNDED(int32, copies_max, 64, 1, 100'000, "copies",
               "Most replicas that are copied at the same time, in the whole cluster. A higher limit repairs faster "
               "and takes more of disks and network.");
DEFINE_BOUNDED(int32, copies_per_server, 4, 1, 100'000, "copies",
               "Most replicas that are copied to one server at the same time. A higher limit repairs faster and takes "
               "more of the server's disk and network.");
DEFINE_BOUNDED(double, safe_mode_below, 0.5, 0, 1, "",
               "Safe mode: the master repairs and drops nothing while fewer than this part of the known tablet servers "
               "are live. A larger part stops repairs earlier.");
DEFINE_bool(splits, true, "Allow splits of tablets, by operators and by the planner.");
DEFINE_BOUNDED(int32, transfer_hold_s, 600, 0, 31'536'000, "s",
               "How long the planner does not transfer or move a tablet that an operator has transferred or moved. A "
               "longer time respects the operator's choice longer.");
DEFINE_BOUNDED(int32, level_raise_after_s, 60, 0, 31'536'000, "s",
               "How long every process must have spoken a higher feature level before the master raises the cluster's "
               "level. The cluster's level never falls. A longer time leaves longer to go back to an older version.");
DEFINE_BOUNDED(int32, frame_bytes_max, 16 << 20, 1024, 1 << 30, "bytes",
               "Largest request. A larger one closes its connection. A higher limit lets one request use more memory.");
DEFINE_BOUNDED(int32, connections_max, 10'000, 1, 1'000'000, "connections",
               "Most open connections. The master closes further ones at once. If users have certificates, all users "
               "together may hold five eighths of the connections, and one user half of those. A higher limit needs "
               "more open files and more memory.");
DEFINE_BOUNDED(int32, in_flight_max, 1'024, 1, 1'000'000, "requests",
               "Most requests in flight on one connection. At this number the master reads no further request from the "
               "connection until one is answered. A higher limit lets one connection use more memory.");

namespace ebla::master {
namespace {

using process::OrRefuse;

// Runs the task on the loop and waits for what it returns.
template <class F>
auto RunOn(Executor& loop, F task) {
  std::packaged_task<decltype(task())()> packaged(std::move(task));
  auto future = packaged.get_future();
  loop.Post([&packaged] { packaged(); });
  return future.get();
}

// All that flags say.
struct Settings {
  rpc::ServerOptions server;
  coordination::ZooKeeperOptions zookeeper;
  MasterOptions master;
  rpc::Endpoint http_listen;
};

Result<rpc::ServerOptions> ServerSettings() {
  rpc::ServerOptions options;
  EBLA_ASSIGN(options.listen, process::ListenFlag("listen", FLAGS_listen));
  options.frame_bytes_max = static_cast<size_t>(FLAGS_frame_bytes_max);
  options.connections_max = static_cast<size_t>(FLAGS_connections_max);
  options.in_flight_max = static_cast<size_t>(FLAGS_in_flight_max);
  EBLA_ASSIGN(options.tls, process::ServerCertificates());
  EBLA_TRY(process::CheckIsObeyed(options.tls.get(), process::Orders::kTabletServers));
  options.password_logins = process::PasswordLogins();
  return options;
}

Result<MasterOptions> MasterSettings() {
  MasterOptions options;
  EBLA_TRY(coordination::layout::CheckName(FLAGS_name, "--name"));
  options.name = FLAGS_name;
  options.version = process::BuildVersion();
  options.boot = process::BootId();
  options.deadline_default = std::chrono::milliseconds(FLAGS_deadline_ms);
  options.replicas_default = FLAGS_replicas_default;
  options.replace_after = std::chrono::seconds(FLAGS_replace_after_s);
  options.safe_mode_below = FLAGS_safe_mode_below;
  options.transfer_hold = std::chrono::seconds(FLAGS_transfer_hold_s);
  options.splits = FLAGS_splits;
  options.raise_level_after = std::chrono::seconds(FLAGS_level_raise_after_s);
  options.features = std::make_shared<Features>(process::FeatureLevel());
  options.repair.copies = static_cast<size_t>(FLAGS_copies_max);
  options.repair.copies_per_server = static_cast<size_t>(FLAGS_copies_per_server);
  options.planner.balance.copies = options.repair.copies;
  options.planner.balance.copies_per_server = options.repair.copies_per_server;
  EBLA_TRY(TakePlannerFlags(options));
  return options;
}

Result<Settings> SettingsFromFlags() {
  if (FLAGS_data_dir.empty())
    return Error(Code::kInvalidArgument, "no data directory is named: give one with --data_dir=DIRECTORY");
  Settings settings;
  EBLA_ASSIGN(settings.master, MasterSettings());
  EBLA_ASSIGN(settings.server, ServerSettings());
  EBLA_ASSIGN(settings.zookeeper, process::ZooKeeperFromFlags());
  EBLA_ASSIGN(settings.http_listen, process::ListenFlag("http_listen", FLAGS_http_listen));
  settings.master.namesake_patience = 3 * settings.zookeeper.session_timeout;
  EBLA_TRY(process::CheckExposure({settings.server.listen, settings.http_listen}));
  EBLA_ASSIGN([[maybe_unused]] const rpc::Endpoint advertised,
              process::AdvertisedAddress(FLAGS_advertise, settings.server.listen));
  return settings;
}

// Hands leadership over before the process ends, as far as the coordinator can be reached soon.
void Resign(Executor& loop, Master& master) {
  auto resigned = std::make_shared<std::promise<void>>();  // may be kept past the wait
  loop.Post([&master, resigned] { master.Resign([resigned] { resigned->set_value(); }); });
  resigned->get_future().wait_for(std::chrono::seconds(2));
}

int Run(Settings settings) {
  // Everything of the host happens on this one loop; the routing look-ups that clients make are short.
  rpc::EventLoop loop("master");
  const rpc::ServerOptions& server_options = settings.server;
  rpc::PipelinedConnector connector(loop, {.tls = server_options.tls});
  const std::unique_ptr<security::AuditLog> audit = OrRefuse(process::OpenAuditLog());
  security::AccessControl access;
  access.SetFeatures(settings.master.features);
  access.SetAudit(audit.get());
  rpc::Dispatcher dispatcher({.access = &access, .audit = audit.get()});
  rpc::RpcServer server(server_options, dispatcher, {&loop});
  auto coordinator = OrRefuse(coordination::ZooKeeperCoordinator::Open(settings.zookeeper, loop));
  ScaleCommands commands(loop, ScaleCommandLimit());
  auto master = std::make_unique<Master>(std::move(settings.master), loop, *coordinator, ConnectOver(connector, loop),
                                         commands.Runner());
  auto metrics = std::make_shared<MasterMetrics>(*master, &server);  // shared with the HTTP server
  dispatcher.Register(master->service());

  http::HttpOptions http_options;
  http_options.title = "Ebla master " + FLAGS_name;
  http_options.listen = settings.http_listen;
  http_options.tls = server_options.tls;
  http_options.metrics = metrics;
  http_options.ready = [metrics = metrics.get()] { return metrics->Ready(); };
  http_options.degraded = [metrics = metrics.get()] { return metrics->Degraded(); };
  http::HttpServer http(http_options);

  loop.Start();
  OrRefuse(server.Start());
  OrRefuse(http.Start());
  const rpc::Endpoint address = OrRefuse(process::AdvertisedAddress(FLAGS_advertise, server.address()));
  std::unique_ptr<coordination::AccessWatcher> access_watcher;
  std::atomic<int> exit_code = 0;
  RunOn(loop, [&] {
    access_watcher = std::make_unique<coordination::AccessWatcher>(*coordinator, loop, access);
    master->Start(address, [&exit_code](const Status& why) {
      process::Complain(why);
      exit_code = process::ExitCode(why);
      process::RequestTermination();
    });
    metrics->Start();
  });
  OrRefuse(process::WriteAddressFile(FLAGS_data_dir, address, http.address()));
  LOG(INFO) << FLAGS_name << " answers at " << address.ToString() << ", metrics at " << http.address().ToString();

  process::WaitForTermination([&] { return metrics->Ready(); }, "--zookeeper=" + settings.zookeeper.servers);
  LOG(INFO) << "stopping";
  Resign(loop, *master);
  server.Stop(std::chrono::seconds(2));
  http.Stop();
  RunOn(loop, [&] {
    metrics->Stop();
    access_watcher.reset();
    master.reset();
    coordinator.reset();
  });
  loop.Stop();
  return exit_code.load();
}

}  // namespace
}  // namespace ebla::master

int main(int argc, char** argv) {
  ebla::master::Settings settings;
  const auto check = [&settings]() -> ebla::Status {
    EBLA_ASSIGN(settings, ebla::master::SettingsFromFlags());
    return {};
  };
  const auto lock = ebla::process::InitProcess(
      {.role = "master",
       .usage =
           "A master of an Ebla cluster. It stands for election and, while it is the leader, manages the catalog.\n"
           "  ebla-master --data_dir=DIRECTORY --zookeeper=HOST:PORT/ebla [--name=master-1] [--flagfile=FILE]",
       .data_dir = &FLAGS_data_dir,
       .content = ebla::process::DirectoryLock::Content::kNoStore,
       .check = check},
      argc, argv);
  return ebla::master::Run(std::move(settings));
}
