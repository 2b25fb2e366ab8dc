#include "tests/bench/compare/rocksdb_peer.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>

#include "common/base/read_all.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kProgram[] = "/usr/bin/db_bench";
constexpr std::chrono::hours kLoadTimeMax{3};
constexpr std::chrono::minutes kReadTimeMax{3};  // beyond its duration: a log to replay, and files to open
constexpr int64_t kBuffersMbMax = 256;
constexpr int kLinesShown = 5;  // in an error

// The line of a benchmark's result, such as
//   readrandom   :       8.196 micros/op 243113 ops/sec 3.015 seconds 732998 operations;  240.7 MB/s (5 of 5 found)
struct BenchmarkLine {
  double per_second = 0, seconds = 0;
  bool all_found = true;
};

std::optional<BenchmarkLine> ParseLine(const std::string& line, const std::string& benchmark) {
  std::istringstream words(line);
  std::string name, colon, micros_unit, rate_unit, seconds_unit, operations_unit, rest;
  double micros = 0, operations = 0;
  BenchmarkLine result;
  words >> name >> colon >> micros >> micros_unit >> result.per_second >> rate_unit >> result.seconds >> seconds_unit >>
      operations >> operations_unit;
  if (!words || name != benchmark || colon != ":" || micros_unit != "micros/op" || rate_unit != "ops/sec" ||
      seconds_unit != "seconds" || operations_unit != "operations;" || result.per_second <= 0 || result.seconds <= 0)
    return std::nullopt;
  std::getline(words, rest);
  if (const size_t at = rest.find('('); at != std::string::npos) {
    long long found = 0, of = 0;
    if (std::sscanf(rest.c_str() + at, "(%lld of %lld found)", &found, &of) != 2) return std::nullopt;
    result.all_found = found == of;
  }
  return result;
}

// Nothing where there is no such line, or more than one, or where records were not found.
std::optional<BenchmarkLine> LineOf(const std::string& output, const std::string& benchmark) {
  std::istringstream lines(output);
  std::optional<BenchmarkLine> result;
  int count = 0;
  for (std::string line; std::getline(lines, line);) {
    if (const auto parsed = ParseLine(line, benchmark)) {
      result = parsed;
      ++count;
    }
  }
  return count == 1 && result->all_found ? result : std::nullopt;
}

// When each million of records was there, from lines such as
//   2026/11/30-02:38:40  ... thread 0: (1000000,2000000) ops and (61625.2,70973.1) ops/second in (14.1,28.3) seconds
std::vector<double> Millions(const std::string& output) {
  std::istringstream lines(output);
  std::vector<double> millions;
  for (std::string line; std::getline(lines, line);) {
    const size_t at = line.find(" ops/second in (");
    double of_it = 0, of_all = 0;
    if (at != std::string::npos &&
        std::sscanf(line.c_str() + at, " ops/second in (%lf,%lf) seconds", &of_it, &of_all) == 2)
      millions.push_back(of_all);
  }
  return millions;
}

}  // namespace

Result<RocksDbPeer> RocksDbPeer::Find(const std::string& directory, const Shape& shape) {
  if (::access(kProgram, X_OK) != 0) {
    return Error(Code::kUnavailable,
                 std::string(kProgram) + " is missing; ./dev bench compare installs it (rocksdb-tools)");
  }
  std::filesystem::create_directories(directory);
  return RocksDbPeer(directory, shape);
}

Result<Pace> RocksDbPeer::Load() const {
  const std::string benchmark = "filluniquerandom";
  EBLA_ASSIGN(const std::string output,
              Run(benchmark + ",flush,waitforcompaction", {"--threads=1", "--sync=false"}, kLoadTimeMax));
  const auto line = LineOf(output, benchmark);
  const std::vector<double> millions = Millions(output);
  if (!line || static_cast<int64_t>(millions.size()) != shape_.records / kMillion) return Useless();
  return Pace{.seconds = line->seconds, .slowdown = Slowdown(millions)};
}

Result<Figure> RocksDbPeer::Gets(Keys keys, Duration duration) const {
  // It reads record n * exp(-r), scattered, for an even r from 0 to this. The least rank is then 1, so that each rank's
  // share is in inverse proportion to it.
  const double range = keys == Keys::kZipfian ? std::log(static_cast<double>(shape_.records)) : 0;
  return Read("readrandom", {"--read_random_exp_range=" + std::to_string(range)}, duration);
}

Result<Figure> RocksDbPeer::Scans(int rows, Duration duration) const {
  return Read("seekrandom", {"--seek_nexts=" + std::to_string(rows), "--ops_between_duration_checks=100"}, duration);
}

Result<Figure> RocksDbPeer::Read(const std::string& benchmark, std::vector<std::string> flags,
                                 Duration duration) const {
  const auto seconds = std::max<int64_t>(1, std::chrono::round<std::chrono::seconds>(duration).count());
  flags.push_back("--use_existing_db=true");
  flags.push_back("--threads=" + std::to_string(shape_.threads));
  flags.push_back("--duration=" + std::to_string(seconds));
  EBLA_ASSIGN(const std::string output, Run(benchmark, flags, std::chrono::seconds(seconds) + kReadTimeMax));
  const auto line = LineOf(output, benchmark);
  if (!line) return Useless();
  return Figure{.timings = {.per_second = line->per_second}};
}

Error RocksDbPeer::Useless() const {
  return Error(Code::kInternal, "db_bench said nothing of use: " + cluster::LastLines(OutputFile(), kLinesShown));
}

Result<std::string> RocksDbPeer::Run(const std::string& benchmarks, const std::vector<std::string>& flags,
                                     std::chrono::milliseconds patience) const {
  constexpr int kBuffers = 2;  // a full one is written out while the next is filled
  const int64_t buffers_bytes = std::min(shape_.cache_mb / 4, kBuffersMbMax) << 20;
  std::vector<std::string> command = {
      kProgram,
      "--db=" + directory_ + "/db",
      "--benchmarks=" + benchmarks,
      "--num=" + std::to_string(shape_.records),
      "--key_size=" + std::to_string(shape_.key_bytes),
      "--value_size=" + std::to_string(kValueBytes),
      "--compression_type=none",
      "--cache_size=" + std::to_string(shape_.cache_mb << 20),
      "--write_buffer_size=" + std::to_string(buffers_bytes / kBuffers),
      "--max_write_buffer_number=" + std::to_string(kBuffers),
      "--bloom_bits=10",
      "--delayed_write_rate=16777216",  // the library's default; db_bench would halve it
      "--stats_interval=" + std::to_string(kMillion)};
  command.insert(command.end(), flags.begin(), flags.end());
  const std::string output = OutputFile();
  std::filesystem::remove(output);
  EBLA_ASSIGN(
      const cluster::ProcessId program,
      cluster::Spawn(
          {.command = std::move(command), .working_dir = directory_, .output_file = output, .die_with_parent = true}));
  EBLA_ASSIGN(const int code, cluster::ExitCode(program, patience));
  if (code != 0) return Error(Code::kInternal, "db_bench failed: " + cluster::LastLines(output, kLinesShown));
  std::ifstream in(output);
  return ReadAll(in);
}

}  // namespace ebla::bench
