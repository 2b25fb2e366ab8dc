// Bits of a run's file are flipped, and its check finds each.
#include "tabletserver/storage/wiredtiger/wt_run_blocks.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "common/base/read_all.h"
#include "common/testing/test_files.h"
#include "tabletserver/storage/testing/run_merger_fixture.h"
#include "tabletserver/storage/wiredtiger/wt_blocks.h"

namespace ebla::tabletserver::testing {
namespace {

class RunBlocksTest : public RunMergerTest {
 protected:
  void SetUp() override {
    Open();
    WriteRun({PutRow(0, 3'000'000), PutRow(1, 10)});  // larger than a stretch of the check
    WriteRows(10, 1500);
    Checkpoint();
  }
  std::string PathOf(size_t run) {
    return options_.directory + "/" + RunFileName({RunsNow()->runs[run].file->run.number});
  }
  static int Check(const std::string& path) {
    bool stopped = false;
    const int error = CheckRunBlocks(path, [](int64_t) { return true; }, stopped);
    EXPECT_FALSE(stopped);
    return error;
  }
};

TEST_F(RunBlocksTest, EachFlippedBitIsFoundThoughTheCacheHasThePage) {
  for (const size_t run : {0U, 1U}) {
    const std::string path = PathOf(run);
    const auto size = static_cast<int64_t>(std::filesystem::file_size(path));
    ASSERT_GT(size, 1'000'000);
    ExpectModel(50);
    EXPECT_EQ(Check(path), 0);
    // The file's own block, the head, the size and the checksum of the first page, and pages up to the last.
    for (const int64_t at : {int64_t{0}, int64_t{9}, int64_t{4095}, int64_t{4096}, int64_t{4096 + 29},
                             int64_t{4096 + 33}, int64_t{4096 + 700}, size / 2, size - 4000}) {
      ebla::testing::FlipBit(path, at, 4);
      EXPECT_EQ(Check(path), kDamagedBlock) << at << " of " << size;
      ebla::testing::FlipBit(path, at, 4);
      EXPECT_EQ(Check(path), 0) << at;
    }
  }
}

TEST_F(RunBlocksTest, AFileThatIsCutOrEmptyIsDamaged) {
  const std::string path = PathOf(0), cut = options_.directory + "/cut";
  for (const uintmax_t size : {uintmax_t{0}, uintmax_t{100}, uintmax_t{4096 + 100}, uintmax_t{500'000}}) {
    std::filesystem::copy_file(path, cut, std::filesystem::copy_options::overwrite_existing);
    std::filesystem::resize_file(cut, size);
    EXPECT_EQ(Check(cut), kDamagedBlock) << size;
  }
  std::filesystem::remove(cut);
  EXPECT_EQ(Check(cut), kDamagedBlock) << "it is gone";
}

// So the check may read it at any time.
TEST_F(RunBlocksTest, ARunsFileIsNeverWrittenAgain) {
  const auto bytes_of = [](const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return ReadAll(file);
  };
  const std::string path = PathOf(0), before = bytes_of(path);
  for (int checkpoint = 0; checkpoint < 3; ++checkpoint) {
    ASSERT_TRUE(ApplyRows(5000 + checkpoint, 1).ok());
    Checkpoint();
    ExpectModel(200);
    EXPECT_TRUE(bytes_of(path) == before);
  }
  Reopen();
  Checkpoint();
  EXPECT_TRUE(bytes_of(path) == before);
}

TEST_F(RunBlocksTest, ThePaceEndsTheCheck) {
  bool stopped = false;
  int pieces = 0;
  EXPECT_EQ(CheckRunBlocks(PathOf(0), [&](int64_t) { return ++pieces < 2; }, stopped), 0);
  EXPECT_TRUE(stopped);
  EXPECT_EQ(pieces, 2);
}

}  // namespace
}  // namespace ebla::tabletserver::testing
