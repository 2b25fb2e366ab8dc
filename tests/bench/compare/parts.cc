#include "tests/bench/compare/parts.h"

#include <glog/logging.h>

#include <filesystem>
#include <map>
#include <optional>
#include <thread>
#include <tuple>

#include "tests/bench/compare/ebla_cluster.h"
#include "tests/bench/compare/ebla_load.h"
#include "tests/bench/compare/ebla_standalone.h"
#include "tests/bench/compare/etcd_peer.h"
#include "tests/bench/compare/functions_part.h"
#include "tests/bench/compare/installed.h"
#include "tests/bench/compare/keys.h"
#include "tests/bench/compare/listener_parts.h"
#include "tests/bench/compare/memcached_peer.h"
#include "tests/bench/compare/plain_file.h"
#include "tests/bench/compare/redis_peer.h"
#include "tests/bench/compare/storage_parts.h"
#include "tests/bench/compare/tablets_part.h"
#include "tests/bench/compare/trust_parts.h"

namespace ebla::bench {
namespace {

constexpr int kSome = 16;  // in flight, for the levels: enough to keep the machine busy, few enough to see their waits

// ---- one process ---------------------------------------------------------------------------------------------------

class StandalonePart : public Part {
 public:
  StandalonePart(std::string directory, Duration each)
      : directory_(std::move(directory)),
        each_(each),
        memcached_(Installed("Memcached", MemcachedPeer::Start(directory_ + "/memcached"))) {
    using enum RedisPersistence;
    for (const RedisPersistence persistence : {kNone, kEverySecond, kAlways}) {
      redis_[persistence] = Installed(
          "Redis",
          RedisPeer::Start(directory_ + "/redis-" + std::to_string(static_cast<int>(persistence)), persistence));
      if (!redis_[persistence]) break;
    }
  }

  void Round(Figures& figures) override {
    const auto put = [&](const char* row, const Table& table, int in_flight) {
      figures.Measure(row, [&] { return load_.Puts(table, in_flight); });
    };
    const auto get = [&](const char* row, int in_flight) {
      figures.Measure(row, [&] { return load_.Gets(interval_, in_flight, {.read = Read::Strong()}); });
    };
    using enum RedisPersistence;
    using enum RedisBenchmark::Operation;
    put("Ebla put interval, 32", interval_, 32);
    Redis(figures, "Redis SET everysec, 32", kEverySecond, kSet, 1);
    put("Ebla put interval, 512", interval_, 512);
    Redis(figures, "Redis SET everysec, 32 x 16", kEverySecond, kSet, 16);
    put("Ebla put sync, 32", sync_, 32);
    Redis(figures, "Redis SET always, 32", kAlways, kSet, 1);
    put("Ebla put sync, 512", sync_, 512);
    Redis(figures, "Redis SET always, 32 x 16", kAlways, kSet, 16);
    put("Ebla put sync, 1", sync_, 1);
    figures.Measure("append and fdatasync", [&] { return MeasureAppends(directory_ + "/appended", each_); });
    Memcached(figures, "Memcached set, in memory, 32", MemcachedOperation::kSet, 1);
    Memcached(figures, "Memcached set, in memory, 32 x 16", MemcachedOperation::kSet, 16);
    get("Ebla get, 32", 32);
    Redis(figures, "Redis GET, 32", kNone, kGet, 1);
    Memcached(figures, "Memcached get, 32", MemcachedOperation::kGet, 1);
    get("Ebla get, 512", 512);
    Redis(figures, "Redis GET, 32 x 16", kNone, kGet, 16);
    Memcached(figures, "Memcached get, 32 x 16", MemcachedOperation::kGet, 16);
    figures.Measure("Ebla multiGet of 16, 32", [&] { return load_.MultiGets(interval_, 32, 16); });
    Redis(figures, "Redis MGET of 16, 32", kNone, kMultiGet, 1);
    Memcached(figures, "Memcached get of 16, 32", MemcachedOperation::kMultiGet, 1);
  }

