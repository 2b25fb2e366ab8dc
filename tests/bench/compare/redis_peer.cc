#include "tests/bench/compare/redis_peer.h"

#include <chrono>
#include <fstream>
#include <thread>

#include "common/base/read_all.h"
#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/redis-server";
constexpr std::chrono::seconds kStartTimeMax{20};

std::vector<std::string> Persistence(RedisPersistence persistence) {
  switch (persistence) {
    case RedisPersistence::kNone: return {"--appendonly", "no"};
    case RedisPersistence::kEverySecond: return {"--appendonly", "yes", "--appendfsync", "everysec"};
    case RedisPersistence::kAlways: break;
  }
  return {"--appendonly", "yes", "--appendfsync", "always"};
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
  EBLA_TRY(peer.benchmark_.Fill());
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

Result<Figure> RedisPeer::Measure(RedisBenchmark::Operation operation, int pipeline, Duration each) const {
  return benchmark_.Measure(process_.servers(), operation, pipeline, each);
}

Figure RedisPeer::Room() const {
  return {.memory_bytes = (ResidentBytes(process_.servers()) - empty_bytes_) / kRecords,
          .disk_bytes = DiskBytes(directory_) / kRecords};
}

}  // namespace ebla::bench
