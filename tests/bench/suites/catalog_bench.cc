// A master with the catalog of a large cluster in a real ZooKeeper. Measures how long the creation of tables with so
// many tablets takes, how long after the leading master's death the next one answers, and how long a client takes to
// read all routes, in pages. No server serves the tablets: tablet servers of this process register, obey every order to
// lead, and report all of it every second, as real ones do.
#include <gflags/gflags.h>
#include <glog/logging.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "common/coordination/layout.h"
#include "common/coordination/registration.h"
#include "common/coordination/zookeeper_coordinator.h"
#include "common/rpc/dispatcher.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/idl_convert.h"
#include "common/rpc/pipelined_channel.h"
#include "common/rpc/server.h"
#include "common/rpc/stubs.h"
#include "idl/ControlService.h"
#include "tabletserver/transport/heartbeater.h"
#include "tests/bench/harness/report.h"
#include "tests/integration/test_cluster.h"

DEFINE_int32(catalog_tablets, 100'000, "catalog: how many tablets the catalog has, in tables of 10,000 at most.");
DEFINE_int32(catalog_replicas, 1, "catalog: how many replicas each tablet has.");
DEFINE_int32(catalog_servers, 20, "catalog: how many tablet servers hold them.");

namespace ebla::bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr char kSuite[] = "catalog";
constexpr int kTabletsPerTable = 10'000;
constexpr int kPage = 1'000;
constexpr size_t kReadsInFlight = 1'000;
constexpr Duration kSession = std::chrono::seconds(6);  // of ebla-master with ZooKeeper, by default

double Seconds(Clock::time_point since) { return std::chrono::duration<double>(Clock::now() - since).count(); }

// A tablet server that holds nothing but what it was told. Everything on one loop, which all of them share.
class HollowServer final : public idl::ControlServiceCobSvNull {
 public:
  HollowServer(std::string name, const std::string& zookeeper, rpc::EventLoop& loop, rpc::Connector& connector)
      : name_(std::move(name)), loop_(loop), connector_(connector) {
    auto opened = coordination::ZooKeeperCoordinator::Open({.servers = zookeeper}, loop);
    CHECK(opened.has_value()) << opened.error();
    coordinator_ = *std::move(opened);
  }

  // On the loop, reached at this address.
  void Begin(const rpc::Endpoint& endpoint) {
    coordination::ServerIdentity identity{
        .name = name_, .uuid = "uuid-" + name_, .incarnation = Incarnation{1}, .endpoint = endpoint, .http = endpoint};
    registration_ = std::make_unique<coordination::ServerRegistration>(
        *coordinator_, loop_, std::move(identity), coordination::ServerRegistration::Options(),
        [this](const coordination::RegistrationState& state) { cluster_id_ = state.cluster_id; });
    heartbeater_ = std::make_unique<tabletserver::Heartbeater>(
        *coordinator_, connector_, loop_, term_, [this](idl::HeartbeatRequest& request) { Fill(request); },
        [](const idl::HeartbeatReply&) {}, [](const rpc::Endpoint&) {}, tabletserver::Heartbeater::Options());
  }
  // On the loop.
  void End() {
    heartbeater_.reset();
    registration_.reset();
    coordinator_.reset();
  }

  void configure(std::function<void(const idl::ConfigureReply&)> cob, const idl::ConfigureRequest& request) override {
    idl::ConfigureReply reply;
    for (const idl::ConfigureTablet& order : request.tablets) {
      idl::TabletLoad& load = loads_[order.tabletId];
      load.tabletId = order.tabletId;
      load.epoch = load.promisedEpoch = load.lastEpoch = order.epoch;
      load.leading = load.barrierApplied = load.barrierCommitted = order.primary == name_;
      load.primary = order.primary;
      load.appliedLsn = load.lastLsn = 1;
      load.sizeBytes = 1 << 20;
      load.records = 1'000;
      load.schemaVersion = order.schema.schemaVersion;
      idl::ConfigureResult& result = reply.results.emplace_back();
      result.tabletId = order.tabletId;
      result.promisedEpoch = order.epoch;
    }
    cob(reply);
  }

 private:
  void Fill(idl::HeartbeatRequest& request) const {
    request.clusterId = cluster_id_;
    request.server = name_;
    request.incarnation = 1;
    request.featureLevel = kFeatureLevel;
    request.diskFreeBytes = request.diskTotalBytes = int64_t{1} << 40;
    request.tablets.reserve(loads_.size());
    const int64_t now_ms = loop_.TimeOfDayMs();
    for (const auto& [id, load] : loads_) request.tablets.emplace_back(load).tabletTimeMs = now_ms;
  }

  const std::string name_;
  rpc::EventLoop& loop_;
  rpc::Connector& connector_;
  std::unique_ptr<coordination::Coordinator> coordinator_;
  std::unique_ptr<coordination::ServerRegistration> registration_;
  tabletserver::SeenTerm term_;
  std::unique_ptr<tabletserver::Heartbeater> heartbeater_;
  std::string cluster_id_;
  std::map<int64_t, idl::TabletLoad> loads_;
};

// All of them, on one loop.
class HollowServers {
 public:
  HollowServers(int number, const std::string& zookeeper) : loop_("hollow"), connector_(loop_) {
    loop_.Start();
    for (int i = 0; i < number; ++i) {
      auto& host = hosts_.emplace_back(std::make_unique<Host>());
      host->server = std::make_shared<HollowServer>("hollow-" + std::to_string(i + 1), zookeeper, loop_, connector_);
      host->dispatcher.Register(std::static_pointer_cast<idl::ControlServiceCobSvIf>(host->server));
      host->rpc = std::make_unique<rpc::RpcServer>(rpc::ServerOptions{}, host->dispatcher,
                                                   std::vector<rpc::EventLoop*>{&loop_});
      const Status started = host->rpc->Start();
      CHECK(started.ok()) << started;
      loop_.Post([server = host->server, address = host->rpc->address()] { server->Begin(address); });
    }
  }
  ~HollowServers() {
    for (auto& host : hosts_) host->rpc->Stop(Duration(0));
    std::promise<void> ended;
    loop_.Post([&] {
      for (auto& host : hosts_) host->server->End();
      ended.set_value();
    });
    ended.get_future().wait();
    loop_.Stop();
  }

 private:
  struct Host {
    std::shared_ptr<HollowServer> server;
    rpc::Dispatcher dispatcher;
    std::unique_ptr<rpc::RpcServer> rpc;
  };
  rpc::EventLoop loop_;
  rpc::PipelinedConnector connector_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

// The second and further words of /proc/PID/stat after the program's name; resident memory of /proc/PID/status.
double CpuSeconds(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(in)), {});
  std::istringstream words(text.substr(text.rfind(')') + 1));
  std::string skipped;
  for (int i = 0; i < 11; ++i) words >> skipped;
  double user = 0, system = 0;
  words >> user >> system;
  return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

double ResidentMiB(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("VmRSS:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

class Bench {
 public:
  Bench(const BenchOptions& options, Report& report) : options_(options), report_(report) {
    auto cluster = testing::TestCluster::Start({.masters = 2, .servers = 1});
    CHECK(cluster.has_value()) << cluster.error();
    cluster_ = *std::move(cluster);
    client_ = Connect();
    // The one real server of the launcher holds none of it.
    const auto kept = client_->SetServer("ts-1", {.draining = std::nullopt, .maintenance = true});
    CHECK(kept.has_value()) << kept.error();
    servers_ = std::make_unique<HollowServers>(FLAGS_catalog_servers, cluster_->launcher().ZooKeeper() + "/ebla");
    CHECK(testing::Eventually([&] { return LiveServers() == FLAGS_catalog_servers + 1; }))
        << "the servers did not register";
  }

  void Run() {
    Create();
    report_.Add(kSuite, "every tablet's node read from ZooKeeper", ReadNodes(), "s");
    Steady();
    Elect();
    ReadRoutes();
    // 15 s with sessions of 6 s, which ZooKeeper waits for.
    report_.Ratio(kSuite, "leader killed until the next answers", "ZooKeeper session of the master", 2.5, true);
  }

 private:
  std::optional<Client> Connect() {
    auto client = cluster_->Connect(std::chrono::minutes(5));
    CHECK(client.has_value()) << client.error();
    return *std::move(client);
  }
  int LiveServers() {
    const auto info = client_->DescribeCluster();
    return info ? info->live_servers : 0;
  }
  static std::string TableName(int table) { return "table-" + std::to_string(table); }

  void Create() {
    const auto begin = Clock::now();
    for (int made = 0; made < FLAGS_catalog_tablets; made += kTabletsPerTable) {
      const int tablets = std::min(kTabletsPerTable, FLAGS_catalog_tablets - made);
      CreateTableOptions options{
          .table = {.replicas = FLAGS_catalog_replicas}, .split_points = {}, .deadline = std::chrono::minutes(5)};
      for (int i = 1; i < tablets; ++i) {
        std::string point = std::to_string(1'000'000 + i);
        options.split_points.push_back("user" + point.substr(1) + "0000");
      }
      tables_.push_back(TableName(static_cast<int>(tables_.size())));
      const auto table = client_->CreateTable(tables_.back(), std::move(options));
      CHECK(table.has_value()) << table.error();
      CHECK_EQ(table->tablets_serving, tablets);
    }
    report_.Add(kSuite, "tables made, every tablet served", Seconds(begin), "s");
    report_.Add(kSuite, "tablets", FLAGS_catalog_tablets, "tablets");
    report_.Add(kSuite, "replicas of them", FLAGS_catalog_tablets * FLAGS_catalog_replicas, "replicas");
  }

  // The speed of the machine, ZooKeeper and its client, without decoding.
  double ReadNodes() {
    rpc::EventLoop loop("reader");
    loop.Start();
    auto coordinator =
        coordination::ZooKeeperCoordinator::Open({.servers = cluster_->launcher().ZooKeeper() + "/ebla"}, loop);
    CHECK(coordinator.has_value()) << coordinator.error();
    const auto begin = Clock::now();
    std::promise<void> over;
    struct State {
      coordination::Coordinator& coordinator;
      std::promise<void>& over;
      std::vector<std::string> paths;
      size_t next = 0, in_flight = 0, lists = coordination::layout::kTabletShards;
      void More() {
        while (in_flight < kReadsInFlight && next < paths.size()) {
          ++in_flight;
          coordinator.Get(
              paths[next++],
              [this](Result<coordination::Node> node) {
                CHECK(node.has_value()) << node.error();
                --in_flight;
                More();
              },
              nullptr);
        }
        if (in_flight == 0 && next == paths.size()) over.set_value();
      }
    } state{**coordinator, over, {}};
    loop.Post([&] {
      for (int shard = 0; shard < coordination::layout::kTabletShards; ++shard) {
        const std::string parent = coordination::layout::TabletShardPath(shard);
        state.coordinator.Children(
            parent,
            [&state, parent](Result<std::vector<std::string>> names) {
              CHECK(names.has_value()) << names.error();
              for (const std::string& name : *names) state.paths.push_back(parent + "/" + name);
              if (--state.lists == 0) state.More();
            },
            nullptr);
      }
    });
    over.get_future().wait();
    const double seconds = Seconds(begin);
    std::promise<void> closed;
    loop.Post([&] {
      coordinator->reset();
      closed.set_value();
    });
    closed.get_future().wait();
    loop.Stop();
    return seconds;
  }

  pid_t Leader(std::string* name) {
    const auto leader = cluster_->LeadingMaster();
    CHECK(leader.has_value()) << leader.error();
    *name = *leader;
    return cluster_->launcher().Process(*leader)->pid;
  }

  // The leading master's cost for the reports, and its memory.
  void Steady() {
    std::string name;
    const pid_t pid = Leader(&name);
    const double before = CpuSeconds(pid);
    const auto begin = Clock::now();
    std::this_thread::sleep_for(std::max<Duration>(options_.each * 2, std::chrono::seconds(10)));
    report_.Add(kSuite, "leading master, its share of a core, all replicas reported each second",
                100 * (CpuSeconds(pid) - before) / Seconds(begin), "%");
    report_.Add(kSuite, "leading master, resident", ResidentMiB(pid), "MiB");
  }

  void Elect() {
    std::string name;
    Leader(&name);
    const auto begin = Clock::now();
    CHECK(cluster_->launcher().Kill(name, SIGKILL).ok());
    // A client that knows neither table nor leader.
    std::optional<Client> client = Connect();
    const auto table = client->DescribeTable(tables_.back());
    CHECK(table.has_value()) << table.error();
    report_.Add(kSuite, "leader killed until the next answers", Seconds(begin), "s");
    const auto place = client->Locate(tables_.front(), "user000001");
    CHECK(place.has_value() && !place->primary.empty()) << (place ? Status() : place.error());
    report_.Add(kSuite, "leader killed until the next has answered where a key is", Seconds(begin), "s");
    report_.Add(kSuite, "ZooKeeper session of the master", std::chrono::duration<double>(kSession).count(), "s");
    client_ = std::move(client);
  }

  // All routes, table after table, page after page, as a client that scans everything asks for them.
  void ReadRoutes() {
    rpc::EventLoop loop("routes");
    loop.Start();
    {
      rpc::PipelinedConnector connector(loop);
      std::string name;
      Leader(&name);
      std::string address;
      const auto info = client_->DescribeCluster();
      CHECK(info.has_value()) << info.error();
      for (const MasterSummary& master : info->masters) address = master.leader ? master.address : address;
      const auto endpoint = rpc::Endpoint::Parse(address);
      CHECK(endpoint.has_value()) << endpoint.error();
      const auto stub = rpc::MakeMasterStub(connector.Connect(*endpoint, loop), std::chrono::seconds(30));
      const auto begin = Clock::now();
      size_t tablets = 0;
      double longest = 0;
      for (const std::string& table : tables_) {
        const auto described = client_->DescribeTable(table);
        CHECK(described.has_value()) << described.error();
        idl::LocateRequest request;
        request.tableId = static_cast<int64_t>(described->id.value);
        request.limit = kPage;
        for (bool more = true; more;) {
          const auto asked = Clock::now();
          std::promise<idl::LocateReply> answered;
          stub->locate([&](const idl::LocateReply& reply) { answered.set_value(reply); }, request);
          const idl::LocateReply reply = answered.get_future().get();
          CHECK_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
          for (const idl::TabletLocation& tablet : reply.tablets) CHECK(!tablet.primary.empty());
          longest = std::max(longest, Seconds(asked));
          tablets += reply.tablets.size();
          more = reply.more;
          request.range.startKey = reply.tablets.back().range.endKey;
        }
      }
      CHECK_EQ(tablets, static_cast<size_t>(FLAGS_catalog_tablets));
      report_.Add(kSuite, "every tablet's route read by a client, in pages of 1,000", Seconds(begin), "s");
      report_.Add(kSuite, "the longest wait for such a page", longest * 1e3, "ms");
    }
    loop.Stop();
  }

  const BenchOptions options_;
  Report& report_;
  std::unique_ptr<testing::TestCluster> cluster_;
  std::optional<Client> client_;
  std::unique_ptr<HollowServers> servers_;
  std::vector<std::string> tables_;
};

}  // namespace

void RunCatalogBench(const BenchOptions& options, Report& report) { Bench(options, report).Run(); }

}  // namespace ebla::bench
