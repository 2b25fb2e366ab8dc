#include "tests/bench/compare/memcached_peer.h"

#include <chrono>
#include <thread>

#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/memcached";
constexpr std::chrono::seconds kStartTimeMax{20};

}  // namespace

Result<MemcachedPeer> MemcachedPeer::Start(const std::string& directory) {
  EBLA_ASSIGN(const uint16_t port, zookeeper::PickPort());
  // As many threads as cores, as its manual says; root is to name a user, others are not asked.
  EBLA_ASSIGN(MeasuredProcess process,
              MeasuredProcess::Start(
                  {kServer, "--listen=127.0.0.1", "--port=" + std::to_string(port), "--user=nobody",
                   "--memory-limit=1024", "--threads=" + std::to_string(std::thread::hardware_concurrency())},
                  directory));
  MemcachedPeer peer(port, std::move(process));
  EBLA_TRY(peer.Fill());
  return peer;
}

Status MemcachedPeer::Fill() {
  empty_bytes_ = ResidentBytes(process_.servers());
  Status filled = FillMemcached(port_);
  for (const auto limit = std::chrono::steady_clock::now() + kStartTimeMax; !filled.ok();
       filled = FillMemcached(port_)) {
    if (!process_.alive() || std::chrono::steady_clock::now() > limit)
      return Status(Code::kInternal, "Memcached does not start: " + cluster::LastLines(process_.output_file(), 3));
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    empty_bytes_ = ResidentBytes(process_.servers());
  }
  return {};
}

Figure MemcachedPeer::Measure(MemcachedOperation operation, int pipeline, Duration each) const {
  return MeasureMemcached(process_.servers(), port_, operation, pipeline, each);
}

Figure MemcachedPeer::Room() const {
  return {.memory_bytes = (ResidentBytes(process_.servers()) - empty_bytes_) / kRecords};
}

}  // namespace ebla::bench
