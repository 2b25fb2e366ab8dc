#include "tests/bench/compare/redis_peer.h"

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
constexpr int kKeys = 100'000;
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
  std::filesystem::create_directories(directory);
  EBLA_ASSIGN(const uint16_t port, zookeeper::PickPort());
  std::vector<std::string> command = {
      kServer,  "--port", std::to_string(port), "--bind", "127.0.0.1", "--dir", directory,
      "--save", "",       "--daemonize",        "no"};
  for (std::string& option : Persistence(persistence)) command.push_back(std::move(option));
  EBLA_ASSIGN(MeasuredProcess process, MeasuredProcess::Start(std::move(command), directory));
  RedisPeer peer(directory, port, std::move(process));
  EBLA_TRY(peer.AwaitReady());
  return peer;
}

Status RedisPeer::AwaitReady() {
  for (const auto limit = std::chrono::steady_clock::now() + kStartTimeMax;;) {
    std::ifstream in(directory_ + "/output.log");
    const std::string said = ReadAll(in);
    if (said.contains("Ready to accept connections")) return {};
    if (!process_.alive() || std::chrono::steady_clock::now() > limit)
      return Error(Code::kUnavailable, "Redis does not start: " + cluster::LastLines(directory_ + "/output.log", 3));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Result<load::Timings> RedisPeer::Measure(Operation operation, int connections, int pipeline, size_t value_bytes,
                                         int64_t operations) {
  const std::string output = directory_ + "/benchmark.csv";
  std::filesystem::remove(output);
  EBLA_ASSIGN(
      const cluster::ProcessId client,
      cluster::Spawn(
          {.command = {kClient, "-p", std::to_string(port_), "-t", operation == Operation::kSet ? "set" : "get", "-c",
                       std::to_string(connections), "-P", std::to_string(pipeline), "-d", std::to_string(value_bytes),
                       "-r", std::to_string(kKeys), "-n", std::to_string(operations), "--csv"},
           .working_dir = directory_,
           .output_file = output,
           .die_with_parent = true}));
  EBLA_ASSIGN(const int code, cluster::ExitCode(client, kMeasureTimeMax));
  // "test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"
  const std::vector<double> values = Values(cluster::LastLines(output, 1));
  if (code != 0 || values.size() != 7 || values[0] <= 0)
    return Error(Code::kInternal, "redis-benchmark said nothing of use; see " + output);
  return load::Timings{.per_second = values[0], .p50_us = values[3] * 1000, .p99_us = values[5] * 1000};
}

}  // namespace ebla::bench
