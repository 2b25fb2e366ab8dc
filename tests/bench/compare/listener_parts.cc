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

// The numbers of the databases, which are tables of these names, and of the real server's. A database has values of one
// size, because a GET returns what is there.
constexpr int kMemory = 1, kMemorySmall = 2, kInterval = 3, kIntervalSmall = 4;
constexpr int kRedis = 0, kRedisSmall = 1;

constexpr int kDefaultConnections = 50;  // redis-benchmark's own
constexpr size_t kDefaultValueBytes = 3;

struct Command {
  const char* name;
  Operation operation;
  size_t value_bytes;
  int keys;
};
// All commands have the tool's defaults, which is one key, with two sizes of values. Then with random keys.
constexpr std::array<Command, 11> kCommands{
    {{"SET of 3 B", Operation::kSet, kDefaultValueBytes, 0},
     {"GET of 3 B", Operation::kGet, kDefaultValueBytes, 0},
     {"MSET of 10 x 3 B", Operation::kMultiSet, kDefaultValueBytes, 0},
     {"INCR", Operation::kIncrement, kDefaultValueBytes, 0},
     {"SET of 1 KB", Operation::kSet, kValueBytes, 0},
     {"GET of 1 KB", Operation::kGet, kValueBytes, 0},
     {"MSET of 10 x 1 KB", Operation::kMultiSet, kValueBytes, 0},
     {"SET of 1 KB, random keys", Operation::kSet, kValueBytes, kRecords},
     {"GET of 1 KB, random keys", Operation::kGet, kValueBytes, kRecords},
     {"INCR, random keys", Operation::kIncrement, kValueBytes, kRecords},
     {"MSET of 10 x 1 KB, random keys", Operation::kMultiSet, kValueBytes, kRecords}}};
constexpr double kInMemoryWanted = 0.9, kOnDiskWanted = 0.7, kMemcachedWanted = 0.9;
constexpr std::array<int, 2> kPipelines{1, 16};

constexpr char kOurMemory[] = "Ebla's Redis listener, memory,", kTheirMemory[] = "Redis in memory";
constexpr char kOurDisk[] = "Ebla's Redis listener, interval,", kTheirDisk[] = "Redis everysec";
constexpr char kOurItems[] = "Ebla's Memcached listener, memory,", kTheirItems[] = "Memcached";

