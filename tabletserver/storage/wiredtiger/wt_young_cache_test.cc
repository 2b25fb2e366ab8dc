#include "tabletserver/storage/wiredtiger/wt_young_cache.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>

#include "common/testing/temporary_directory.h"
#include "tabletserver/storage/wiredtiger/wt_sessions.h"

namespace ebla::tabletserver {
namespace {

class YoungCacheTest : public ::testing::Test {
 protected:
  // Opens it like a store.
  void Open(int64_t cache_bytes = int64_t{40} << 20) {
    WtStoreOptions options;
    options.directory = directory_.path();
    options.cache_bytes = cache_bytes_ = cache_bytes;
    auto opened = WtConnection::Open(options);
    CHECK(opened) << opened.error();
    connection_ = *std::move(opened);
    CHECK_EQ(connection_->get()->open_session(connection_->get(), nullptr, nullptr, &session_), 0);
  }
  void ExpectAged() {
    EXPECT_TRUE(AgeCache(*connection_, cache_bytes_).ok());
    EXPECT_GE(EvictionPasses(session_), kPassesOfOldCache);
    EXPECT_FALSE(std::filesystem::exists(Scratch()));
    EXPECT_EQ(Statistic(session_, WT_STAT_CONN_CACHE_EVICTION_APP), 0) << "nobody has had to help";
  }
  std::string Scratch() const { return directory_.path() + "/scratch.wt"; }
  void CreateScratch() {
    CHECK_EQ(session_->create(session_, "table:scratch", "key_format=i,value_format=u,log=(enabled=false)"), 0);
  }

  const ebla::testing::TemporaryDirectory directory_;
  int64_t cache_bytes_ = 0;
  std::unique_ptr<WtConnection> connection_;
  WT_SESSION* session_ = nullptr;
};

TEST_F(YoungCacheTest, EvictionMakesItsPassesAndNothingStays) {
  for (int life = 0; life < 2; ++life) {
    Open();
    EXPECT_LT(EvictionPasses(session_), kPassesOfOldCache / 2);
    ExpectAged();
    connection_.reset();
  }
}

TEST_F(YoungCacheTest, TheSmallestCacheHasRoomForIt) {
  Open(1 << 20);
  ExpectAged();
}

TEST_F(YoungCacheTest, WhatALifeBeforeHasLeftIsClearedAway) {
  Open();
  CreateScratch();
  connection_.reset();
  ASSERT_TRUE(std::filesystem::exists(Scratch()));
  Open();
  ExpectAged();
}

TEST_F(YoungCacheTest, WithoutTheFileOfALifeBeforeOneStartDoesWithoutAndTheNextIsWell) {
  Open();
  CreateScratch();
  connection_.reset();
  std::filesystem::remove(Scratch());
  Open();
  EXPECT_TRUE(AgeCache(*connection_, cache_bytes_).ok());
  connection_.reset();
  Open();
  ExpectAged();
}

}  // namespace
}  // namespace ebla::tabletserver
