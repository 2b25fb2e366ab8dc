#include "tests/bench/compare/redis_peer.h"

#include "common/zookeeper/zookeeper_command.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/redis-server";

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
  EBLA_TRY(peer.process_.AwaitSaying("Ready to accept connections"));
  peer.empty_bytes_ = ResidentBytes(peer.process_.servers());
  EBLA_TRY(peer.benchmark_.Fill());
  return peer;
}

Result<Figure> RedisPeer::Measure(const RedisBenchmark::Load& load, Duration each) const {
  return benchmark_.Measure(process_.servers(), load, each);
}

Figure RedisPeer::Room() const {
  return {.memory_bytes = (ResidentBytes(process_.servers()) - empty_bytes_) / kRecords,
          .disk_bytes = DiskBytes(directory_) / kRecords};
}

}  // namespace ebla::bench
