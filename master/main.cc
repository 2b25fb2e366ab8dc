// master/main.cc: ebla-master. Stands for election in ZooKeeper and, while it leads, keeps the catalog.
#include <gflags/gflags.h>
#include <glog/logging.h>

#include <filesystem>
#include <future>
#include <memory>

#include "common/coordination/zookeeper_coordinator.h"
#include "common/http/http_server.h"
#include "common/process/process.h"
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
DEFINE_string(data_dir, "", "Where its ADDRESS file and its logs go. A master keeps no other state.");
DEFINE_string(zookeeper, "127.0.0.1:2181/ebla", "host:port[,host:port...][/chroot] of the cluster's ZooKeeper.");
DEFINE_int32(zookeeper_session_ms, 6'000, "After so long without contact its leadership passes to another.");
DEFINE_string(listen, "127.0.0.1:7400", "Where clients and tablet servers reach it; port 0: the system picks.");
DEFINE_string(advertise, "", "host:port that others are told; empty: what it listens on.");
DEFINE_string(http_listen, "127.0.0.1:7401", "Where /metrics, /healthz and /readyz are; port 0: the system picks.");
DEFINE_int32(deadline_ms, 10'000, "Patience with a request that names no deadline.");
DEFINE_int32(replicas_default, 3, "Replicas of a table that asks for no number; fewer while fewer servers live.");
DEFINE_int32(replace_after_s, 300, "A tablet server that has been away for so long has its replicas made elsewhere.");
DEFINE_int32(copies_max, 64, "Replicas that are being copied at the same time, in all.");
DEFINE_int32(copies_per_server, 4, "Replicas that are being copied to one server at the same time.");
DEFINE_double(safe_mode_below, 0.5, "With less than this part of the known tablet servers live, nothing is repaired.");
DEFINE_bool(splits, true, "Tablets may be split, by hand and by load (docs/design/balancer.md).");
DEFINE_int32(transfer_hold_s, 600,
             "A tablet that an operator has transferred or moved is left where it is for so long.");
DEFINE_int32(frame_bytes_max, 16 << 20, "A larger frame closes its connection.");
DEFINE_int32(connections_max, 10'000, "Further connections are closed at once.");
DEFINE_int32(in_flight_max, 1'024, "Requests in flight on one connection; beyond, it is not read.");

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
  if (FLAGS_data_dir.empty()) return Error(Code::kInvalidArgument, "say where its files go: --data_dir=DIRECTORY");
  if (FLAGS_deadline_ms < 1 || FLAGS_zookeeper_session_ms < 100 || FLAGS_frame_bytes_max < 1024 ||
      FLAGS_safe_mode_below < 0 || FLAGS_safe_mode_below > 1 || FLAGS_replicas_default < 1 ||
      FLAGS_replicas_default > kReplicasMax || FLAGS_replace_after_s < 1 || FLAGS_transfer_hold_s < 0 ||
      FLAGS_copies_max < 1 || FLAGS_copies_per_server < 1 || FLAGS_connections_max < 1 || FLAGS_in_flight_max < 1) {
    return Error(Code::kInvalidArgument, "a flag is out of range; see --help");
  }
  return {};
}

rpc::Endpoint Advertised(const rpc::Endpoint& listening) {
  if (!FLAGS_advertise.empty()) return OrRefuse(rpc::Endpoint::Parse(FLAGS_advertise));
  if (listening.host == "0.0.0.0" || listening.host == "::") {
    Refuse(Error(Code::kInvalidArgument, "it listens on every address: say which one others shall use, --advertise"));
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
  options.listen = OrRefuse(rpc::Endpoint::Parse(FLAGS_listen));
  options.frame_bytes_max = static_cast<size_t>(FLAGS_frame_bytes_max);
  options.connections_max = static_cast<size_t>(FLAGS_connections_max);
  options.in_flight_max = static_cast<size_t>(FLAGS_in_flight_max);
  return options;
}

coordination::ZooKeeperOptions ZooKeeperSettings() {
  coordination::ZooKeeperOptions options;
  options.servers = FLAGS_zookeeper;
  options.session_timeout = std::chrono::milliseconds(FLAGS_zookeeper_session_ms);
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
  rpc::PipelinedConnector connector(loop);
  rpc::Dispatcher dispatcher;
  rpc::RpcServer server(ServerSettings(), dispatcher, {&loop});
  auto coordinator = OrRefuse(coordination::ZooKeeperCoordinator::Open(ZooKeeperSettings(), loop));
  ScaleCommands commands(loop, ScaleCommandLimit());
  auto master =
      std::make_unique<Master>(MasterSettings(), loop, *coordinator, ConnectOver(connector, loop), commands.Runner());
  auto metrics = std::make_shared<MasterMetrics>(*master, &server);  // shared with the HTTP server
  dispatcher.Register(master->service());

  http::HttpOptions http_options;
  http_options.title = "Ebla master " + FLAGS_name;
  http_options.listen = OrRefuse(rpc::Endpoint::Parse(FLAGS_http_listen));
  http_options.metrics = metrics;
  http_options.ready = [metrics = metrics.get()] { return metrics->Ready(); };
  http_options.degraded = [metrics = metrics.get()] { return metrics->Degraded(); };
  http::HttpServer http(http_options);

  loop.Start();
  if (Status status = server.Start(); !status.ok()) Refuse(status);
  if (Status status = http.Start(); !status.ok()) Refuse(status);
  const rpc::Endpoint address = Advertised(server.address());
  RunOn(loop, [&] {
    master->Start(address);
    metrics->Start();
  });
  if (Status status = process::WriteAddressFile(FLAGS_data_dir, address, http.address()); !status.ok()) Refuse(status);
  LOG(INFO) << FLAGS_name << " answers at " << address.ToString() << ", metrics at " << http.address().ToString();

  process::WaitForTermination();
  LOG(INFO) << "stopping";
  Resign(loop, *master);
  server.Stop(std::chrono::seconds(2));
  http.Stop();
  RunOn(loop, [&] {
    metrics->Stop();
    master.reset();
    coordinator.reset();
  });
  loop.Stop();
  return 0;
}

}  // namespace
}  // namespace ebla::master

int main(int argc, char** argv) {
  ebla::process::InitProcess(
      {.role = "master",
       .usage = "A master of an Ebla cluster: stands for election and, while it leads, keeps the catalog.\n"
                "  ebla-master --data_dir=DIRECTORY --zookeeper=HOST:PORT/ebla [--name=master-1] [--flagfile=FILE]",
       .data_dir = &FLAGS_data_dir},
      argc, argv);
  return ebla::master::Run();
}
