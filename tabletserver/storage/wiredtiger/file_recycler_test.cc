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
  // Where the removed file of this name is; nowhere.
  std::string Removed(const std::string& name) const {
    for (const auto& entry : std::filesystem::directory_iterator(Path("removed"))) {
      if (entry.path().filename().string().starts_with(name)) return entry.path();
    }
    return Path("removed/nowhere");
  }
  static std::string Log(int number) {
    char name[40];
    std::snprintf(name, sizeof name, "WiredTigerLog.%010d", number);
    return name;
  }
  void Make(const std::string& name, int64_t bytes, char header = 'h') {
    std::ofstream(Path(name)) << std::string(kHeaderBytes, header) << "what was logged";
    std::filesystem::resize_file(Path(name), static_cast<uintmax_t>(bytes));
  }
  void MakeAndRemove(const std::string& name, int64_t bytes) {
    Make(name, bytes, 'o');
    Remove(name);
  }
  void Remove(const std::string& name) {
    EXPECT_EQ(FileRecycler::Remove(Path(name)), 0);
    EXPECT_FALSE(std::filesystem::exists(Path(name)));
  }
  void MakeAndRemoveLogs(int first, int files, int64_t bytes) {
    for (int i = first; i < first + files; ++i) MakeAndRemove(Log(i), bytes);
  }
  // The first call makes the directory.
  static void Begin(FileRecycler& recycler) { EXPECT_EQ(recycler.FreeSome(), std::nullopt); }
  // -1: there is none.
  static int64_t Bytes(const std::string& path) {
    struct stat file{};
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
  static constexpr int kKept = FileRecycler::kKeptMax;
  static constexpr size_t kHeaderBytes = 128;

  ebla::testing::TemporaryDirectory directory_;
};

