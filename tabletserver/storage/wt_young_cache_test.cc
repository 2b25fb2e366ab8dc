#include "tabletserver/storage/wt_young_cache.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "common/testing/temporary_directory.h"
#include "tabletserver/storage/wt_sessions.h"

namespace ebla::tabletserver {
namespace {

class YoungCacheTest : public ::testing::Test {
 protected:
  void Open() {
    CHECK_EQ(wiredtiger_open(directory_.path().c_str(), nullptr, "create,cache_size=50MB,statistics=(fast)", &connection_), 0);
    CHECK_EQ(connection_->open_session(connection_, nullptr, nullptr, &session_), 0);
  }
  void Close() { CHECK_EQ(connection_->close(connection_, nullptr), 0); }
  bool ScratchIsThere() const { return std::filesystem::exists(directory_.path() + "/scratch.wt"); }

  const ebla::testing::TemporaryDirectory directory_;
  WT_CONNECTION* connection_ = nullptr;
  WT_SESSION* session_ = nullptr;
};

TEST_F(YoungCacheTest, EvictionMakesItsPassesAndNothingStays) {
  for (int life = 0; life < 2; ++life) {
    Open();
    EXPECT_LT(EvictionPasses(session_), kPassesOfOldCache / 2);
    EXPECT_EQ(AgeCache(connection_), 0);
    EXPECT_GE(EvictionPasses(session_), kPassesOfOldCache);
    EXPECT_FALSE(ScratchIsThere());
    EXPECT_LT(Statistic(session_, WT_STAT_CONN_CACHE_BYTES_DIRTY), 50'000);
    EXPECT_EQ(Statistic(session_, WT_STAT_CONN_CACHE_EVICTION_APP), 0) << "nobody has had to help";
    Close();
  }
}

// As a process leaves it that is killed meanwhile.
TEST_F(YoungCacheTest, WhatALifeBeforeHasLeftIsClearedAway) {
  Open();
  CHECK_EQ(session_->create(session_, "table:scratch", "key_format=i,value_format=u,log=(enabled=false)"), 0);
  Close();
  ASSERT_TRUE(ScratchIsThere());
  Open();
  EXPECT_EQ(AgeCache(connection_), 0);
  EXPECT_FALSE(ScratchIsThere());
  Close();
}

}  // namespace
}  // namespace ebla::tabletserver
