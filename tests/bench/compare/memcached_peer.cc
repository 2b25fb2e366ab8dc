#include "tests/bench/compare/memcached_peer.h"

#include <unistd.h>

#include <chrono>
#include <thread>

#include "common/zookeeper/zookeeper_command.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/memcached";
constexpr std::chrono::seconds kStartTimeMax{20};

}  // namespace

Result<MemcachedPeer> MemcachedPeer::StartEmpty(const std::string& directory, int64_t memory_mb) {
  EBLA_ASSIGN(const uint16_t port, zookeeper::PickPort());
  // The manual recommends as many threads as cores. Only root has to name a user.
  EBLA_ASSIGN(MeasuredProcess process,
              MeasuredProcess::Start({kServer, "--listen=127.0.0.1", "--port=" + std::to_string(port), "--user=nobody",
                                      "--memory-limit=" + std::to_string(memory_mb),
                                      "--threads=" + std::to_string(std::thread::hardware_concurrency())},
                                     directory));
  MemcachedPeer peer(port, std::move(process));
  EBLA_TRY(peer.AwaitStart());
  return peer;
}

Result<MemcachedPeer> MemcachedPeer::Start(const std::string& directory) {
  EBLA_ASSIGN(MemcachedPeer peer, StartEmpty(directory, 1'024));
  EBLA_TRY(FillMemcached(peer.port_));
  return peer;
}

Status MemcachedPeer::AwaitStart() {
  for (const auto limit = std::chrono::steady_clock::now() + kStartTimeMax;;
       std::this_thread::sleep_for(std::chrono::milliseconds(20))) {
    if (const Result<int> fd = ConnectMemcached(port_)) {
      ::close(*fd);
      empty_bytes_ = ResidentBytes(process_.servers());
      return {};
    }
    if (!process_.alive() || std::chrono::steady_clock::now() > limit)
      return Status(Code::kInternal, "Memcached does not start: " + cluster::LastLines(process_.output_file(), 3));
  }
}

Figure MemcachedPeer::Measure(const MemcachedLoad& load, Duration each) const {
  return MeasureMemcached(process_.servers(), port_, load, each);
}

Figure MemcachedPeer::Room() const {
  return {.memory_bytes = (ResidentBytes(process_.servers()) - empty_bytes_) / kRecords};
}

}  // namespace ebla::bench
