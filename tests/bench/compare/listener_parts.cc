#include "tests/bench/compare/listener_parts.h"

#include <array>
#include <filesystem>

#include "common/zookeeper/zookeeper_command.h"
#include "test_paths.h"
#include "tests/bench/compare/ebla_cluster.h"
#include "tests/bench/compare/ebla_load.h"
#include "tests/bench/compare/ebla_standalone.h"
#include "tests/bench/compare/installed.h"
#include "tests/bench/compare/memcached_peer.h"
#include "tests/bench/compare/memcached_trace.h"
#include "tests/bench/compare/redis_peer.h"

namespace ebla::bench {
namespace {

using Operation = RedisBenchmark::Operation;

constexpr int kMemory = 1, kInterval = 2;  // the numbers of the databases

struct Command {
  Operation operation;
  const char* name;
  double wanted;  // of a table in memory, against Redis without persistence
};
constexpr std::array<Command, 3> kCommands{
    {{Operation::kSet, "SET", 0.7}, {Operation::kGet, "GET", 0.8}, {Operation::kIncrement, "INCR", 0.7}}};
constexpr std::array<int, 2> kPipelines{1, 16};

std::string Row(const std::string& who, const char* command, int pipeline) {
  return who + " " + command + ", 32" + (pipeline == 1 ? "" : " x " + std::to_string(pipeline));
}

uint16_t FreePort() {
  const Result<uint16_t> port = zookeeper::PickPort();
  CHECK(port.has_value()) << port.error();
  return *port;
}

TableOptions Database(TableOptions options) {
  options.key_group = TableKeyGroup{.delimiter = '\0'};
  return options;
}

using NamedTable = std::pair<std::string, TableOptions>;

// Makes the tables before an ebla-standalone with listeners starts, which would make them without options.
std::string WithTables(const std::string& directory, const std::vector<NamedTable>& tables) {
  EblaStandalone without_listeners(directory);
  for (const auto& [name, options] : tables) MakeTable(without_listeners.client(), name, options);
  return directory;
}

// ---- in one process
// --------------------------------------------------------------------------------------------------

class ListenersPart : public Part {
 public:
  ListenersPart(const std::string& directory, Duration each)
      : each_(each),
        ebla_(WithTables(directory + "/ebla",
                         {{"redis-" + std::to_string(kMemory), Database({.replicas = 1, .memory = true})},
                          {"redis-" + std::to_string(kInterval),
                           Database({.replicas = 1, .durability = TableDurability::kInterval})},
                          {"cache", {.replicas = 1, .memory = true}}}),
              {"--redis_listen=127.0.0.1:" + std::to_string(redis_port_),
               "--memcached_listen=127.0.0.1:" + std::to_string(memcached_port_)}),
        redis_(Installed("Redis", RedisPeer::Start(directory + "/redis", RedisPersistence::kNone))),
        everysec_(Installed("Redis", RedisPeer::Start(directory + "/everysec", RedisPersistence::kEverySecond))),
        memcached_(Installed("Memcached", MemcachedPeer::Start(directory + "/memcached"))),
        memory_(directory + "/ebla", redis_port_, kMemory),
        interval_(directory + "/ebla", redis_port_, kInterval) {
    for (const RedisBenchmark* database : {&memory_, &interval_}) CHECK(database->Fill().ok());
    CHECK(FillMemcached(memcached_port_).ok());
  }

  void Round(Figures& figures) override {
    for (const int pipeline : kPipelines) {
      for (const Command& command : kCommands) Commands(figures, command, pipeline);
      if (!memcached_) continue;
      for (const auto& [operation, name] :
           {std::pair(MemcachedOperation::kSet, "set"), std::pair(MemcachedOperation::kGet, "get")}) {
        figures.Measure(Row("Ebla's Memcached listener, memory,", name, pipeline), [&, operation = operation] {
          return MeasureMemcached(ebla_.servers(), memcached_port_, operation, pipeline, each_);
        });
        figures.Measure(Row("Memcached", name, pipeline),
                        [&, operation = operation] { return memcached_->Measure(operation, pipeline, each_); });
      }
    }
  }

