#include "tests/bench/compare/redis_peer.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "common/base/read_all.h"
#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/redis-server";
constexpr char kClient[] = "/usr/bin/redis-benchmark";
constexpr int kMultiGetKeys = 16;
constexpr int64_t kOperationsMin = 20'000;
constexpr std::chrono::minutes kMeasureTimeMax{3};
constexpr std::chrono::seconds kStartTimeMax{20};

std::vector<std::string> Persistence(RedisPersistence persistence) {
  switch (persistence) {
    case RedisPersistence::kNone: return {"--appendonly", "no"};
    case RedisPersistence::kEverySecond: return {"--appendonly", "yes", "--appendfsync", "everysec"};
    case RedisPersistence::kAlways: break;
  }
  return {"--appendonly", "yes", "--appendfsync", "always"};
}

// What redis-benchmark is to do; the keys of a command are as those of its own tests.
std::vector<std::string> Test(RedisPeer::Operation operation) {
  switch (operation) {
    case RedisPeer::Operation::kSet: return {"-t", "set"};
    case RedisPeer::Operation::kGet: return {"-t", "get"};
    case RedisPeer::Operation::kMultiGet: break;
  }
  std::vector<std::string> command(1 + kMultiGetKeys, "key:__rand_int__");
  command.front() = "mget";
  return command;
}

// The values of a line of its CSV: "SET","80500.12","0.2",...
std::vector<double> Values(const std::string& line) {
  std::vector<double> values;
  for (size_t at = line.find("\",\""); at != std::string::npos; at = line.find("\",\"", at + 1)) {
    double value = 0;
    std::from_chars(line.data() + at + 3, line.data() + line.size(), value);
    values.push_back(value);
  }
  return values;
}

}  // namespace

Result<RedisPeer> RedisPeer::Start(const std::string& directory, RedisPersistence persistence) {
  EBLA_ASSIGN(const uint16_t port, zookeeper::PickPort());
  std::vector<std::string> command = {
      kServer,  "--port", std::to_string(port), "--bind", "127.0.0.1", "--dir", directory,
      "--save", "",       "--daemonize",        "no"};
  for (std::string& option : Persistence(persistence)) command.push_back(std::move(option));
  EBLA_ASSIGN(MeasuredProcess process, MeasuredProcess::Start(std::move(command), directory));
  RedisPeer peer(directory, port, std::move(process));
  EBLA_TRY(peer.AwaitReady());
  peer.empty_bytes_ = ResidentBytes(peer.process_.servers());
  // Random keys, so six times as many as there shall be leave out one in 400.
  EBLA_ASSIGN(const auto filled, peer.Run(Operation::kSet, 16, 6 * kRecords));
  std::ignore = filled;
  return peer;
}

Status RedisPeer::AwaitReady() {
  for (const auto limit = std::chrono::steady_clock::now() + kStartTimeMax;;) {
    std::ifstream in(process_.output_file());
    const std::string said = ReadAll(in);
    if (said.contains("Ready to accept connections")) return {};
    if (!process_.alive() || std::chrono::steady_clock::now() > limit)
      return Error(Code::kInternal, "Redis does not start: " + cluster::LastLines(process_.output_file(), 3));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<Figure> RedisPeer::Measure(Operation operation, int pipeline, Duration each) {
  // It takes a number of operations: as many as fill the time at the rate of a few.
  EBLA_ASSIGN(const load::Timings few, Run(operation, pipeline, kOperationsMin));
  const double seconds = std::chrono::duration<double>(each).count();
  const auto count = std::max(kOperationsMin, static_cast<int64_t>(few.per_second * seconds));
  Status status;
  const Figure figure = MeasureWithCost(process_.servers(), [&] {
    const auto timings = Run(operation, pipeline, count);
    if (!timings) status = timings.error();
    return Counted{.timings = timings.value_or(load::Timings()), .operations = static_cast<double>(count)};
  });
  EBLA_TRY(status);
  return figure;
}

Figure RedisPeer::Room() const {
  return {.memory_bytes = (ResidentBytes(process_.servers()) - empty_bytes_) / kRecords,
          .disk_bytes = DiskBytes(directory_) / kRecords};
}

Result<load::Timings> RedisPeer::Run(Operation operation, int pipeline, int64_t operations) {
  const std::string output = directory_ + "/benchmark.csv";
  std::filesystem::remove(output);
  std::vector<std::string> command = {kClient,
                                      "-p",
                                      std::to_string(port_),
                                      "-c",
                                      std::to_string(kConnections),
                                      "-P",
                                      std::to_string(pipeline),
                                      "-d",
                                      std::to_string(kValueBytes),
                                      "-r",
                                      std::to_string(kRecords),
                                      "-n",
                                      std::to_string(operations),
                                      "--csv"};
  for (std::string& word : Test(operation)) command.push_back(std::move(word));
  EBLA_ASSIGN(
      const cluster::ProcessId client,
      cluster::Spawn(
          {.command = std::move(command), .working_dir = directory_, .output_file = output, .die_with_parent = true}));
  EBLA_ASSIGN(const int code, cluster::ExitCode(client, kMeasureTimeMax));
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
  const std::vector<double> values = Values(cluster::LastLines(output, 1));
  if (code != 0 || values.size() != 7 || values[0] <= 0)
    return Error(Code::kInternal, "redis-benchmark said nothing of use: " + cluster::LastLines(output, 3));
  return load::Timings{.per_second = values[0], .p50_us = values[3] * 1000, .p99_us = values[5] * 1000};
}

}  // namespace ebla::bench
