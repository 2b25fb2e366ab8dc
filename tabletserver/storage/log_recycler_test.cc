#include "tabletserver/storage/log_recycler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/testing/temporary_directory.h"
#include "tabletserver/storage/store_fixture.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kMb = int64_t{1} << 20;

class LogRecyclerTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Removed(const std::string& name) const { return Path("removed/" + name); }
  static std::string Log(int number) {
    char name[40];
    std::snprintf(name, sizeof name, "WiredTigerLog.%010d", number);
    return name;
  }
  void Make(const std::string& name, int64_t bytes, char header = 'h') {
    std::ofstream(Path(name)) << std::string(kHeaderBytes, header) << "what was logged";
    std::filesystem::resize_file(Path(name), static_cast<uintmax_t>(bytes));
  }
  // So many log files that WiredTiger has removed, from this number on.
  void MakeRemoved(LogRecycler& recycler, int first, int files, int64_t bytes) {
    for (int i = first; i < first + files; ++i) {
      Make(Log(i), bytes, 'o');
      recycler.Hold();
      std::filesystem::remove(Path(Log(i)));
    }
  }
  // -1: there is none.
  static int64_t Bytes(const std::string& path) {
    struct stat file {};
    return stat(path.c_str(), &file) == 0 ? file.st_size : -1;
  }
  static std::string Content(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  static std::string Zeroed(int64_t bytes) {
    return std::string(kHeaderBytes, 'h') + std::string(static_cast<size_t>(bytes - kHeaderBytes), '\0');
  }
  std::vector<std::string> Prepared() const { return testing::PreparedLogFiles(directory_.path()); }
  static constexpr int kKept = LogRecycler::kKeptMax;
  static constexpr size_t kHeaderBytes = 128;

  ebla::testing::TemporaryDirectory directory_;
};

TEST_F(LogRecyclerTest, WhatIsRemovedBeyondWhatIsKeptGoesPieceByPiece) {
  LogRecycler recycler(directory_.path(), kMb);
  MakeRemoved(recycler, 1, kKept, kMb);
  constexpr int64_t kPiece = LogRecycler::kFreedBytes;
  Make(Log(90), 2 * kPiece + kPiece / 4);
  Make(Log(91), 5 * kMb);
  Make("data_1.wt", kMb);
  recycler.Hold();
  EXPECT_EQ(recycler.DoSome(false), std::nullopt) << "all are in use, or kept";
  std::filesystem::remove(Path(Log(90)));
  for (const int64_t left : {kPiece + kPiece / 4, kPiece / 4, int64_t{-1}}) {
    EXPECT_GT(recycler.DoSome(false), 10ms) << "100 MB a second, at most";
    EXPECT_EQ(Bytes(Removed(Log(90))), left);
  }
  EXPECT_EQ(recycler.DoSome(false), std::nullopt);
  EXPECT_EQ(Bytes(Path(Log(91))), 5 * kMb);
  EXPECT_EQ(Bytes(Path("data_1.wt")), kMb);
  EXPECT_FALSE(std::filesystem::exists(Removed("data_1.wt")));
}

TEST_F(LogRecyclerTest, MuchGoesFaster) {
  LogRecycler recycler(directory_.path(), 1000 * kMb);
  MakeRemoved(recycler, 1, kKept + 10, 1000 * kMb);
  // Of several, as one that takes long is followed by a rest.
  Duration shortest = 1h;
  for (int i = 0; i < 20; ++i) shortest = std::min(shortest, recycler.DoSome(true).value_or(1h));
  EXPECT_LT(shortest, 10ms);
}

TEST_F(LogRecyclerTest, AllGoesAtOnceWhereTheSpaceIsNeeded) {
  LogRecycler recycler(directory_.path(), kMb);
  Make(Log(1), kMb);
  recycler.DoSome(true);
  MakeRemoved(recycler, 2, 2, kMb);
  Make(Log(4), 9 * kMb);
  recycler.Hold();
  EXPECT_NE(recycler.DoSome(true), std::nullopt);
  EXPECT_TRUE(std::filesystem::exists(Removed("next")));
  recycler.FreeAll();
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
  EXPECT_EQ(recycler.DoSome(false), std::nullopt) << "there is no room";
  EXPECT_EQ(Bytes(Path(Log(4))), 9 * kMb);
}

