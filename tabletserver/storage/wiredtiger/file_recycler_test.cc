#include "tabletserver/storage/wiredtiger/file_recycler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "common/testing/temporary_directory.h"
#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

constexpr int64_t kMb = int64_t{1} << 20;

class FileRecyclerTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return directory_.path() + "/" + name; }
  // The place of the removed file of this name; empty: there is none.
  std::string Removed(const std::string& name) const {
    for (const auto& entry : std::filesystem::directory_iterator(Path("removed"))) {
      if (entry.path().filename().string().starts_with(name)) return entry.path();
    }
    return Path("removed/nowhere");
  }
  void Make(const std::string& name, int64_t bytes) {
    std::ofstream(Path(name)) << "what was written";
    std::filesystem::resize_file(Path(name), static_cast<uintmax_t>(bytes));
  }
  void MakeAndRemove(const std::string& name, int64_t bytes) {
    Make(name, bytes);
    Remove(name);
  }
  void Remove(const std::string& name) {
    EXPECT_EQ(FileRecycler::Remove(Path(name)), 0);
    EXPECT_FALSE(std::filesystem::exists(Path(name)));
  }
  // The first call makes the directory.
  static void Begin(FileRecycler& recycler) { EXPECT_EQ(recycler.FreeSome(), std::nullopt); }
  // -1: there is none.
  static int64_t Bytes(const std::string& path) {
    struct stat file{};
    return stat(path.c_str(), &file) == 0 ? file.st_size : -1;
  }

  ebla::testing::TemporaryDirectory directory_;
};

TEST_F(FileRecyclerTest, WhatIsRemovedGoesPieceByPiece) {
  FileRecycler recycler(directory_.path());
  Begin(recycler);
  constexpr int64_t kPiece = FileRecycler::kFreedBytes;
  Make("data_2.wt", 5 * kMb);
  MakeAndRemove("data_1.wt", 2 * kPiece + kPiece / 4);
  for (const int64_t left : {kPiece + kPiece / 4, kPiece / 4, int64_t{-1}}) {
    EXPECT_GT(recycler.FreeSome(), 10ms) << "100 MB a second, at most";
    EXPECT_EQ(Bytes(Removed("data_1.wt")), left);
  }
  EXPECT_EQ(recycler.FreeSome(), std::nullopt);
  EXPECT_EQ(Bytes(Path("data_2.wt")), 5 * kMb);
}

TEST_F(FileRecyclerTest, OneNameMayBeRemovedTwice) {
  FileRecycler recycler(directory_.path());
  Begin(recycler);
  MakeAndRemove("data_1.wt", 2 * kMb);
  MakeAndRemove("data_1.wt", 3 * kMb);
  std::vector<int64_t> bytes;
  for (const auto& entry : std::filesystem::directory_iterator(Path("removed"))) bytes.push_back(Bytes(entry.path()));
  EXPECT_THAT(bytes, ::testing::UnorderedElementsAre(2 * kMb, 3 * kMb));
}

TEST_F(FileRecyclerTest, SmallFilesAndThoseThatNobodyCaresForGoAtOnce) {
  FileRecycler recycler(directory_.path());
  MakeAndRemove("data_1.wt", 9 * kMb);
  EXPECT_FALSE(std::filesystem::exists(Path("removed"))) << "a start may need the space";
  Begin(recycler);
  MakeAndRemove("data_2.wt", FileRecycler::kSmallBytes - 1);
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
  EXPECT_EQ(FileRecycler::Remove(Path("data_3.wt")), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(FileRecyclerTest, ADirectoryThatIsGoneIsMadeAgain) {
  FileRecycler recycler(directory_.path());
  Begin(recycler);
  std::filesystem::remove(Path("removed"));
  MakeAndRemove("data_1.wt", 9 * kMb);
  Begin(recycler);
  MakeAndRemove("data_1.wt", 9 * kMb);
  EXPECT_EQ(Bytes(Removed("data_1.wt")), 9 * kMb);
}

TEST_F(FileRecyclerTest, MuchGoesFaster) {
  FileRecycler recycler(directory_.path());
  Begin(recycler);
  for (int i = 0; i < 10; ++i) MakeAndRemove("data_" + std::to_string(i) + ".wt", 1000 * kMb);
  // Takes several files, because a long removal is followed by a rest.
  Duration shortest = 1h;
  for (int i = 0; i < 20; ++i) shortest = std::min(shortest, recycler.FreeSome().value_or(1h));
  EXPECT_LT(shortest, 10ms);
}

TEST_F(FileRecyclerTest, WhereTheSpaceIsNeededAllMayGo) {
  FileRecycler recycler(directory_.path());
  Begin(recycler);
  MakeAndRemove("data_1.wt", 2 * FileRecycler::kMuchBytes);
  MakeAndRemove("data_2.wt", kMb);
  int pieces = 0;
  while (recycler.FreeMuch()) ++pieces;
  EXPECT_EQ(pieces, 3);
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
}

TEST_F(FileRecyclerTest, WhatHasAnotherNameIsLeftAlone) {
  FileRecycler recycler(directory_.path());
  Begin(recycler);
  Make("data_1.wt", 9 * kMb);
  std::filesystem::create_hard_link(Path("data_1.wt"), Path("copy"));
  Remove("data_1.wt");
  Make("elsewhere", 9 * kMb);
  std::filesystem::create_symlink(Path("elsewhere"), Path("removed/data_3.wt"));
  while (recycler.FreeSome()) continue;
  for (const char* name : {"copy", "elsewhere"}) EXPECT_EQ(Bytes(Path(name)), 9 * kMb) << name;
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
}

TEST_F(FileRecyclerTest, AFileOfAnotherDirectoryGoesPieceByPieceToo) {
  FileRecycler recycler(directory_.path());
  Begin(recycler);
  std::filesystem::create_directory(Path("log"));
  Make("log/1.log", 2 * kMb);
  EXPECT_EQ(FileRecycler::Remove(Path("log/1.log"), directory_.path()), 0);
  EXPECT_EQ(Bytes(Removed("1.log")), 2 * kMb);
}

TEST_F(FileRecyclerTest, AStartAndAnEndClearAway) {
  for (const char* name : {"data_1.wt", "data_2.wt"}) Make(name, 9 * kMb);
  {
    FileRecycler recycler(directory_.path());
    Begin(recycler);
    Remove("data_1.wt");
    EXPECT_EQ(Bytes(Removed("data_1.wt")), 9 * kMb);
  }
  EXPECT_FALSE(std::filesystem::exists(Path("removed")));
  EXPECT_EQ(Bytes(Path("data_2.wt")), 9 * kMb);
  std::filesystem::create_directory(Path("removed"));
  std::filesystem::create_hard_link(Path("data_2.wt"), Path("removed/data_2.wt"));
  const FileRecycler recycler(directory_.path());
  EXPECT_FALSE(std::filesystem::exists(Path("removed"))) << "of a crash";
  EXPECT_EQ(Bytes(Path("data_2.wt")), 9 * kMb);
}

}  // namespace
}  // namespace ebla::tabletserver