 private:
  void Commands(Figures& figures, const Command& command, int pipeline) {
    const auto ebla = [&](const std::string& who, const RedisBenchmark& database) {
      figures.Measure(Row(who, command.name, pipeline),
                      [&] { return Checked(database.Measure(ebla_.servers(), command.operation, pipeline, each_)); });
    };
    const auto redis = [&](const std::string& who, const std::unique_ptr<RedisPeer>& peer) {
      if (peer) {
        figures.Measure(Row(who, command.name, pipeline),
                        [&] { return Checked(peer->Measure(command.operation, pipeline, each_)); });
      }
    };
    ebla("Ebla's Redis listener, memory,", memory_);
    redis("Redis in memory", redis_);
    ebla("Ebla's Redis listener, interval,", interval_);
    redis("Redis everysec", everysec_);
  }

  const Duration each_;
  const uint16_t redis_port_ = FreePort(), memcached_port_ = FreePort();
  EblaStandalone ebla_;
  const std::unique_ptr<RedisPeer> redis_, everysec_;
  const std::unique_ptr<MemcachedPeer> memcached_;
  const RedisBenchmark memory_, interval_;
};

// ---- before three replicas
// -------------------------------------------------------------------------------------------

constexpr char kPutsOfClients[] = "Ebla put RF 3, 32 clients", kGetsOfClients[] = "Ebla get RF 3, 32 clients";

// Clients with one connection each, as many as redis-benchmark has connections.
std::vector<Client> Clients(const std::string& masters) {
  std::vector<Client> clients;
  for (int i = 0; i < 32; ++i) {
    auto client = Client::Connect({.masters = {masters}});
    CHECK(client.has_value()) << client.error();
    clients.push_back(*std::move(client));
  }
  return clients;
}
std::vector<Table> TablesOf(const std::vector<Client>& clients) {
  std::vector<Table> tables;
  for (const Client& client : clients) {
    const auto table = client.OpenTable("sdk");
    CHECK(table.has_value()) << table.error();
    tables.push_back(*table);
  }
  return tables;
}

class GatewayPart : public Part {
 public:
  GatewayPart(const std::string& directory, Duration each)
      : each_(each),
        table_(MakeTable(ebla_.client(), "redis", Database({.replicas = 3}))),
        sdk_table_(MakeFullTable(ebla_.client(), "sdk", {.replicas = 3})),
        clients_(Clients(ebla_.masters())),
        gateway_(StartGateway(directory)),
        benchmark_(directory, port_) {
    CHECK(benchmark_.Fill().ok());
  }

  void Round(Figures& figures) override {
    for (const int pipeline : kPipelines) {
      const std::string in_flight = pipeline == 1 ? ", 32" : ", 512";
      figures.Measure("Ebla put RF 3" + in_flight, [&] { return load_.Puts(sdk_table_, 32 * pipeline); });
      figures.Measure(Row("ebla-gateway, RF 3,", "SET", pipeline), [&] { return Ask(Operation::kSet, pipeline); });
      figures.Measure("Ebla get RF 3" + in_flight,
                      [&] { return load_.Gets(sdk_table_, 32 * pipeline, {.read = Read::Strong()}); });
      figures.Measure(Row("ebla-gateway, RF 3,", "GET", pipeline), [&] { return Ask(Operation::kGet, pipeline); });
    }
    figures.Measure(kPutsOfClients, [&] { return load_.Puts(tables_); });
    figures.Measure(kGetsOfClients, [&] { return load_.Gets(tables_, {.read = Read::Strong()}); });
  }

 private:
  Figure Ask(Operation operation, int pipeline) const {
    Servers servers = ebla_.servers();
    for (const pid_t pid : gateway_.servers().pids) servers.pids.push_back(pid);
    return Checked(benchmark_.Measure(servers, operation, pipeline, each_));
  }
  MeasuredProcess StartGateway(const std::string& directory) const {
    const std::filesystem::path program = std::filesystem::path(kBinaryDir) / "bin/ebla-gateway";
    auto started =
        MeasuredProcess::Start({program.string(), "--masters=" + ebla_.masters(), "--http_listen=127.0.0.1:0",
                                "--redis_listen=127.0.0.1:" + std::to_string(port_)},
                               directory);
    CHECK(started.has_value()) << started.error();
    const Status serves = started->AwaitSaying("ebla-gateway serves");
    CHECK(serves.ok()) << serves;
    return *std::move(started);
  }