TEST_F(LogRecyclerTest, WhatMayBeInUseIsLeftAlone) {
  LogRecycler recycler(directory_.path(), kMb);
  Make(Log(0), kMb);
  recycler.DoSome(true);
  MakeRemoved(recycler, 3, kKept - 1, kMb);
  for (const int number : {1, 2}) Make(Log(number), 9 * kMb);
  Make("elsewhere", 9 * kMb);
  recycler.Hold();
  // Another file stands where the one that is held stood.
  std::filesystem::remove(Path(Log(1)));
  Make(Log(1), kMb);
  // Somebody has put a file elsewhere.
  std::filesystem::remove(Removed(Log(2)));
  std::filesystem::remove(Path(Log(2)));
  std::filesystem::create_symlink(Path("elsewhere"), Removed(Log(2)));
  while (recycler.DoSome(true)) continue;
  EXPECT_EQ(Prepared().size(), LogRecycler::kPreparedMax);
  EXPECT_EQ(Bytes(Path(Log(1))), kMb);
  EXPECT_EQ(Bytes(Removed(Log(1))), 9 * kMb);
  EXPECT_EQ(Bytes(Path("elsewhere")), 9 * kMb);
  EXPECT_THAT(Content(Path(Log(1))), ::testing::HasSubstr("what was logged"));
  EXPECT_THAT(Content(Path("elsewhere")), ::testing::HasSubstr("what was logged"));
}

TEST_F(LogRecyclerTest, RemovedFilesAreUsedAgainAsZeros) {
  LogRecycler recycler(directory_.path(), kMb);
  Make(Log(1), kMb);
  EXPECT_EQ(recycler.DoSome(true), std::nullopt) << "the log has not filled a file";
  // Of other lengths: cut at its last record, or longer for a record that did not fit.
  MakeRemoved(recycler, 2, 1, kMb - 1000);
  MakeRemoved(recycler, 3, 1, 2 * kMb);
  MakeRemoved(recycler, 4, 1, kMb);
  Make(Log(5), kMb);
  for (int pieces = 0; pieces < 8; ++pieces) EXPECT_NE(recycler.DoSome(true), std::nullopt);
  EXPECT_EQ(recycler.DoSome(true), std::nullopt);
  ASSERT_THAT(Prepared(), ::testing::ElementsAre("WiredTigerPreplog.2000000000", "WiredTigerPreplog.2000000001"));
  for (const std::string& name : Prepared()) EXPECT_TRUE(Content(Path(name)) == Zeroed(kMb)) << name;
  EXPECT_FALSE(std::filesystem::exists(Removed(Log(2))));
  EXPECT_TRUE(std::filesystem::exists(Removed(Log(4))));
  // WiredTiger uses one.
  std::filesystem::rename(Path("WiredTigerPreplog.2000000001"), Path(Log(6)));
  while (recycler.DoSome(true)) continue;
  EXPECT_THAT(Prepared(), ::testing::ElementsAre("WiredTigerPreplog.2000000000", "WiredTigerPreplog.2000000002"));
}

TEST_F(LogRecyclerTest, NewFilesArePreparedWhereNoneIsRemoved) {
  LogRecycler recycler(directory_.path(), kMb);
  Make(Log(1), kMb);
  EXPECT_EQ(recycler.DoSome(true), std::nullopt);
  Make(Log(2), kMb);
  while (recycler.DoSome(true)) continue;
  ASSERT_EQ(Prepared().size(), LogRecycler::kPreparedMax);
  for (const std::string& name : Prepared()) EXPECT_TRUE(Content(Path(name)) == Zeroed(kMb)) << name;
  EXPECT_THAT(Content(Path(Log(2))), ::testing::HasSubstr("what was logged"));
}

TEST_F(LogRecyclerTest, AStartAndAnEndClearAway) {
  for (const int number : {1, 2}) Make(Log(number), 9 * kMb);
  {
    LogRecycler recycler(directory_.path(), kMb);
    recycler.Hold();
    std::filesystem::remove(Path(Log(1)));
  }
  EXPECT_FALSE(std::filesystem::exists(Path("removed")));
  EXPECT_EQ(Bytes(Path(Log(2))), 9 * kMb);
  std::filesystem::create_directory(Path("removed"));
  std::filesystem::create_hard_link(Path(Log(2)), Removed(Log(2)));
  LogRecycler recycler(directory_.path(), kMb);
  EXPECT_FALSE(std::filesystem::exists(Path("removed"))) << "of a crash";
  EXPECT_EQ(Bytes(Path(Log(2))), 9 * kMb);
}

}  // namespace
}  // namespace ebla::tabletserver
