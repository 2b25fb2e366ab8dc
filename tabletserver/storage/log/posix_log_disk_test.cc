// Segments as files: their names, their lives, and the spares.
#include "tabletserver/storage/log/posix_log_disk.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <chrono>
#include <filesystem>

#include "common/testing/temporary_directory.h"

namespace ebla::tabletserver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

class PosixLogDiskTest : public ::testing::Test {
 protected:
  void Open() {
    auto opened = PosixLogDisk::Open(directory_.path() + "/log");
    ASSERT_TRUE(opened) << opened.error();
    disk_ = *std::move(opened);
  }
  std::vector<std::string> Files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path() + "/log"))
      names.push_back(entry.path().filename());
    return names;
  }

  testing::TemporaryDirectory directory_;
  std::unique_ptr<PosixLogDisk> disk_;
};

TEST_F(PosixLogDiskTest, ASegmentIsThereUntilItIsRemoved) {
  Open();
  const auto file = disk_->Create(0x1f, 8'192);
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(*(*file)->Size(), 8'192);
  ASSERT_TRUE((*file)->Write(4'000, "hello").ok());
  ASSERT_TRUE((*file)->Sync().ok());
  ASSERT_TRUE(disk_->Create(0x20, 8'192));
  Open();
  EXPECT_THAT(*disk_->List(), ElementsAre(0x1f, 0x20));
  EXPECT_EQ(*(*disk_->Open(0x1f))->Read(4'000, 5), "hello");
  EXPECT_EQ((*disk_->Open(0x1f))->Read(8'190, 50)->size(), 2u);
  ASSERT_TRUE(disk_->Remove(0x1f).ok());
  EXPECT_THAT(*disk_->List(), ElementsAre(0x20));
  EXPECT_THAT(disk_->Open(0x1f).error().message(), HasSubstr("000000000000001f.log: No such file"));
}

TEST_F(PosixLogDiskTest, TheRestOfABlockIsWrittenToo) {
  Open();
  ASSERT_TRUE((*disk_->Create(1, 10'000))->Write(0, std::string(10'000, 'x')).ok());
  const auto file = *disk_->Open(1);
  ASSERT_TRUE(file->Write(4'000, std::string(200, 'y')).ok());
  EXPECT_EQ(*file->Read(0, 10'000), std::string(4'000, 'x') + std::string(200, 'y') + std::string(8'192 - 4'200, '\0') +
                                        std::string(10'000 - 8'192, 'x'));
  ASSERT_TRUE(file->Write(4'200, std::string(8'192 - 4'200, 'z')).ok());
  ASSERT_TRUE(file->Write(8'192, "end").ok());
  EXPECT_EQ(*file->Read(4'100, 10'000),
            std::string(100, 'y') + std::string(8'192 - 4'200, 'z') + "end" + std::string(10'000 - 8'195, '\0'));
  EXPECT_EQ(*file->Size(), 10'000) << "no more than there was";
  ASSERT_TRUE(file->Write(9'990, std::string(20, 'w')).ok());
  EXPECT_EQ(*file->Size(), 10'010);
}

TEST_F(PosixLogDiskTest, ARemovedSegmentIsUsedAgainAlsoInALaterLife) {
  Open();
  ASSERT_TRUE(disk_->Create(1, 8'192));
  ASSERT_TRUE((*disk_->Open(1))->Write(0, "left").ok());
  ASSERT_TRUE(disk_->Remove(1).ok());
  Open();
  ASSERT_TRUE(disk_->Create(2, 4'096));
  EXPECT_EQ(*(*disk_->Open(2))->Read(0, 4), std::string(4, '\0')) << "it is of another size";
  ASSERT_TRUE(disk_->Create(3, 8'192));
  EXPECT_EQ(*(*disk_->Open(3))->Read(0, 4), "left");
}

TEST_F(PosixLogDiskTest, ASpareIsPreparedPieceByPiece) {
  Open();
  constexpr int64_t kBytes = (int64_t{2} << 20) + 4'096;
  int pieces = 1;
  while (*disk_->Prepare(kBytes)) ++pieces;
  EXPECT_EQ(pieces, 17);
  EXPECT_FALSE(*disk_->Prepare(kBytes)) << "one is enough";
  EXPECT_THAT(Files(), UnorderedElementsAre("spare-0"));
  const auto file = disk_->Create(1, kBytes);
  ASSERT_TRUE(file) << file.error();
  EXPECT_EQ(*(*file)->Size(), kBytes);
  EXPECT_THAT(Files(), UnorderedElementsAre("0000000000000001.log"));
}

TEST_F(PosixLogDiskTest, NoMoreSparesAreKeptThanAreOfUse) {
  Open();
  for (uint64_t number = 1; number <= 10; ++number) ASSERT_TRUE(disk_->Create(number, 4'096));
  for (uint64_t number = 1; number <= 10; ++number) ASSERT_TRUE(disk_->Remove(number).ok());
  EXPECT_EQ(Files().size(), PosixLogDisk::kSparesMax);
}

TEST_F(PosixLogDiskTest, AnUnusuallyLargeSegmentIsNoSpare) {
  Open();
  ASSERT_TRUE(disk_->Create(1, 4'096));
  ASSERT_TRUE(disk_->Create(2, 65'536));
  ASSERT_TRUE(disk_->Remove(1).ok());
  ASSERT_TRUE(disk_->Remove(2).ok());
  EXPECT_THAT(Files(), UnorderedElementsAre("spare-0"));
}

TEST_F(PosixLogDiskTest, SparesGoWhereTheirRoomIsNeeded) {
  Open();
  for (uint64_t number = 1; number <= 3; ++number) ASSERT_TRUE(disk_->Create(number, 4'096));
  for (uint64_t number = 1; number <= 2; ++number) ASSERT_TRUE(disk_->Remove(number).ok());
  ASSERT_TRUE(disk_->DropSpares().ok());
  EXPECT_THAT(Files(), UnorderedElementsAre("0000000000000003.log"));
  ASSERT_TRUE(disk_->Create(4, 4'096)) << "and a new one is made";
}

// A log that cannot open its next segment fails for good.
TEST_F(PosixLogDiskTest, AtTheLimitOfOpenFilesItTriesForAWhile) {
  Open();
  ASSERT_TRUE(disk_->Create(1, 4'096));
  rlimit limit{};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = limit.rlim_max};
  const std::function<Status()> opens[] = {
      [&] { return disk_->Open(1).error(); },
      [&] { return disk_->Create(2, 4'096).error(); },
      [&] { return disk_->Prepare(4'096).error(); },
  };
  for (const auto& open : opens) {
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    const auto begun = std::chrono::steady_clock::now();
    const Status refused = open();
    const auto took = std::chrono::steady_clock::now() - begun;
    ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    EXPECT_THAT(refused.message(), HasSubstr("Too many open files"));
    EXPECT_GE(took, std::chrono::milliseconds(500));
  }
  EXPECT_TRUE(disk_->Create(2, 4'096));
}

TEST_F(PosixLogDiskTest, ADirectoryThatCannotBeMadeIsNamed) {
  EXPECT_THAT(PosixLogDisk::Open("/proc/nowhere/log").error().message(),
              HasSubstr("cannot make the directory /proc/nowhere/log"));
}

}  // namespace
}  // namespace ebla::tabletserver
