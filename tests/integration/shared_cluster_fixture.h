// tests/integration/shared_cluster_fixture.h
// For tests that share one cluster, each with a client of its own. Each finds no table there.
// Threads: as cluster_fixture.h.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <utility>

#include "tests/integration/test_cluster.h"

namespace ebla::testing {

class SharedClusterFixture : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto cluster = TestCluster::Start();
    ASSERT_TRUE(cluster.has_value()) << cluster.error();
    cluster_ = *std::move(cluster);
  }
  static void TearDownTestSuite() { cluster_.reset(); }
  void SetUp() override {
    ASSERT_NE(cluster_, nullptr);
    auto client = cluster_->Connect();
    ASSERT_TRUE(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
  }
  void TearDown() override {
    if (client_) DropAll();
  }
  void DropAll() {
    const auto tables = client_->ListTables();
    ASSERT_TRUE(tables.has_value()) << tables.error();
    for (const TableInfo& table : *tables) {
      const Status dropped = client_->DropTable(table.name);
      EXPECT_TRUE(dropped.ok()) << dropped;
    }
  }

  inline static std::unique_ptr<TestCluster> cluster_;
  std::optional<Client> client_;
};

}  // namespace ebla::testing
