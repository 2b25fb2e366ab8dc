#include "tests/bench/compare/etcd_peer.h"

#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/zookeeper/zookeeper_command.h"
#include "test_paths.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/etcd";
constexpr int kServers = 3;
constexpr std::chrono::seconds kStartTimeMax{60};

std::string ClientProgram() { return std::string(kBinaryDir) + "/test/etcd-puts"; }
std::string Loopback(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

}  // namespace

Result<EtcdPeer> EtcdPeer::Start(const std::string& directory) {
  if (::access(ClientProgram().c_str(), X_OK) != 0)
    return Error(Code::kUnavailable, ClientProgram() + " is missing; ./dev bench compare builds it");
  EtcdPeer peer(directory);
  std::vector<std::pair<std::string, std::string>> addresses;  // of clients, of peers
  std::string everybody;
  for (int i = 0; i < kServers; ++i) {
    EBLA_ASSIGN(const uint16_t client_port, zookeeper::PickPort());
    EBLA_ASSIGN(const uint16_t peer_port, zookeeper::PickPort());
    addresses.emplace_back(Loopback(client_port), "http://" + Loopback(peer_port));
    const std::string comma = i == 0 ? "" : ",";
    everybody += comma + "e" + std::to_string(i) + "=" + addresses.back().second;
    peer.endpoints_ += comma + addresses.back().first;
  }
  for (int i = 0; i < kServers; ++i) {
    const std::string name = "e" + std::to_string(i);
    const auto& [client, own] = addresses[static_cast<size_t>(i)];
    // Room for all revisions of a long run; the default, 2 GB, ends in an alarm.
    EBLA_ASSIGN(MeasuredProcess server,
                MeasuredProcess::Start({kServer, "--name=" + name, "--data-dir=" + directory + "/" + name + "/data",
                                        "--listen-client-urls=http://" + client,
                                        "--advertise-client-urls=http://" + client, "--listen-peer-urls=" + own,
                                        "--initial-advertise-peer-urls=" + own, "--initial-cluster=" + everybody,
                                        "--initial-cluster-state=new", "--quota-backend-bytes=8589934592"},
                                       directory + "/" + name));
    peer.servers_.push_back(std::move(server));
  }
  return peer;
}

Servers EtcdPeer::AllServers() const {
  Servers all{.pids = {}, .directory = directory_};
  for (const MeasuredProcess& server : servers_) all.pids.push_back(server.servers().pids.front());
  return all;
}

Result<Figure> EtcdPeer::Puts(int clients, int connections, Duration duration) {
  Status status;
  const Figure figure = MeasureWithCost(AllServers(), [&] {
    const auto counted = RunClient(clients, connections, duration);
    if (!counted) status = counted.error();
    return counted.value_or(Counted());
  });
  EBLA_TRY(status);
  return figure;
}

Result<Figure> EtcdPeer::Room(Duration duration) {
  EBLA_ASSIGN(const Counted first, RunClient(1, 1, std::chrono::milliseconds(100)));
  const double empty_bytes = ResidentBytes(AllServers());
  EBLA_ASSIGN(const Counted puts, RunClient(512, 1, duration));
  // The number of different keys among the random ones.
  const double records = kRecords * (1 - std::exp(-(first.operations + puts.operations) / kRecords));
  return Figure{.memory_bytes = (ResidentBytes(AllServers()) - empty_bytes) / records / kServers,
                .disk_bytes = DiskBytes(directory_) / records / kServers};
}

Result<Counted> EtcdPeer::RunClient(int clients, int connections, Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  const std::string output = directory_ + "/puts-" + std::to_string(clients) + "-" + std::to_string(connections);
  EBLA_ASSIGN(
      const cluster::ProcessId program,
      cluster::Spawn({.command = {ClientProgram(), "-endpoints", endpoints_, "-clients", std::to_string(clients),
                                  "-connections", std::to_string(connections), "-seconds", std::to_string(seconds),
                                  "-bytes", std::to_string(kValueBytes), "-keys", std::to_string(kRecords)},
                      .working_dir = directory_,
                      .output_file = output,
                      .die_with_parent = true}));
  const auto patience = std::chrono::duration_cast<std::chrono::milliseconds>(duration * 2) + kStartTimeMax;
  EBLA_ASSIGN(const int code, cluster::ExitCode(program, patience));
  if (code != 0) return Error(Code::kInternal, "etcd-puts failed: " + cluster::LastLines(output, 3));
  // Before its line of JSON, etcd's client may have printed that it tries again while the servers start.
  const auto json = nlohmann::json::parse(cluster::LastLines(output, 1), nullptr, /*allow_exceptions=*/false);
  const auto number = [&](const char* name) { return json.is_object() ? json.value(name, 0.0) : 0; };
  if (number("puts_per_second") <= 0) return Error(Code::kInternal, "etcd-puts said nothing of use; see " + output);
  return Counted{.timings = {.per_second = number("puts_per_second"),
                             .p50_us = number("p50_us"),
                             .p99_us = number("p99_us"),
                             .p999_us = number("p999_us")},
                 .operations = number("puts")};
}

}  // namespace ebla::bench
