// master/main.cc: ebla-master. Stands for election in ZooKeeper and, while it leads, keeps the catalog.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <atomic>
#include <filesystem>
#include <future>
#include <limits>
#include <memory>
#include <string>

#include "common/coordination/access_watcher.h"
#include "common/coordination/zookeeper_coordinator.h"
#include "common/http/http_server.h"
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
DEFINE_string(data_dir, "",
              "Directory of this master alone, for its ADDRESS file and its logs. A master has no other files.");
DEFINE_string(zookeeper, "127.0.0.1:2181/ebla", "host:port[,host:port...][/chroot] of the cluster's ZooKeeper.");
DEFINE_int32(zookeeper_session_ms, 6'000,
             "How long ZooKeeper may hear nothing from this master before another may take over.");
DEFINE_string(listen, "127.0.0.1:7400", "Address for clients and tablet servers. With port 0 the system picks a port.");
DEFINE_string(advertise, "", "host:port under which others reach this master. Empty: the address it listens on.");
DEFINE_string(http_listen, "127.0.0.1:7401",
              "Address for /metrics, /healthz and /readyz. With port 0 the system picks a port.");
DEFINE_int32(deadline_ms, 10'000, "Deadline of a request that names none.");
DEFINE_int32(replicas_default, 3,
             "Replicas of a table that names no number; fewer while fewer tablet servers are live.");
DEFINE_int32(replace_after_s, 300,
             "How long a tablet server may be away before its replicas are made again on other servers.");
DEFINE_int32(copies_max, 64, "How many replicas may be copied at the same time, in the whole cluster.");
DEFINE_int32(copies_per_server, 4, "How many replicas may be copied to one server at the same time.");
DEFINE_double(safe_mode_below, 0.5,
              "Safe mode: while a smaller part than this of the known tablet servers is live, nothing is repaired.");
DEFINE_bool(splits, true, "Whether tablets may be split, by hand and by load.");
DEFINE_int32(transfer_hold_s, 600,
             "How long the planner leaves a tablet alone after an operator has transferred or moved it.");
DEFINE_int32(
    level_raise_after_s, 60,
    "How long every process has spoken a higher feature level before the cluster goes to it. It never goes back.");
DEFINE_int32(frame_bytes_max, 16 << 20, "Largest request, in bytes. A larger one closes its connection.");
DEFINE_int32(
    connections_max, 10'000,
    "Most connections at a time. Further ones are closed at once. Where they have certificates, users together "
    "take five eighths of them, and one user half of those.");
DEFINE_int32(in_flight_max, 1'024,
             "Most requests in flight on one connection. At this number the server reads no more from it for now.");

namespace ebla::master {
namespace {

// A setting that cannot be.
[[noreturn]] void Refuse(const Status& status) {
  process::Complain(status);
  std::exit(2);
}

template <class T>
T OrRefuse(Result<T> result) {
  if (!result) Refuse(result.error());
  return std::move(*result);
}

Status CheckFlags() {
  if (FLAGS_data_dir.empty()) {
    return Error(Code::kInvalidArgument, "no data directory is named: give one with --data_dir=DIRECTORY");
  }
  struct Range {
    const char* flag;
    int32_t value, least, most;
  };
  constexpr int32_t kAny = std::numeric_limits<int32_t>::max();
  for (const Range& range : {Range{"deadline_ms", FLAGS_deadline_ms, 1, kAny},
                             {"zookeeper_session_ms", FLAGS_zookeeper_session_ms, 100, kAny},
                             {"frame_bytes_max", FLAGS_frame_bytes_max, 1024, kAny},
                             {"replicas_default", FLAGS_replicas_default, 1, kReplicasMax},
                             {"replace_after_s", FLAGS_replace_after_s, 1, kAny},
                             {"transfer_hold_s", FLAGS_transfer_hold_s, 0, kAny},
                             {"level_raise_after_s", FLAGS_level_raise_after_s, 0, kAny},
                             {"copies_max", FLAGS_copies_max, 1, kAny},
                             {"copies_per_server", FLAGS_copies_per_server, 1, kAny},
                             {"connections_max", FLAGS_connections_max, 1, kAny},
                             {"in_flight_max", FLAGS_in_flight_max, 1, kAny}}) {
    if (range.value >= range.least && range.value <= range.most) continue;
    return Error(Code::kInvalidArgument,
                 std::string("--") + range.flag + " must be " +
                     (range.most == kAny ? "at least " + std::to_string(range.least)
                                         : std::to_string(range.least) + " to " + std::to_string(range.most)) +
                     ", not " + std::to_string(range.value));
  }
  if (FLAGS_safe_mode_below < 0 || FLAGS_safe_mode_below > 1) {
    return Error(Code::kInvalidArgument, "--safe_mode_below must be from 0 to 1");
  }
  return {};
}

rpc::Endpoint Advertised(const rpc::Endpoint& listening) {
  if (!FLAGS_advertise.empty()) return OrRefuse(process::EndpointFlag("advertise", FLAGS_advertise));
  if (listening.host == "0.0.0.0" || listening.host == "::") {
    Refuse(Error(Code::kInvalidArgument,
                 "this master listens on every address, so others cannot know which to use: name one with "
                 "--advertise=HOST:PORT"));
  }
  return listening;
}

// Runs the task on the loop and waits for what it returns.
template <class F>
auto RunOn(Executor& loop, F task) {
  std::packaged_task<decltype(task())()> packaged(std::move(task));
  auto future = packaged.get_future();
  loop.Post([&packaged] { packaged(); });
  return future.get();
}

rpc::ServerOptions ServerSettings() {
  rpc::ServerOptions options;
  options.listen = OrRefuse(process::EndpointFlag("listen", FLAGS_listen));
  options.frame_bytes_max = static_cast<size_t>(FLAGS_frame_bytes_max);
  options.connections_max = static_cast<size_t>(FLAGS_connections_max);
  options.in_flight_max = static_cast<size_t>(FLAGS_in_flight_max);
  options.tls = OrRefuse(process::ServerCertificates());
  if (const Status obeyed = process::CheckIsObeyed(options.tls.get(), process::Orders::kTabletServers); !obeyed.ok())
    Refuse(obeyed);
  options.password_logins = process::PasswordLogins();
  return options;
}

coordination::ZooKeeperOptions ZooKeeperSettings() {
  coordination::ZooKeeperOptions options;
  options.servers = FLAGS_zookeeper;
  options.session_timeout = std::chrono::milliseconds(FLAGS_zookeeper_session_ms);
  options.auth = OrRefuse(process::ZooKeeperSecret());
  return options;
}

MasterOptions MasterSettings() {
  MasterOptions options;
  options.name = FLAGS_name;
  options.version = process::BuildVersion();
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
  if (Status status = TakePlannerFlags(options); !status.ok()) Refuse(status);
  return options;
}

// Hands leadership over before the process ends, as far as the coordinator can be reached soon.
void Resign(Executor& loop, Master& master) {
  auto resigned = std::make_shared<std::promise<void>>();  // may be kept past the wait
  loop.Post([&master, resigned] { master.Resign([resigned] { resigned->set_value(); }); });
  resigned->get_future().wait_for(std::chrono::seconds(2));
}

int Run() {
  if (Status status = CheckFlags(); !status.ok()) Refuse(status);

  // Everything of the host happens on this one loop; the routing look-ups that clients make are short.
  rpc::EventLoop loop("master");
  const rpc::ServerOptions server_options = ServerSettings();
  rpc::PipelinedConnector connector(loop, {.tls = server_options.tls});
  MasterOptions settings = MasterSettings();
  const std::unique_ptr<security::AuditLog> audit = OrRefuse(process::OpenAuditLog());
  security::AccessControl access;
  access.GoBy(settings.features);
  access.SetAudit(audit.get());
  rpc::Dispatcher dispatcher({.access = &access, .audit = audit.get()});
  rpc::RpcServer server(server_options, dispatcher, {&loop});
  auto coordinator = OrRefuse(coordination::ZooKeeperCoordinator::Open(ZooKeeperSettings(), loop));
  ScaleCommands commands(loop, ScaleCommandLimit());
  auto master = std::make_unique<Master>(std::move(settings), loop, *coordinator, ConnectOver(connector, loop),
                                         commands.Runner());
  auto metrics = std::make_shared<MasterMetrics>(*master, &server);  // shared with the HTTP server
  dispatcher.Register(master->service());

  http::HttpOptions http_options;
  http_options.title = "Ebla master " + FLAGS_name;
  http_options.listen = OrRefuse(process::EndpointFlag("http_listen", FLAGS_http_listen));
  if (Status status = process::CheckExposure({server_options.listen, http_options.listen}); !status.ok())
    Refuse(status);
  http_options.tls = server_options.tls;
  http_options.metrics = metrics;
  http_options.ready = [metrics = metrics.get()] { return metrics->Ready(); };
  http_options.degraded = [metrics = metrics.get()] { return metrics->Degraded(); };
  http::HttpServer http(http_options);

  loop.Start();
  if (Status status = server.Start(); !status.ok()) Refuse(status);
  if (Status status = http.Start(); !status.ok()) Refuse(status);
  const rpc::Endpoint address = Advertised(server.address());
  std::unique_ptr<coordination::AccessWatcher> access_watcher;
  std::atomic<bool> refused = false;
  RunOn(loop, [&] {
    access_watcher = std::make_unique<coordination::AccessWatcher>(*coordinator, loop, access);
    master->Start(address, [&refused](const Status& why) {
      process::Complain(why);
      refused = true;
      process::RequestTermination();
    });
    metrics->Start();
  });
  if (Status status = process::WriteAddressFile(FLAGS_data_dir, address, http.address()); !status.ok()) Refuse(status);
  LOG(INFO) << FLAGS_name << " answers at " << address.ToString() << ", metrics at " << http.address().ToString();

  process::WaitForTermination([&] { return metrics->Ready(); }, "--zookeeper=" + FLAGS_zookeeper);
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
  return refused ? 1 : 0;
}

}  // namespace
}  // namespace ebla::master

int main(int argc, char** argv) {
  const auto lock = ebla::process::InitProcess(
      {.role = "master",
       .usage =
           "A master of an Ebla cluster. It stands for election and, while it is the leader, manages the catalog.\n"
           "  ebla-master --data_dir=DIRECTORY --zookeeper=HOST:PORT/ebla [--name=master-1] [--flagfile=FILE]",
       .data_dir = &FLAGS_data_dir},
      argc, argv);
  return ebla::master::Run();
}
