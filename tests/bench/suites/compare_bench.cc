// Ebla in one process against what people use instead: puts and gets of 1 KB over 100,000 keys, at the same number in
// flight and the same durability, taken in turns, three times; each figure is the median of its three.
// Clients: Ebla's is the SDK in this process. Redis has redis-benchmark, which sends ready-made bytes.
#include <fcntl.h>
#include <glog/logging.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "ebla/ebla.h"
#include "test_paths.h"
#include "tests/bench/compare/redis_peer.h"
#include "tests/bench/harness/report.h"
#include "tools/load/async_load.h"

namespace ebla::bench {
namespace {

using load::Timings;
using Clock = std::chrono::steady_clock;

constexpr char kSuite[] = "compare";
constexpr size_t kValueBytes = 1024;
constexpr int kRecords = 100'000;
constexpr int kRounds = 3;
constexpr int kConnections = 32;
constexpr std::chrono::seconds kStartTimeMax{60};

double Seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// What one measurement found, and what it has cost the server.
struct Figure {
  Timings timings;
  double cpu_us = 0;         // per operation
  double written_bytes = 0;  // per operation
};

// Ebla's own process, by the name and in the way that its users start it.
class EblaPeer {
 public:
  explicit EblaPeer(const std::string& directory) {
    const std::filesystem::path program = std::filesystem::path(kBinaryDir) / "bin/ebla-standalone";
    auto process = MeasuredProcess::Start(
        {program.string(), "--data_dir=" + directory + "/data", "--listen=127.0.0.1:0", "--http_listen=127.0.0.1:0"},
        directory);
    CHECK(process.has_value()) << process.error();
    process_.emplace(*std::move(process));
    auto client = Client::Connect({.masters = {Address(directory + "/data/ADDRESS")}});
    CHECK(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
    interval_.emplace(MakeTable("interval", TableDurability::kInterval));
    sync_.emplace(MakeTable("sync", TableDurability::kSync));
  }

  Figure Puts(TableDurability durability, int in_flight, Duration each) {
    const Table& table = durability == TableDurability::kSync ? *sync_ : *interval_;
    return Measure(in_flight, each, [this, &table](int64_t, std::move_only_function<void(Status)> done) {
      table.AsyncPut(RandomKey(), value_, {.ack = Ack::kMajority},
                     [done = std::move(done)](Result<Version> put) mutable { done(put ? Status() : put.error()); });
    });
  }
  Figure Gets(int in_flight, Duration each) {
    return Measure(in_flight, each, [this](int64_t, std::move_only_function<void(Status)> done) {
      interval_->AsyncGet(RandomKey(), {.read = Read::Strong()},
                          [done = std::move(done)](Result<Record> got) mutable { done(got ? Status() : got.error()); });
    });
  }

 private:
  std::string Address(const std::string& file) const {
    for (const auto limit = Clock::now() + kStartTimeMax;; std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
      std::ifstream in(file);
      std::string word, address;
      if (in >> word >> address) return address;
      CHECK(process_->alive() && Clock::now() < limit) << "ebla-standalone does not start; see " << file;
    }
  }
  static std::string Key(uint64_t n) { return "user" + std::to_string(1'000'000 + n); }
  static std::string RandomKey() {
    thread_local std::minstd_rand random(std::random_device{}());
    return Key(random() % kRecords);
  }
  // Every key is there.
  Table MakeTable(const std::string& name, TableDurability durability) {
    const auto made = client_->CreateTable(name, {.table = {.replicas = 1, .durability = durability}});
    CHECK(made.has_value()) << made.error();
    const auto table = client_->OpenTable(name);
    CHECK(table.has_value()) << table.error();
    for (uint64_t n = 0; n < kRecords; n += 500) {
      Batch batch;
      for (uint64_t i = n; i < n + 500; ++i) batch.Put(Key(i), value_);
      const auto written = table->Write(std::move(batch));
      CHECK(written.has_value()) << written.error();
    }
    return *table;
  }
  Figure Measure(int in_flight, Duration each, const load::StartOperation& start) {
    const ProcessCost before = process_->Cost();
    std::atomic<int64_t> operations = 0;
    const Timings timings = load::MeasureOperations(in_flight, each, [&](int64_t number, auto done) {
      operations.fetch_add(1, std::memory_order_relaxed);
      start(number, std::move(done));
    });
    const ProcessCost after = process_->Cost();
    const auto count = static_cast<double>(operations);
    return {timings, (after.cpu_us - before.cpu_us) / count, (after.written_bytes - before.written_bytes) / count};
  }

  const std::string value_ = std::string(kValueBytes, 'v');
  std::optional<MeasuredProcess> process_;
  std::optional<Client> client_;
  std::optional<Table> interval_, sync_;
};

Figure MeasureRedis(RedisPeer& redis, RedisPeer::Operation operation, int pipeline, Duration each) {
  const auto run = [&](int64_t operations) {
    const auto timings = redis.Measure(operation, kConnections, pipeline, kValueBytes, operations);
    CHECK(timings.has_value()) << timings.error();
    return *timings;
  };
  // It takes a number of operations: as many as fill the time at the rate of a few.
  const double rate = run(20'000).per_second;
  const auto count = std::max<int64_t>(20'000, static_cast<int64_t>(rate * Seconds(each)));
  const ProcessCost before = redis.process().Cost();
  const Timings timings = run(count);
  const ProcessCost after = redis.process().Cost();
  return {timings, (after.cpu_us - before.cpu_us) / static_cast<double>(count),
          (after.written_bytes - before.written_bytes) / static_cast<double>(count)};
}

// One writer that appends 1 KB to a file and has it on the disk each time: what no log can do without.
Figure MeasureAppends(const std::string& file, Duration each) {
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  CHECK_GE(fd, 0) << file;
  const std::string bytes(kValueBytes, 'v');
  std::vector<double> micros;
  const auto begun = Clock::now();
  for (auto now = begun; now - begun < each;) {
    CHECK_EQ(::write(fd, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    CHECK_EQ(::fdatasync(fd), 0);
    const auto end = Clock::now();
    micros.push_back(std::chrono::duration<double, std::micro>(end - now).count());
    now = end;
  }
  ::close(fd);
  const double median = Median(micros);
  return {
      .timings = {.per_second = static_cast<double>(micros.size()) / Seconds(Clock::now() - begun), .p50_us = median}};
}

class Comparison {
 public:
  Comparison(std::string directory, const BenchOptions& options)
      : directory_(std::move(directory)), each_(options.each) {}

  void Round() {
    const auto ebla = [this](const std::string& row, auto measure) { figures_[row].push_back(measure()); };
    using enum TableDurability;
    ebla("Ebla put interval, 32", [&] { return ebla_.Puts(kInterval, 32, each_); });
    Redis("Redis SET everysec, 32", RedisPersistence::kEverySecond, RedisPeer::Operation::kSet, 1);
    ebla("Ebla put interval, 512", [&] { return ebla_.Puts(kInterval, 512, each_); });
    Redis("Redis SET everysec, 32 x 16", RedisPersistence::kEverySecond, RedisPeer::Operation::kSet, 16);
    ebla("Ebla put sync, 32", [&] { return ebla_.Puts(kSync, 32, each_); });
    Redis("Redis SET always, 32", RedisPersistence::kAlways, RedisPeer::Operation::kSet, 1);
    ebla("Ebla put sync, 512", [&] { return ebla_.Puts(kSync, 512, each_); });
    Redis("Redis SET always, 32 x 16", RedisPersistence::kAlways, RedisPeer::Operation::kSet, 16);
    ebla("Ebla put sync, 1", [&] { return ebla_.Puts(kSync, 1, each_); });
    ebla("append and fdatasync", [&] { return MeasureAppends(directory_ + "/appended", each_); });
    ebla("Ebla get, 32", [&] { return ebla_.Gets(32, each_); });
    Redis("Redis GET, 32", RedisPersistence::kNone, RedisPeer::Operation::kGet, 1);
    ebla("Ebla get, 512", [&] { return ebla_.Gets(512, each_); });
    Redis("Redis GET, 32 x 16", RedisPersistence::kNone, RedisPeer::Operation::kGet, 16);
  }

  void AddTo(Report& report) const {
    for (const auto& [row, figures] : figures_) {
      const auto add = [&](const char* what, const char* unit, auto value) {
        std::vector<double> values;
        for (const Figure& figure : figures) values.push_back(value(figure));
        report.Add(kSuite, row + what, Median(values), unit);
      };
      const auto [least, most] =
          std::ranges::minmax(figures, {}, [](const Figure& figure) { return figure.timings.per_second; });
      add("", "ops/s", [](const Figure& figure) { return figure.timings.per_second; });
      report.Add(kSuite, row + ", spread", 100 * (most.timings.per_second / least.timings.per_second - 1), "%");
      add(", p50", "us", [](const Figure& figure) { return figure.timings.p50_us; });
      if (figures.front().timings.p99_us == 0) continue;
      add(", p99", "us", [](const Figure& figure) { return figure.timings.p99_us; });
      add(", server CPU", "us/op", [](const Figure& figure) { return figure.cpu_us; });
      add(", written", "bytes/op", [](const Figure& figure) { return figure.written_bytes; });
    }
  }

 private:
  // Each persistence has a server of its own, which stays for all rounds.
  void Redis(const std::string& row, RedisPersistence persistence, RedisPeer::Operation operation, int pipeline) {
    auto& redis = redis_[persistence];
    if (!redis) {
      auto started =
          RedisPeer::Start(directory_ + "/redis-" + std::to_string(static_cast<int>(persistence)), persistence);
      CHECK(started.has_value()) << started.error();
      redis = std::make_unique<RedisPeer>(*std::move(started));
      // Nearly every key is there then: 100,000 random ones six times.
      const auto filled = redis->Measure(RedisPeer::Operation::kSet, kConnections, 16, kValueBytes, 6 * kRecords);
      CHECK(filled.has_value()) << filled.error();
    }
    figures_[row].push_back(MeasureRedis(*redis, operation, pipeline, each_));
  }

  const std::string directory_;
  const Duration each_;
  EblaPeer ebla_{directory_ + "/ebla"};
  std::map<RedisPersistence, std::unique_ptr<RedisPeer>> redis_;
  std::map<std::string, std::vector<Figure>> figures_;
};

}  // namespace

void RunCompareBench(const BenchOptions& options, Report& report) {
  std::string directory = std::filesystem::temp_directory_path() / "compare_bench.XXXXXX";
  CHECK(::mkdtemp(directory.data()) != nullptr);
  {
    Comparison comparison(directory, options);
    for (int round = 0; round < kRounds; ++round) comparison.Round();
    comparison.AddTo(report);
  }
  std::filesystem::remove_all(directory);
  report.Ratio(kSuite, "Ebla put interval, 32", "Redis SET everysec, 32", 1);
  report.Ratio(kSuite, "Ebla put interval, 512", "Redis SET everysec, 32 x 16", 0.6);
  report.Ratio(kSuite, "Ebla put sync, 32", "Redis SET always, 32", 1);
  report.Ratio(kSuite, "Ebla put sync, 512", "Redis SET always, 32 x 16", 0.7);
  report.Ratio(kSuite, "Ebla put sync, 1, p50", "append and fdatasync, p50", 1.5, /*at_most=*/true);
  report.Ratio(kSuite, "Ebla get, 32", "Redis GET, 32", 1.8);
  report.Ratio(kSuite, "Ebla get, 512", "Redis GET, 32 x 16", 0.9);
  report.AtMost(kSuite, "Ebla put interval, 512, written", 2.5 * 1024);
  report.AtMost(kSuite, "Ebla put sync, 32, written", 5 * 1024);
  report.AtMost(kSuite, "Ebla put interval, 512, server CPU", 8);
}

}  // namespace ebla::bench
