// A damaged log, of which a salvage reads each frame that is whole.
#include "tabletserver/storage/log/log_salvage.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tabletserver/storage/log/shared_log.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Depth = SharedLog::Depth;

constexpr int64_t kSegmentBytes = 64 << 10;
constexpr TabletId kLogged{3};

std::vector<uint64_t> LsnsIn(const SharedLog& log) {
  std::vector<uint64_t> lsns;
  const Status read = log.Read(kLogged, Lsn{0}, [&](Lsn lsn, std::string_view entry) {
    EXPECT_THAT(entry, HasSubstr("entry " + std::to_string(lsn.value)));
    lsns.push_back(lsn.value);
    return true;
  });
  EXPECT_TRUE(read.ok()) << read;
  return lsns;
}

class LogSalvageTest : public ::testing::Test {
 protected:
  static std::unique_ptr<SharedLog> Open(SimulatedLogDisk& disk) {
    auto log = SharedLog::Open(disk, {.segment_bytes = kSegmentBytes});
    EXPECT_TRUE(log) << log.error();
    return *std::move(log);
  }
  static Status Append(SharedLog& log, uint64_t lsn, const std::string& more = "") {
    const std::string entry = "entry " + std::to_string(lsn) + more;
    const SharedLog::Batch batch{kLogged, Lsn{lsn}, {entry}};
    return log.Append({&batch, 1});
  }
  // Entries with the lsns 1 to `count`. Each of them is the one of its frame, which begins a block.
  void Fill(uint64_t count, size_t entry_bytes = 0) {
    const auto log = Open(disk_);
    for (uint64_t lsn = 1; lsn <= count; ++lsn) {
      ASSERT_TRUE(Append(*log, lsn, std::string(entry_bytes, 'x')).ok());
      ASSERT_TRUE(log->Flush(Depth::kDisk).ok());
    }
    extent_ = log->extent();
  }
  std::unique_ptr<SharedLog> Salvage(SimulatedLogDisk& disk, bool knows_extent = true) {
    holes_.clear();
    SharedLogOptions options{.segment_bytes = kSegmentBytes, .salvage = &holes_};
    if (knows_extent) options.expected = extent_;
    auto log = SharedLog::Open(disk, options);
    EXPECT_TRUE(log) << log.error();
    return *std::move(log);
  }
  static std::vector<uint64_t> AllBut(uint64_t count, uint64_t from, uint64_t through) {
    std::vector<uint64_t> lsns;
    for (uint64_t lsn = 1; lsn <= count; ++lsn) {
      if (lsn < from || lsn > through) lsns.push_back(lsn);
    }
    return lsns;
  }

  SimulatedLogDisk disk_{1};
  LogExtent extent_;
  std::vector<LogLoss> holes_;
};

TEST_F(LogSalvageTest, AFrameThatIsDamagedIsMissedAlone) {
  constexpr uint64_t kCount = 10;
  Fill(kCount);
  for (uint64_t damaged = 1; damaged <= kCount; ++damaged) {
    const auto disk = disk_.Copy();
    disk->Damage(1, static_cast<int64_t>(damaged) * kLogBlock + 20);
    EXPECT_FALSE(SharedLog::Open(*disk->Copy(), {.segment_bytes = kSegmentBytes, .expected = extent_}));
    const auto log = Salvage(*disk);
    EXPECT_EQ(LsnsIn(*log), AllBut(kCount, damaged, damaged));
    ASSERT_THAT(holes_, SizeIs(1));
    EXPECT_EQ(holes_.front().from, damaged);
    EXPECT_EQ(holes_.front().through, damaged);
  }
}

TEST_F(LogSalvageTest, AWholeLogHasNoHole) {
  Fill(60);
  for (const bool knows_extent : {false, true}) {
    const auto disk = disk_.Copy();
    const auto log = Salvage(*disk, knows_extent);
    EXPECT_EQ(LsnsIn(*log), AllBut(60, 0, 0));
    EXPECT_THAT(holes_, IsEmpty());
    ASSERT_TRUE(Append(*log, 61).ok());
    ASSERT_TRUE(log->Flush(Depth::kDisk).ok());
  }
}

TEST_F(LogSalvageTest, ASegmentThatIsGoneIsNamed) {
  Fill(60, 2000);
  ASSERT_GE(extent_.last_segment, 4u);
  for (uint64_t gone = 1; gone <= extent_.last_segment; ++gone) {
    const auto disk = disk_.Copy();
    disk->Forget(gone);
    const auto log = Salvage(*disk);
    ASSERT_THAT(holes_, SizeIs(1)) << gone;
    const LogLoss& hole = holes_.front();
    EXPECT_THAT(DescribeHole(hole), HasSubstr("segment " + std::to_string(gone) + " is missing"));
    EXPECT_EQ(LsnsIn(*log), AllBut(60, hole.from, hole.through));
  }
}

TEST_F(LogSalvageTest, WithoutItsHeaderASegmentIsReadAllTheSame) {
  Fill(60, 2000);
  for (uint64_t segment = 1; segment <= extent_.last_segment; ++segment) {
    const auto disk = disk_.Copy();
    disk->Damage(segment, 10);
    const auto log = Salvage(*disk);
    EXPECT_EQ(LsnsIn(*log), AllBut(60, 0, 0)) << segment;
    EXPECT_THAT(holes_, IsEmpty());
  }
}

TEST_F(LogSalvageTest, AnEndThatIsCutIsNamed) {
  Fill(10);
  disk_.Lose(1, 6 * kLogBlock, SimulatedLogDisk::Loss::kCut);
  const auto log = Salvage(disk_);
  EXPECT_EQ(LsnsIn(*log), AllBut(10, 6, 10));
  ASSERT_THAT(holes_, SizeIs(1));
  EXPECT_EQ(holes_.front().offset, 5 * kLogBlock + 64);
  EXPECT_EQ(holes_.front().through, 10u);
}

// Frames 2 and 3 were never on the disk for certain, so a start continues after frame 1, and numbers its own from 2.
TEST_F(LogSalvageTest, FramesThatACrashHasLeftBehindAreNotRead) {
  Fill(1);
  {
    const auto log = Open(disk_);
    ASSERT_TRUE(Append(*log, 2).ok());
    ASSERT_TRUE(log->Flush(Depth::kSystem).ok());
    ASSERT_TRUE(Append(*log, 3).ok());
    ASSERT_TRUE(log->Flush(Depth::kSystem).ok());
  }
  ASSERT_TRUE((*disk_.Open(2))->Sync().ok());  // without the log's knowledge
  disk_.Damage(2, kLogBlock + 20);
  {
    const auto disk = disk_.Copy();
    const auto log = Salvage(*disk);
    EXPECT_THAT(LsnsIn(*log), ElementsAre(1));
    EXPECT_THAT(holes_, IsEmpty()) << "a crash leaves that";
  }
  {
    const auto log = Open(disk_);
    EXPECT_THAT(LsnsIn(*log), ElementsAre(1));
    ASSERT_TRUE(Append(*log, 2, " again").ok());
    ASSERT_TRUE(log->Flush(Depth::kDisk).ok());
    extent_ = log->extent();
  }
  const auto log = Salvage(disk_);
  EXPECT_THAT(LsnsIn(*log), ElementsAre(1, 2));
  EXPECT_THAT(holes_, IsEmpty());
}

}  // namespace
}  // namespace ebla::tabletserver