  const Duration each_;
  const uint16_t port_ = FreePort();
  EblaCluster ebla_;
  const EblaLoad load_{ebla_.servers(), each_};
  const Table table_, sdk_table_;
  const std::vector<Client> clients_;
  const std::vector<Table> tables_ = TablesOf(clients_);
  const MeasuredProcess gateway_;
  const RedisBenchmark benchmark_;
};

// ---- as a cache that is too small
// ------------------------------------------------------------------------------------

constexpr std::array<double, 2> kThetas{0.99, 0.8};
constexpr char kOurHits[] = "Ebla's Memcached listener, a tenth, ", kTheirHits[] = "Memcached, a tenth, ";

std::string HitsRow(const std::string& who, double theta) {
  return who + "zipfian " + std::to_string(theta).substr(0, 4);
}

// Each figure begins with processes that are empty.
class HitsPart : public Part {
 public:
  explicit HitsPart(std::string directory) : directory_(std::move(directory)) {}

  void Round(Figures& figures) override {
    for (const double theta : kThetas) {
      TraceShape shape{.theta = theta};
      const int64_t memory_mb = shape.DataBytes() / 10 >> 20;
      const std::string below = directory_ + "/" + std::to_string(++figures_);
      figures.Measure(HitsRow(kOurHits, theta), [&] {
        const uint16_t port = FreePort();
        const NamedTable cache{"cache", Database({.replicas = 1,
                                                  .memory = true,
                                                  .eviction = TableEviction::kLru,
                                                  .memory_limit = static_cast<uint64_t>(memory_mb) << 20})};
        EblaStandalone ebla(WithTables(below + "-ebla", {cache}),
                            {"--memcached_listen=127.0.0.1:" + std::to_string(port)});
        return MeasureHits(port, shape);
      });
      const auto memcached = Installed("Memcached", MemcachedPeer::StartEmpty(below + "-memcached", memory_mb));
      if (memcached) figures.Measure(HitsRow(kTheirHits, theta), [&] { return MeasureHits(memcached->port(), shape); });
    }
  }

 private:
  const std::string directory_;
  int figures_ = 0;
};

}  // namespace

std::unique_ptr<Part> MakeHitsPart(const std::string& directory, const BenchOptions&) {
  return std::make_unique<HitsPart>(directory);
}

std::unique_ptr<Part> MakeListenersPart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<ListenersPart>(directory, options.each);
}

std::unique_ptr<Part> MakeGatewayPart(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<GatewayPart>(directory, options.each);
}

void AddListenerRatios(
    const std::function<void(const std::string& row, const std::string& peer, std::optional<double> wanted)>& ratio) {
  // One distribution less for a hundred reads.
  for (const double theta : kThetas)
    ratio(HitsRow(kOurHits, theta) + ", hits", HitsRow(kTheirHits, theta) + ", hits", 0.99);
  for (const int pipeline : kPipelines) {
    for (const Command& command : kCommands) {
      ratio(Row("Ebla's Redis listener, memory,", command.name, pipeline),
            Row("Redis in memory", command.name, pipeline), command.wanted);
      ratio(Row("Ebla's Redis listener, interval,", command.name, pipeline),
            Row("Redis everysec", command.name, pipeline),
            command.operation == Operation::kSet ? std::optional(0.5) : std::nullopt);
    }
    for (const char* name : {"set", "get"})
      ratio(Row("Ebla's Memcached listener, memory,", name, pipeline), Row("Memcached", name, pipeline), 0.8);
    const std::string in_flight = pipeline == 1 ? ", 32" : ", 512";
    ratio(Row("ebla-gateway, RF 3,", "SET", pipeline), "Ebla put RF 3" + in_flight, 0.8);
    ratio(Row("ebla-gateway, RF 3,", "GET", pipeline), "Ebla get RF 3" + in_flight, 0.8);
  }
  ratio(Row("ebla-gateway, RF 3,", "SET", 1), kPutsOfClients, 0.8);
  ratio(Row("ebla-gateway, RF 3,", "GET", 1), kGetsOfClients, 0.8);
}

}  // namespace ebla::bench