std::string Row(const std::string& who, const std::string& command, int pipeline,
                int connections = kDefaultConnections) {
  return who + " " + command + ", " + std::to_string(connections) +
         (pipeline == 1 ? "" : " x " + std::to_string(pipeline));
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

TableOptions InMemory() { return Database({.replicas = 1, .memory = true}); }
TableOptions OnDisk() { return Database({.replicas = 1, .durability = TableDurability::kInterval}); }
std::string DatabaseTable(int number) { return "redis-" + std::to_string(number); }

// A server with a database of either size of values.
struct RedisSide {
  std::string name;
  Servers servers;
  RedisBenchmark large, small;
};

class ListenersPart : public Part {
 public:
  ListenersPart(const std::string& directory, Duration each)
      : each_(each),
        ebla_(WithTables(directory + "/ebla", {{DatabaseTable(kMemory), InMemory()},
                                               {DatabaseTable(kMemorySmall), InMemory()},
                                               {DatabaseTable(kInterval), OnDisk()},
                                               {DatabaseTable(kIntervalSmall), OnDisk()},
                                               {"cache", {.replicas = 1, .memory = true}}}),
              {"--redis_listen=127.0.0.1:" + std::to_string(redis_port_),
               "--memcached_listen=127.0.0.1:" + std::to_string(memcached_port_)}),
        redis_(Installed("Redis", RedisPeer::Start(directory + "/redis", RedisPersistence::kNone))),
        everysec_(Installed("Redis", RedisPeer::Start(directory + "/everysec", RedisPersistence::kEverySecond))),
        memcached_(Installed("Memcached", MemcachedPeer::Start(directory + "/memcached"))) {
    const auto ebla = [&](const char* name, int large, int small) {
      sides_.push_back({name, ebla_.servers(), RedisBenchmark(directory + "/ebla", redis_port_, large),
                        RedisBenchmark(directory + "/ebla", redis_port_, small)});
      CHECK(sides_.back().large.Fill().ok());
    };
    const auto redis = [&](const char* name, const std::unique_ptr<RedisPeer>& peer) {
      if (peer) sides_.push_back({name, peer->servers(), peer->Database(kRedis), peer->Database(kRedisSmall)});
    };
    ebla(kOurMemory, kMemory, kMemorySmall);
    redis(kTheirMemory, redis_);
    ebla(kOurDisk, kInterval, kIntervalSmall);
    redis(kTheirDisk, everysec_);
    for (const RedisSide& side : sides_)
      CHECK(side.large.FillOne(kValueBytes).ok() && side.small.FillOne(kDefaultValueBytes).ok());
    CHECK(FillMemcached(memcached_port_).ok());
  }

  void Round(Figures& figures) override {
    for (const int pipeline : kPipelines) {
      for (const Command& command : kCommands) {
        for (const RedisSide& side : sides_)
          figures.Measure(Row(side.name, command.name, pipeline), [&] { return Measure(side, command, pipeline); });
      }
      if (memcached_) Memcached(figures, pipeline);
    }
  }

 private:
  Figure Measure(const RedisSide& side, const Command& command, int pipeline) const {
    const RedisBenchmark& database = command.value_bytes == kValueBytes ? side.large : side.small;
    return Checked(database.Measure(side.servers,
                                    {.operation = command.operation,
                                     .pipeline = pipeline,
                                     .connections = kDefaultConnections,
                                     .value_bytes = command.value_bytes,
                                     .keys = command.keys},
                                    each_));
  }
  void Memcached(Figures& figures, int pipeline) const {
    for (const auto& [operation, name] :
         {std::pair(MemcachedOperation::kSet, "set"), std::pair(MemcachedOperation::kGet, "get")}) {
      const MemcachedLoad load{operation, pipeline, kDefaultConnections};
      figures.Measure(Row(kOurItems, name, pipeline),
                      [&] { return MeasureMemcached(ebla_.servers(), memcached_port_, load, each_); });
      figures.Measure(Row(kTheirItems, name, pipeline), [&] { return memcached_->Measure(load, each_); });
    }
  }

  const Duration each_;
  const uint16_t redis_port_ = FreePort(), memcached_port_ = FreePort();
  EblaStandalone ebla_;
  const std::unique_ptr<RedisPeer> redis_, everysec_;
  const std::unique_ptr<MemcachedPeer> memcached_;
  std::vector<RedisSide> sides_;
};

// ---- before three replicas
// -------------------------------------------------------------------------------------------

constexpr char kPutsOfClients[] = "Ebla put RF 3, 32 clients", kGetsOfClients[] = "Ebla get RF 3, 32 clients";

std::string GatewayRow(const char* command, int pipeline) {
  return Row("ebla-gateway, RF 3,", command, pipeline, kConnections);
}

// Clients with one connection each, as many as redis-benchmark has connections here.
std::vector<Client> Clients(const std::string& masters) {
  std::vector<Client> clients;
  for (int i = 0; i < kConnections; ++i) {
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
      figures.Measure(GatewayRow("SET", pipeline), [&] { return Ask(Operation::kSet, pipeline); });
      figures.Measure("Ebla get RF 3" + in_flight,
                      [&] { return load_.Gets(sdk_table_, 32 * pipeline, {.read = Read::Strong()}); });
      figures.Measure(GatewayRow("GET", pipeline), [&] { return Ask(Operation::kGet, pipeline); });
    }
    figures.Measure(kPutsOfClients, [&] { return load_.Puts(tables_); });
    figures.Measure(kGetsOfClients, [&] { return load_.Gets(tables_, {.read = Read::Strong()}); });
  }

 private:
  Figure Ask(Operation operation, int pipeline) const {
    Servers servers = ebla_.servers();
    for (const pid_t pid : gateway_.servers().pids) servers.pids.push_back(pid);
    return Checked(benchmark_.Measure(servers, {operation, pipeline}, each_));
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
      ratio(Row(kOurMemory, command.name, pipeline), Row(kTheirMemory, command.name, pipeline), kInMemoryWanted);
      ratio(Row(kOurDisk, command.name, pipeline), Row(kTheirDisk, command.name, pipeline), kOnDiskWanted);
    }
    for (const char* name : {"set", "get"})
      ratio(Row(kOurItems, name, pipeline), Row(kTheirItems, name, pipeline), kMemcachedWanted);
    const std::string in_flight = pipeline == 1 ? ", 32" : ", 512";
    ratio(GatewayRow("SET", pipeline), "Ebla put RF 3" + in_flight, 0.8);
    ratio(GatewayRow("GET", pipeline), "Ebla get RF 3" + in_flight, 0.8);
  }
  ratio(GatewayRow("SET", 1), kPutsOfClients, 0.8);
  ratio(GatewayRow("GET", 1), kGetsOfClients, 0.8);
}

}  // namespace ebla::bench
