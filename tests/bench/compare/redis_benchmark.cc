#include "tests/bench/compare/redis_benchmark.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <vector>

#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kClient[] = "/usr/bin/redis-benchmark";
constexpr int kMultiGetKeys = 16;
constexpr int64_t kOperationsMin = 20'000;
constexpr std::chrono::minutes kMeasureTimeMax{3};

// The test for redis-benchmark; the keys of a command are as in its own tests.
std::vector<std::string> Test(RedisBenchmark::Operation operation) {
  switch (operation) {
    case RedisBenchmark::Operation::kSet: return {"-t", "set"};
    case RedisBenchmark::Operation::kGet: return {"-t", "get"};
    case RedisBenchmark::Operation::kIncrement: return {"-t", "incr"};
    case RedisBenchmark::Operation::kMultiSet: return {"-t", "mset"};
    case RedisBenchmark::Operation::kMultiGet: break;
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

Result<Figure> RedisBenchmark::Measure(const Servers& servers, const Load& load, Duration each) const {
  // It takes a number of operations: as many as fill the time at the rate of a few.
  EBLA_ASSIGN(const load::Timings few, Run(load, kOperationsMin));
  const double seconds = std::chrono::duration<double>(each).count();
  const auto count = std::max(kOperationsMin, static_cast<int64_t>(few.per_second * seconds));
  Status status;
  const Figure figure = MeasureWithCost(servers, [&] {
    const auto timings = Run(load, count);
    if (!timings) status = timings.error();
    return Counted{.timings = timings.value_or(load::Timings()), .operations = static_cast<double>(count)};
  });
  EBLA_TRY(status);
  return figure;
}

// Random keys, so six times as many as there shall be leave out one in 400.
Status RedisBenchmark::Fill() const {
  EBLA_ASSIGN(const auto filled, Run({.operation = Operation::kSet, .pipeline = 16}, 6 * kRecords));
  std::ignore = filled;
  return {};
}

Status RedisBenchmark::FillOne(size_t value_bytes) const {
  const Load load{.operation = Operation::kSet, .value_bytes = value_bytes, .keys = 0};
  EBLA_ASSIGN(const auto filled, Run(load, kOperationsMin));
  std::ignore = filled;
  return {};
}

Result<load::Timings> RedisBenchmark::Run(const Load& load, int64_t operations) const {
  const std::string output = directory_ + "/benchmark.csv";
  std::filesystem::remove(output);
  std::vector<std::string> command = {kClient,
                                      "-p",
                                      std::to_string(port_),
                                      "--dbnum",
                                      std::to_string(database_),
                                      "-c",
                                      std::to_string(load.connections),
                                      "-P",
                                      std::to_string(load.pipeline),
                                      "-d",
                                      std::to_string(load.value_bytes),
                                      "-n",
                                      std::to_string(operations),
                                      "--csv"};
  if (load.keys > 0) command.insert(command.end(), {"-r", std::to_string(load.keys)});
  for (std::string& word : Test(load.operation)) command.push_back(std::move(word));
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
