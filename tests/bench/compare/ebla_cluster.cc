#include "tests/bench/compare/ebla_cluster.h"

#include <glog/logging.h>

#include <utility>

namespace ebla::bench {

EblaCluster::EblaCluster(testing::TestClusterOptions options) {
  auto cluster = testing::TestCluster::Start(std::move(options));
  CHECK(cluster.has_value()) << cluster.error();
  cluster_ = *std::move(cluster);
  auto client = cluster_->Connect();
  CHECK(client.has_value()) << client.error();
  client_.emplace(*std::move(client));
}

std::string EblaCluster::masters() const { return cluster_->Masters(); }

Servers EblaCluster::servers() const {
  Servers servers{.pids = {}, .directory = cluster_->dir()};
  for (const cluster::ProcessView& process : cluster_->launcher().Describe()) servers.pids.push_back(process.pid);
  return servers;
}

}  // namespace ebla::bench
