#include "tabletserver/storage/slow_removal.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include "common/testing/temporary_directory.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kMb = int64_t{1} << 20;

class SlowRemovalTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Removed(const std::string& name) const { return Path("removed/" + name); }
  void Make(const std::string& name, int64_t bytes) {
    std::ofstream(Path(name)) << "here";
    std::filesystem::resize_file(Path(name), static_cast<uintmax_t>(bytes));
  }
  // -1: there is none.
  static int64_t Bytes(const std::string& path) {
    struct stat file {};
    return stat(path.c_str(), &file) == 0 ? file.st_size : -1;
  }

  ebla::testing::TemporaryDirectory directory_;
};

TEST_F(SlowRemovalTest, WhatIsRemovedGoesPieceByPiece) {
  SlowRemoval removal(directory_.path());
  Make("WiredTigerLog.0000000001", 9 * kMb);
  Make("WiredTigerLog.0000000002", 5 * kMb);
  Make("data_1.wt", kMb);
  removal.Hold();
  EXPECT_EQ(removal.FreeSome(), std::nullopt) << "all are in use";
  std::filesystem::remove(Path("WiredTigerLog.0000000001"));
  for (const int64_t left : {5 * kMb, kMb, int64_t{-1}}) {
    EXPECT_GT(removal.FreeSome(), 30ms);
    EXPECT_EQ(Bytes(Removed("WiredTigerLog.0000000001")), left);
  }
  EXPECT_EQ(removal.FreeSome(), std::nullopt);
  EXPECT_EQ(Bytes(Path("WiredTigerLog.0000000002")), 5 * kMb);
  EXPECT_EQ(Bytes(Path("data_1.wt")), kMb);
  EXPECT_FALSE(std::filesystem::exists(Removed("data_1.wt")));
}

TEST_F(SlowRemovalTest, MuchGoesFaster) {
  SlowRemoval removal(directory_.path());
  for (int i = 0; i < 10; ++i) {
    Make("WiredTigerLog." + std::to_string(i), 1000 * kMb);
    removal.Hold();
    std::filesystem::remove(Path("WiredTigerLog." + std::to_string(i)));
  }
  // Of several, as one that takes long is followed by a rest.
  Duration shortest = 1h;
  for (int i = 0; i < 20; ++i) shortest = std::min(shortest, removal.FreeSome().value_or(1h));
  EXPECT_LT(shortest, 10ms);
}

TEST_F(SlowRemovalTest, AllGoesAtOnceWhereTheSpaceIsNeeded) {
  SlowRemoval removal(directory_.path());
  for (const char* name : {"WiredTigerLog.1", "WiredTigerLog.2", "WiredTigerLog.3"}) Make(name, 9 * kMb);
  removal.Hold();
  std::filesystem::remove(Path("WiredTigerLog.1"));
  std::filesystem::remove(Path("WiredTigerLog.2"));
  removal.FreeAll();
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
  EXPECT_EQ(Bytes(Path("WiredTigerLog.3")), 9 * kMb);
}

TEST_F(SlowRemovalTest, WhatMayBeInUseIsLeftAlone) {
  SlowRemoval removal(directory_.path());
  Make("WiredTigerLog.1", 9 * kMb);
  Make("WiredTigerLog.2", 9 * kMb);
  Make("elsewhere", 9 * kMb);
  removal.Hold();
  // Another file stands where the one that is held stood.
  std::filesystem::remove(Path("WiredTigerLog.1"));
  Make("WiredTigerLog.1", kMb);
  // Somebody has put a file elsewhere.
  std::filesystem::remove(Removed("WiredTigerLog.2"));
  std::filesystem::remove(Path("WiredTigerLog.2"));
  std::filesystem::create_symlink(Path("elsewhere"), Removed("WiredTigerLog.2"));
  EXPECT_EQ(removal.FreeSome(), std::nullopt);
  EXPECT_EQ(Bytes(Path("WiredTigerLog.1")), kMb);
  EXPECT_EQ(Bytes(Removed("WiredTigerLog.1")), 9 * kMb);
  EXPECT_EQ(Bytes(Path("elsewhere")), 9 * kMb);
}

TEST_F(SlowRemovalTest, AStartAndAnEndClearAway) {
  Make("WiredTigerLog.1", 9 * kMb);
  Make("WiredTigerLog.2", 9 * kMb);
  {
    SlowRemoval removal(directory_.path());
    removal.Hold();
    std::filesystem::remove(Path("WiredTigerLog.1"));
  }
  EXPECT_FALSE(std::filesystem::exists(Path("removed")));
  EXPECT_EQ(Bytes(Path("WiredTigerLog.2")), 9 * kMb);
  std::filesystem::create_directory(Path("removed"));
  std::filesystem::create_hard_link(Path("WiredTigerLog.2"), Removed("WiredTigerLog.2"));
  SlowRemoval removal(directory_.path());
  EXPECT_FALSE(std::filesystem::exists(Path("removed"))) << "of a crash";
  EXPECT_EQ(Bytes(Path("WiredTigerLog.2")), 9 * kMb);
}

}  // namespace
}  // namespace ebla::tabletserver