 private:
  void Redis(Figures& figures, const char* row, RedisPersistence persistence, RedisBenchmark::Operation operation,
             int pipeline) {
    RedisPeer* const redis = redis_[persistence].get();
    if (redis) figures.Measure(row, [&] { return Checked(redis->Measure({operation, pipeline}, each_)); });
  }
  void Memcached(Figures& figures, const char* row, MemcachedOperation operation, int pipeline) {
    if (memcached_) figures.Measure(row, [&] { return memcached_->Measure({operation, pipeline}, each_); });
  }

  const std::string directory_;
  const Duration each_;
  EblaStandalone ebla_{directory_ + "/ebla"};
  const EblaLoad load_{ebla_.servers(), each_};
  const Table interval_ =
      MakeFullTable(ebla_.client(), "interval", {.replicas = 1, .durability = TableDurability::kInterval});
  const Table sync_ = MakeFullTable(ebla_.client(), "sync", {.replicas = 1, .durability = TableDurability::kSync});
  const std::unique_ptr<MemcachedPeer> memcached_;
  std::map<RedisPersistence, std::unique_ptr<RedisPeer>> redis_;
};

// ---- three replicas ------------------------------------------------------------------------------------------------

class ClusterPart : public Part {
 public:
  ClusterPart(const std::string& directory, Duration each)
      : each_(each), etcd_(Installed("etcd", EtcdPeer::Start(directory + "/etcd"))) {}

  void Round(Figures& figures) override {
    // First, when no table has just been written to.
    figures.Measure("Ebla get STRONG RF 3, 64", [&] { return load_.Gets(three_, 64, {.read = Read::Strong()}); });
    figures.Measure("Ebla get STRONG RF 1, 64", [&] { return load_.Gets(one_, 64, {.read = Read::Strong()}); });
    for (const int clients : {1, 64, 512}) {
      const std::string name = ", " + std::to_string(clients);
      figures.Measure("Ebla put RF 3" + name, [&] { return load_.Puts(three_, clients); });
      if (etcd_) figures.Measure("etcd put" + name, [&] { return EtcdPuts(clients); });
    }
    Levels(figures);
  }

 private:
  // Over one connection or over up to 64, whichever serves it better.
  Figure EtcdPuts(int clients) {
    const Figure shared = Checked(etcd_->Puts(clients, 1, each_));
    if (clients == 1) return shared;
    const Figure own = Checked(etcd_->Puts(clients, 64, each_));
    return shared.timings.per_second > own.timings.per_second ? shared : own;
  }

  void Levels(Figures& figures) {
    const auto put = [&](const char* row, const Table& table, Ack ack) {
      figures.Measure(row, [&] { return load_.Puts(table, kSome, ack); });
    };
    put("Ebla put MAJORITY, 16", three_, Ack::kMajority);
    put("Ebla put ALL, 16", three_, Ack::kAll);
    put("Ebla put PRIMARY, 16", three_, Ack::kPrimary);
    put("Ebla put ANY, 16", last_write_wins_, Ack::kAny);
    Session session = ebla_.client().NewSession();
    const auto get = [&](const char* row, const GetOptions& options) {
      figures.Measure(row, [&] { return load_.Gets(three_, kSome, options); });
    };
    get("Ebla get STRONG, 16", {.read = Read::Strong()});
    get("Ebla get SESSION, 16", {.read = Read::InSession(), .session = &session});
    get("Ebla get BOUNDED by 1 s, 16", {.read = Read::Bounded(std::chrono::seconds(1))});
    get("Ebla get EVENTUAL, 16", {.read = Read::Eventual()});
  }

  const Duration each_;
  EblaCluster ebla_;
  const EblaLoad load_{ebla_.servers(), each_};
  // One tablet each, as etcd has one group.
  const Table three_ = MakeFullTable(ebla_.client(), "three", {.replicas = 3, .durability = TableDurability::kSync});
  const Table one_ = MakeFullTable(ebla_.client(), "one", {.replicas = 1, .durability = TableDurability::kSync});
  const Table last_write_wins_ = MakeFullTable(
      ebla_.client(), "lww", {.replicas = 3, .durability = TableDurability::kSync, .last_write_wins = true});
  const std::unique_ptr<EtcdPeer> etcd_;
};

// ---- what it leaves on the disk ------------------------------------------------------------------------------------

class DiskPart : public Part {
 public:
  DiskPart(const std::string& directory, Duration each) : each_(each), directory_(directory) {}