TEST_F(FileRecyclerTest, WhatIsRemovedGoesPieceByPiece) {
  FileRecycler recycler(directory_.path(), kMb);
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

TEST_F(FileRecyclerTest, LogFilesAreKeptUpToANumber) {
  FileRecycler recycler(directory_.path(), kMb);
  Begin(recycler);
  MakeAndRemoveLogs(1, kKept, kMb);
  EXPECT_EQ(recycler.FreeSome(), std::nullopt);
  MakeAndRemoveLogs(90, 1, kMb);
  EXPECT_NE(recycler.FreeSome(), std::nullopt);
  EXPECT_EQ(Bytes(Removed(Log(90))), -1);
  EXPECT_EQ(recycler.FreeSome(), std::nullopt);
  EXPECT_EQ(Bytes(Removed(Log(1))), kMb);
}

TEST_F(FileRecyclerTest, OneNameMayBeRemovedTwice) {
  FileRecycler recycler(directory_.path(), kMb);
  Begin(recycler);
  MakeAndRemove("data_1.wt", 2 * kMb);
  MakeAndRemove("data_1.wt", 3 * kMb);
  std::vector<int64_t> bytes;
  for (const auto& entry : std::filesystem::directory_iterator(Path("removed"))) bytes.push_back(Bytes(entry.path()));
  EXPECT_THAT(bytes, ::testing::UnorderedElementsAre(2 * kMb, 3 * kMb));
}

TEST_F(FileRecyclerTest, SmallFilesAndThoseThatNobodyCaresForGoAtOnce) {
  FileRecycler recycler(directory_.path(), kMb);
  MakeAndRemove("data_1.wt", 9 * kMb);
  EXPECT_FALSE(std::filesystem::exists(Path("removed"))) << "a start may need the space";
  Begin(recycler);
  MakeAndRemove("data_2.wt", FileRecycler::kSmallBytes - 1);
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
  EXPECT_EQ(FileRecycler::Remove(Path("data_3.wt")), -1);
  EXPECT_EQ(errno, ENOENT);
}

TEST_F(FileRecyclerTest, ADirectoryThatIsGoneIsMadeAgain) {
  FileRecycler recycler(directory_.path(), kMb);
  Begin(recycler);
  std::filesystem::remove(Path("removed"));
  MakeAndRemove("data_1.wt", 9 * kMb);
  Begin(recycler);
  MakeAndRemove("data_1.wt", 9 * kMb);
  EXPECT_EQ(Bytes(Removed("data_1.wt")), 9 * kMb);
}

TEST_F(FileRecyclerTest, MuchGoesFaster) {
  FileRecycler recycler(directory_.path(), kMb);
  Begin(recycler);
  for (int i = 0; i < 10; ++i) MakeAndRemove("data_" + std::to_string(i) + ".wt", 1000 * kMb);
  // Of several, as one that takes long is followed by a rest.
  Duration shortest = 1h;
  for (int i = 0; i < 20; ++i) shortest = std::min(shortest, recycler.FreeSome().value_or(1h));
  EXPECT_LT(shortest, 10ms);
}

TEST_F(FileRecyclerTest, WhereTheSpaceIsNeededAllMayGo) {
  constexpr int64_t kPiece = FileRecycler::kMuchBytes;
  FileRecycler recycler(directory_.path(), kMb);
  Make(Log(1), kMb);
  EXPECT_EQ(recycler.PrepareSome(), std::nullopt) << "the log has not filled a file";
  MakeAndRemoveLogs(2, 2, kMb);
  MakeAndRemove("data_1.wt", 2 * kPiece);
  Make(Log(4), 9 * kMb);
  EXPECT_NE(recycler.PrepareSome(), std::nullopt);
  EXPECT_TRUE(std::filesystem::exists(Path("removed/next")));
  EXPECT_TRUE(recycler.FreeMuch());
  EXPECT_EQ(Bytes(Removed("data_1.wt")), kPiece);
  int pieces = 0;
  while (recycler.FreeMuch()) ++pieces;
  EXPECT_EQ(pieces, 3) << "of the table, a log file and the next one";
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
  EXPECT_EQ(Bytes(Path(Log(4))), 9 * kMb);
  EXPECT_NE(recycler.PrepareSome(), std::nullopt) << "there is room again";
}

TEST_F(FileRecyclerTest, WhatHasAnotherNameIsLeftAlone) {
  FileRecycler recycler(directory_.path(), kMb);
  Make(Log(1), kMb);
  recycler.PrepareSome();
  Make(Log(9), kMb);
  for (const std::string& name : {Log(2), std::string("data_1.wt")}) {
    Make(name, 9 * kMb);
    std::filesystem::create_hard_link(Path(name), Path("copy of " + name));
    Remove(name);
  }
  Make("elsewhere", 9 * kMb);
  std::filesystem::create_symlink(Path("elsewhere"), Path("removed/" + Log(3)));
  while (recycler.PrepareSome()) continue;
  while (recycler.FreeSome()) continue;
  EXPECT_EQ(Prepared().size(), FileRecycler::kPreparedMax) << "of new files";
  for (const std::string& name : {"copy of " + Log(2), std::string("copy of data_1.wt"), std::string("elsewhere")}) {
    EXPECT_EQ(Bytes(Path(name)), 9 * kMb);
    EXPECT_THAT(Content(Path(name)), ::testing::HasSubstr("what was logged"));
  }
  EXPECT_TRUE(std::filesystem::is_empty(Path("removed")));
}

TEST_F(FileRecyclerTest, RemovedFilesAreUsedAgainAsZeros) {
  FileRecycler recycler(directory_.path(), kMb);
  Make(Log(1), kMb);
  EXPECT_EQ(recycler.PrepareSome(), std::nullopt) << "the log has not filled a file";
  // Of other lengths: cut at its last record, or longer for a record that did not fit.
  MakeAndRemoveLogs(2, 1, kMb - 1000);
  MakeAndRemoveLogs(3, 1, 2 * kMb);
  MakeAndRemoveLogs(4, 1, kMb);
  Make(Log(5), kMb);
  for (int pieces = 0; pieces < 8; ++pieces) EXPECT_NE(recycler.PrepareSome(), std::nullopt);
  EXPECT_EQ(recycler.PrepareSome(), std::nullopt);
  ASSERT_THAT(Prepared(), ::testing::ElementsAre("WiredTigerPreplog.2000000000", "WiredTigerPreplog.2000000001"));
  for (const std::string& name : Prepared()) EXPECT_TRUE(Content(Path(name)) == Zeroed(kMb)) << name;
  EXPECT_FALSE(std::filesystem::exists(Removed(Log(2))));
  EXPECT_TRUE(std::filesystem::exists(Removed(Log(4))));
  // WiredTiger uses one.
  std::filesystem::rename(Path("WiredTigerPreplog.2000000001"), Path(Log(6)));
  while (recycler.PrepareSome()) continue;
  EXPECT_THAT(Prepared(), ::testing::ElementsAre("WiredTigerPreplog.2000000000", "WiredTigerPreplog.2000000002"));
}

TEST_F(FileRecyclerTest, NewFilesArePreparedWhereNoneIsRemoved) {
  FileRecycler recycler(directory_.path(), kMb);
  Make(Log(1), kMb);
  EXPECT_EQ(recycler.PrepareSome(), std::nullopt);
  Make(Log(2), kMb);
  while (recycler.PrepareSome()) continue;
  ASSERT_EQ(Prepared().size(), FileRecycler::kPreparedMax);
  for (const std::string& name : Prepared()) EXPECT_TRUE(Content(Path(name)) == Zeroed(kMb)) << name;
  EXPECT_THAT(Content(Path(Log(2))), ::testing::HasSubstr("what was logged"));
}

TEST_F(FileRecyclerTest, AStartAndAnEndClearAway) {
  for (const int number : {1, 2}) Make(Log(number), 9 * kMb);
  {
    FileRecycler recycler(directory_.path(), kMb);
    Begin(recycler);
    Remove(Log(1));
    EXPECT_EQ(Bytes(Removed(Log(1))), 9 * kMb);
  }
  EXPECT_FALSE(std::filesystem::exists(Path("removed")));
  EXPECT_EQ(Bytes(Path(Log(2))), 9 * kMb);
  std::filesystem::create_directory(Path("removed"));
  std::filesystem::create_hard_link(Path(Log(2)), Path("removed/" + Log(2)));
  const FileRecycler recycler(directory_.path(), kMb);
  EXPECT_FALSE(std::filesystem::exists(Path("removed"))) << "of a crash";
  EXPECT_EQ(Bytes(Path(Log(2))), 9 * kMb);
}

}  // namespace
}  // namespace ebla::tabletserver
