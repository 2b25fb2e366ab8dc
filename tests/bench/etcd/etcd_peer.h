// tests/bench/etcd/etcd_peer.h
// The peer that replicated puts are compared with: three etcd servers on this machine (Debian's etcd-server), driven by
// etcd's own Go client (etcd/etcd_puts.go) against the leader.
// Threads: thread-compatible; the servers die with the thread that makes it.
#pragma once

#include <string>
#include <vector>

#include "common/base/executor.h"
#include "common/base/status.h"
#include "tools/cluster/child_process.h"
#include "tools/load/async_load.h"

namespace ebla::bench {

class EtcdPeer {
 public:
  // UNAVAILABLE, saying what to install, where etcd or the client program is not there.
  static Result<EtcdPeer> Start(const std::string& directory);
  EtcdPeer(EtcdPeer&&) = default;
  EtcdPeer& operator=(EtcdPeer&&) = delete;
  ~EtcdPeer();

  // Durable puts of `bytes` by so many clients over so many connections.
  Result<load::Timings> Puts(int clients, int connections, size_t bytes, Duration duration);

 private:
  explicit EtcdPeer(std::string directory) : directory_(std::move(directory)) {}

  std::string directory_;
  std::string endpoints_;  // host:port,...
  std::vector<cluster::ProcessId> servers_;
};

}  // namespace ebla::bench
