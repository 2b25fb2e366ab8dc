#include "tests/bench/etcd/etcd_peer.h"

#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "common/zookeeper/zookeeper_command.h"
#include "test_paths.h"
#include "tools/cluster/launcher.h"

namespace ebla::bench {
namespace {

constexpr char kServer[] = "/usr/bin/etcd";
constexpr int kServers = 3;
constexpr std::chrono::seconds kEndTimeMax{10};
constexpr std::chrono::seconds kStartTimeMax{60};

std::string ClientProgram() { return std::string(kBinaryDir) + "/test/etcd-puts"; }
std::string Loopback(uint16_t port) { return "127.0.0.1:" + std::to_string(port); }

Status CheckThere(const std::string& program) {
  if (::access(program.c_str(), X_OK) == 0) return {};
  return Status(Code::kUnavailable, program + " is missing; ./dev bench installs etcd and builds the client program");
}

}  // namespace

Result<EtcdPeer> EtcdPeer::Start(const std::string& directory) {
  EBLA_TRY(CheckThere(kServer));
  EBLA_TRY(CheckThere(ClientProgram()));
  std::filesystem::create_directories(directory);
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
    EBLA_ASSIGN(
        const cluster::ProcessId server,
        cluster::Spawn({.command = {kServer, "--name=" + name, "--data-dir=" + directory + "/" + name,
                                    "--listen-client-urls=http://" + client, "--advertise-client-urls=http://" + client,
                                    "--listen-peer-urls=" + own, "--initial-advertise-peer-urls=" + own,
                                    "--initial-cluster=" + everybody, "--initial-cluster-state=new"},
                        .working_dir = directory,
                        .output_file = directory + "/" + name + ".log",
                        .die_with_parent = true}));
    peer.servers_.push_back(server);
  }
  return peer;
}

EtcdPeer::~EtcdPeer() {
  // One that is gone already needs no signal.
  for (const cluster::ProcessId& server : servers_) std::ignore = cluster::Signal(server, SIGKILL);
  for (const cluster::ProcessId& server : servers_) cluster::WaitForExit(server, kEndTimeMax);
}

Result<load::Timings> EtcdPeer::Puts(int clients, int connections, size_t bytes, Duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  const std::string output = directory_ + "/puts-" + std::to_string(clients) + "-" + std::to_string(connections);
  EBLA_ASSIGN(const cluster::ProcessId program,
              cluster::Spawn({.command = {ClientProgram(), "-endpoints", endpoints_, "-clients",
                                          std::to_string(clients), "-connections", std::to_string(connections),
                                          "-seconds", std::to_string(seconds), "-bytes", std::to_string(bytes)},
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
  return load::Timings{.per_second = number("puts_per_second"),
                       .p50_us = number("p50_us"),
                       .p99_us = number("p99_us"),
                       .p999_us = number("p999_us")};
}

}  // namespace ebla::bench