  void Round(Figures& figures) override {
    for (const auto& [durability, in_flight, name] : {std::tuple(TableDurability::kInterval, 512, "interval, 512"),
                                                      std::tuple(TableDurability::kSync, 32, "sync, 32")}) {
      const Table table =
          MakeFullTable(ebla_.client(), "puts" + std::to_string(in_flight), {.replicas = 1, .durability = durability});
      figures.Measure(std::string("Ebla put ") + name + ", for long", [&] { return LongPuts(table, in_flight); });
    }
    figures.Measure("Ebla records at rest", [&] { return AtRest(); });
    Rooms(figures);
  }

 private:
  // A load remembers each of its operations, so it is many short ones.
  Figure LongPuts(const Table& table, int in_flight) {
    constexpr int kSlices = 30;
    return MeasureWithCost(ebla_.servers(), [&] {
      Counted all;
      for (int slice = 0; slice < kSlices; ++slice) {
        const Counted some = EblaLoad(ebla_.servers(), 5 * each_).CountedPuts(table, in_flight);
        all.timings.per_second += some.timings.per_second / kSlices;
        all.operations += some.operations;
      }
      return all;
    });
  }

  // A process of its own, as records that were replaced take room until a checkpoint or two later.
  Figure AtRest() {
    EblaStandalone loaded(directory_ + "/loaded");
    const Table table = MakeTable(loaded.client(), "loaded", {.replicas = 1, .durability = TableDurability::kInterval});
    Figure figure = EblaLoad(loaded.servers(), 5 * each_).LoadInOrder(table, 8, 64);
    int64_t records = 0;
    for (auto scan = table.Scan({.keys_only = true}); scan.Next();) ++records;
    std::this_thread::sleep_for(kRest);
    const auto bytes = static_cast<double>(records * static_cast<int64_t>(kValueBytes + RecordKey(0).size()));
    figure.disk_share = DiskBytes(directory_ + "/loaded/data") / bytes;
    return figure;
  }

  // The same number of records in each.
  void Rooms(Figures& figures) {
    figures.Measure("Ebla", [&] { return EblaRoom(); });
    const auto room = [&figures](const char* name, const auto& peer) {
      if (peer) figures.Measure(name, [&] { return peer->Room(); });
    };
    room("Redis, everysec",
         Installed("Redis", RedisPeer::Start(directory_ + "/redis", RedisPersistence::kEverySecond)));
    room("Memcached", Installed("Memcached", MemcachedPeer::Start(directory_ + "/memcached")));
    if (const auto etcd = Installed("etcd", EtcdPeer::Start(directory_ + "/etcd")))
      figures.Measure("etcd", [&] { return Checked(etcd->Room(10 * each_)); });
  }

  Figure EblaRoom() {
    EblaStandalone filled(directory_ + "/filled");
    const double empty_bytes = ResidentBytes(filled.servers());
    MakeFullTable(filled.client(), "filled", {.replicas = 1, .durability = TableDurability::kInterval});
    std::this_thread::sleep_for(kRest);
    return {.memory_bytes = (ResidentBytes(filled.servers()) - empty_bytes) / kRecords,
            .disk_bytes = DiskBytes(directory_ + "/filled/data") / kRecords};
  }

