// tabletserver/storage/testing/system_tables_fixture.h
// WiredTiger with the tables that a store keeps for itself, and nothing else of a store.
// Threads: one test's.
#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "common/testing/temporary_directory.h"
#include "tabletserver/storage/wiredtiger/wt_connection.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver::testing {

class SystemTablesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    WtStoreOptions options;
    options.directory = directory_.path();
    options.cache_bytes = 32 << 20;
    auto connection = WtConnection::Open(options);
    ASSERT_TRUE(connection.has_value()) << connection.error();
    connection_ = *std::move(connection);
    sessions_ = std::make_shared<WtSessions>(*connection_, 8);
    const auto session = sessions_->ForThisThread();
    ASSERT_TRUE(session.has_value());
    for (const SystemTable table : {SystemTable::kApplied, SystemTable::kWindow}) {
      WT_SESSION* const raw = (*session)->get();
      ASSERT_EQ(raw->create(raw, SystemTableUri(table).c_str(), "key_format=u,value_format=u"), 0);
    }
  }
  void TearDown() override { sessions_->Close(); }

  const ebla::testing::TemporaryDirectory directory_;
  std::unique_ptr<WtConnection> connection_;
  std::shared_ptr<WtSessions> sessions_;
};

}  // namespace ebla::tabletserver::testing
