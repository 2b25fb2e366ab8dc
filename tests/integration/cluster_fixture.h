// tests/integration/cluster_fixture.h
// For tests that each start a cluster of their own: the cluster and a client of it.
// Threads: the test's own starts the cluster; the client may be used by any, as its own header says.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "common/testing/test_files.h"
#include "tests/integration/test_cluster.h"

namespace ebla::testing {

class ClusterFixture : public ::testing::Test {
 protected:
  // `deadline`: the default of the client's operations.
  void Start(TestClusterOptions options = {}, std::chrono::milliseconds deadline = std::chrono::seconds(30)) {
    auto cluster = TestCluster::Start(std::move(options));
    ASSERT_TRUE(cluster.has_value()) << cluster.error();
    cluster_ = *std::move(cluster);
    auto client = cluster_->Connect(deadline);
    ASSERT_TRUE(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
  }
  cluster::Launcher& launcher() { return cluster_->launcher(); }

  std::unique_ptr<TestCluster> cluster_;
  std::optional<Client> client_;
};

}  // namespace ebla::testing
