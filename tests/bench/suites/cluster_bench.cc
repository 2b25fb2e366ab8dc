// A cluster of three tablet servers with all its processes, and the client library: puts in three replicas against a
// three-node etcd's, strong gets of three replicas against one's, and what each level of consistency costs.
#include <glog/logging.h>
#include <stdlib.h>

#include <filesystem>

#include "tests/bench/etcd/etcd_peer.h"
#include "tests/bench/harness/report.h"
#include "tests/integration/test_cluster.h"
#include "tools/load/async_load.h"

namespace ebla::bench {
namespace {

using load::MeasureOperations;
using load::Timings;

constexpr char kSuite[] = "cluster";
constexpr size_t kValueBytes = 1024;
constexpr int kRecords = 10'000;
constexpr int kManyClients = 64;
constexpr int kSomeClients = 16;  // for the levels: enough to keep the machine busy, few enough to see their waits

std::string Key(int64_t n) { return "user" + std::to_string(1'000'000 + n * 7919 % kRecords); }

void AddTimings(Report& report, const std::string& what, const Timings& timings) {
  report.Add(kSuite, what, timings.per_second, "ops/s");
  report.Add(kSuite, what + ", p50", timings.p50_us, "us");
  report.Add(kSuite, what + ", p99", timings.p99_us, "us");
  report.Add(kSuite, what + ", p99.9", timings.p999_us, "us");
}

// 64 clients over one connection or over one each, whichever serves etcd better.
void MeasureEtcd(const std::string& directory, const BenchOptions& options, Report& report) {
  auto etcd = EtcdPeer::Start(directory);
  CHECK(etcd.has_value()) << etcd.error();
  const auto puts = [&](int clients, int connections) {
    const auto timings = etcd->Puts(clients, connections, kValueBytes, options.each);
    CHECK(timings.has_value()) << timings.error();
    return *timings;
  };
  AddTimings(report, "etcd put, 1 client", puts(1, 1));
  const Timings shared = puts(kManyClients, 1), own = puts(kManyClients, kManyClients);
  AddTimings(report, "etcd put, 64 clients", shared.per_second > own.per_second ? shared : own);
}

class Bench {
 public:
  Bench(const BenchOptions& options, Report& report) : options_(options), report_(report) {
    auto cluster = testing::TestCluster::Start({.masters = 1, .servers = 3});
    CHECK(cluster.has_value()) << cluster.error();
    cluster_ = *std::move(cluster);
    auto client = cluster_->Connect();
    CHECK(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
  }

  void Run() {
    const Table three = MakeTable("three", {.replicas = 3});
    const Table one = MakeTable("one", {.replicas = 1});
    const Table lww = MakeTable("lww", {.replicas = 3, .last_write_wins = true});
    AddTimings(report_, "put, 3 replicas, 1 client", Puts(three, 1, Ack::kMajority));
    AddTimings(report_, "put, 3 replicas, 64 clients", Puts(three, kManyClients, Ack::kMajority));
    AddTimings(report_, "put, 1 replica, 64 clients", Puts(one, kManyClients, Ack::kMajority));
    AddTimings(report_, "strong get, 1 replica, 64 clients", Gets(one, kManyClients, Read::Strong()));
    AddTimings(report_, "strong get, 3 replicas, 64 clients", Gets(three, kManyClients, Read::Strong()));

    AddTimings(report_, "level: put majority", Puts(three, kSomeClients, Ack::kMajority));
    AddTimings(report_, "level: put all", Puts(three, kSomeClients, Ack::kAll));
    AddTimings(report_, "level: put primary", Puts(three, kSomeClients, Ack::kPrimary));
    AddTimings(report_, "level: put any", Puts(lww, kSomeClients, Ack::kAny));
    AddTimings(report_, "level: get strong", Gets(three, kSomeClients, Read::Strong()));
    AddTimings(report_, "level: get session", Gets(three, kSomeClients, Read::InSession()));
    AddTimings(report_, "level: get bounded 1 s", Gets(three, kSomeClients, Read::Bounded(std::chrono::seconds(1))));
    AddTimings(report_, "level: get eventual", Gets(three, kSomeClients, Read::Eventual()));
  }

 private:
  // One tablet each, as etcd has one group. Every key is there, and read once.
  Table MakeTable(const std::string& name, const TableOptions& options) {
    const auto made = client_->CreateTable(name, {.table = options});
    CHECK(made.has_value()) << made.error();
    const auto table = client_->OpenTable(name);
    CHECK(table.has_value()) << table.error();
    for (int n = 0; n < kRecords; n += 500) {
      Batch batch;
      for (int i = n; i < n + 500; ++i) batch.Put(Key(i), value_);
      const auto written = table->Write(std::move(batch));
      CHECK(written.has_value()) << written.error();
    }
    return *table;
  }

  Timings Puts(const Table& table, int clients, Ack ack) {
    return MeasureOperations(clients, options_.each, [&](int64_t number, std::move_only_function<void(Status)> done) {
      table.AsyncPut(Key(number), value_, {.ack = ack}, [done = std::move(done)](Result<Version> result) mutable {
        done(result ? Status() : result.error());
      });
    });
  }

  Timings Gets(const Table& table, int clients, Read read) {
    Session session = client_->NewSession();
    Session* const in = read.level() == Read::Level::kSession ? &session : nullptr;
    return MeasureOperations(clients, options_.each, [&](int64_t number, std::move_only_function<void(Status)> done) {
      table.AsyncGet(
          Key(number), {.read = read, .session = in},
          [done = std::move(done)](Result<Record> result) mutable { done(result ? Status() : result.error()); });
    });
  }

  const BenchOptions& options_;
  Report& report_;
  const std::string value_ = std::string(kValueBytes, 'v');
  std::unique_ptr<testing::TestCluster> cluster_;
  std::optional<Client> client_;
};

}  // namespace

void RunClusterBench(const BenchOptions& options, Report& report) {
  std::string directory = std::filesystem::temp_directory_path() / "cluster_bench.XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr);
  MeasureEtcd(directory, options, report);
  std::filesystem::remove_all(directory);
  Bench(options, report).Run();
  report.Ratio(kSuite, "put, 3 replicas, 64 clients", "etcd put, 64 clients", 3);
  report.Ratio(kSuite, "put, 3 replicas, 1 client", "etcd put, 1 client", 1.5);
  report.Ratio(kSuite, "strong get, 3 replicas, 64 clients", "strong get, 1 replica, 64 clients", 0.9);
}

}  // namespace ebla::bench