  static constexpr std::chrono::seconds kRest{130};  // two checkpoints
  const Duration each_;
  const std::string directory_;
  EblaStandalone ebla_{directory_ + "/ebla"};
};

template <class P>
std::unique_ptr<Part> Make(const std::string& directory, const BenchOptions& options) {
  return std::make_unique<P>(directory, options.each);
}

}  // namespace

const PartKind kParts[kPartKinds] = {
    {.name = "standalone",
     .what = "one process against Redis, Memcached and a plain file",
     .make = &Make<StandalonePart>,
     .packages = "redis-server memcached",
     .charted = true},
    {.name = "storage",
     .what = "loads in key order and scans against bare WiredTiger",
     .make = &MakeStoragePart,
     .packages = "libwiredtiger0",
     .charted = true},
    {.name = "beyond",
     .what = "a load, gets and scans of data far beyond the cache, against RocksDB",
     .make = &MakeBeyondPart,
     .packages = "rocksdb-tools",
     .charted = true,
     .asked_for = true,
     .with = "storage"},
    {.name = "cluster",
     .what = "three replicas against etcd, and each level",
     .make = &Make<ClusterPart>,
     .packages = "etcd-server",
     .charted = true},
    {.name = "tablets", .what = "1,000 tablets on one server against one tablet", .make = &MakeTabletsPart},
    {.name = "functions", .what = "functions over key groups against puts and gets", .make = &MakeFunctionsPart},
    {.name = "listeners",
     .what = "ebla-standalone as Redis's and Memcached's clients see it, against these",
     .make = &MakeListenersPart,
     .packages = "redis-server memcached"},
    {.name = "gateway", .what = "ebla-gateway before three replicas, against the SDK", .make = &MakeGatewayPart},
    {.name = "tls", .what = "every connection with certificates, against the clear", .make = &MakeTlsPart},
    {.name = "users", .what = "one user's p99 beside 64 connections of another, against alone", .make = &MakeUsersPart},
    {.name = "disk",
     .what = "puts for 150 times as long as a figure, a load at rest, and what records take",
     .make = &Make<DiskPart>,
     .packages = "redis-server memcached etcd-server",
     .asked_for = true},
    {.name = "hits",
     .what = "a table that evicts against Memcached, both with a tenth of the data's memory",
     .make = &MakeHitsPart,
     .packages = "memcached",
     .asked_for = true}};

void AddRatios(Report& report) {
  const auto ratio = [&report](const std::string& ebla, const std::string& peer, std::optional<double> wanted,
                               bool at_most = false) {
    const bool measured = report.Value(kCompareSuite, ebla) > 0 && report.Value(kCompareSuite, peer) > 0;
    if (measured) report.Ratio(kCompareSuite, ebla, peer, wanted, at_most);
  };
  const auto at_most = [&report](const char* row, double wanted) {
    if (report.Value(kCompareSuite, row) > 0) report.AtMost(kCompareSuite, row, wanted);
  };
  ratio("Ebla put interval, 32", "Redis SET everysec, 32", 1);
  ratio("Ebla put interval, 512", "Redis SET everysec, 32 x 16", 0.8);
  ratio("Ebla put sync, 32", "Redis SET always, 32", 1);
  ratio("Ebla put sync, 512", "Redis SET always, 32 x 16", 0.85);
  ratio("Ebla put sync, 1, p50", "append and fdatasync, p50", 1.6, /*at_most=*/true);
  ratio("Ebla put interval, 32", "Memcached set, in memory, 32", {});
  ratio("Ebla put interval, 512", "Memcached set, in memory, 32 x 16", {});
  ratio("Ebla get, 32", "Redis GET, 32", 1.8);
  ratio("Ebla get, 512", "Redis GET, 32 x 16", 0.8);
  ratio("Ebla get, 32", "Memcached get, 32", {});
  ratio("Ebla get, 512", "Memcached get, 32 x 16", {});
  ratio("Ebla multiGet of 16, 32", "Redis MGET of 16, 32", 1);
  ratio("Ebla multiGet of 16, 32", "Memcached get of 16, 32", {});
  AddStorageRatios(ratio, at_most);
  ratio("Ebla put RF 3, 1", "etcd put, 1", 2);
  ratio("Ebla put RF 3, 64", "etcd put, 64", 4);
  ratio("Ebla put RF 3, 512", "etcd put, 512", 6);
  ratio("Ebla put RF 3, 64, server CPU", "etcd put, 64, server CPU", 0.25, /*at_most=*/true);
  ratio("Ebla get STRONG RF 3, 64", "Ebla get STRONG RF 1, 64", 0.9);
  AddTabletsRatios(ratio);
  AddFunctionsRatios(ratio);
  AddListenerRatios(ratio);
  AddTrustRatios(ratio, at_most);
  at_most("Ebla put interval, 512, written", 2.5 * 1024);
  at_most("Ebla put sync, 32, written", 5 * 1024);
  at_most("Ebla put interval, 512, server CPU", 8);
  at_most("Ebla put interval, 512, for long, written", 2.5 * 1024);
  at_most("Ebla put sync, 32, for long, written", 5 * 1024);
  at_most("Ebla records at rest, on the disk", 1.5);
}

}  // namespace ebla::bench
