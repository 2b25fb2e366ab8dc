// tests/bench/compare/etcd_peer.h
// The peer that replicated puts are compared with: three etcd servers on this machine (Debian's etcd-server), driven by
// etcd's own Go client (etcd_puts.go) against the leader.
// Threads: thread-compatible; the servers die with the thread that makes it.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

class EtcdPeer {
 public:
  // UNAVAILABLE, saying what to install, where etcd or the client program is not there.
  static Result<EtcdPeer> Start(const std::string& directory);

  // Durable puts by so many clients over so many connections.
  Result<Figure> Puts(int clients, int connections, Duration duration);
  // The records' size in each server, after puts for this time have made most of them. It includes replaced records,
  // too.
  Result<Figure> Room(Duration duration);

 private:
  explicit EtcdPeer(std::string directory) : directory_(std::move(directory)) {}
  Servers AllServers() const;
  Result<Counted> RunClient(int clients, int connections, Duration duration);

  std::string directory_;
  std::string endpoints_;  // host:port,...
  std::vector<MeasuredProcess> servers_;
};

}  // namespace ebla::bench
