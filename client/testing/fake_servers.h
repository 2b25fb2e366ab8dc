// client/testing/fake_servers.h
// A FakeCluster on real sockets of 127.0.0.1: one RpcServer per master and tablet server, one event loop for all.
// Threads: one creates and destroys it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "client/testing/fake_cluster.h"
#include "common/rpc/dispatcher.h"
#include "common/rpc/event_loop.h"
#include "common/rpc/server.h"

namespace ebla::client::testing {

class FakeServers {
 public:
  explicit FakeServers(std::vector<ServerName> servers = {"ts-1", "ts-2", "ts-3"}, int masters = 2);
  ~FakeServers();

  FakeCluster& cluster() { return cluster_; }
  const std::vector<std::string>& masters() const { return masters_; }  // host:port each

 private:
  struct Host {
    rpc::Dispatcher dispatcher;
    std::unique_ptr<rpc::RpcServer> server;
  };
  template <class Handler>
  rpc::Endpoint Serve(Handler handler);

  rpc::EventLoop loop_;
  FakeCluster cluster_;
  std::vector<std::unique_ptr<Host>> hosts_;
  std::vector<std::string> masters_;
};

}  // namespace ebla::client::testing
