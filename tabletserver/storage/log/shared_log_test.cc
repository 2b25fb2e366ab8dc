// The log of a server as its users see it, over a disk in memory and over files.
#include "tabletserver/storage/log/shared_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "common/testing/temporary_directory.h"
#include "tabletserver/storage/log/posix_log_disk.h"
#include "tabletserver/storage/testing/hooked_log_disk.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Depth = SharedLog::Depth;

constexpr TabletId kLogged{3};

std::vector<std::string> ReadAll(const SharedLog& log, TabletId tablet, Lsn from = Lsn{0}) {
  std::vector<std::string> entries;
  const Status read = log.Read(tablet, from, [&](Lsn lsn, std::string_view entry) {
    entries.push_back(std::to_string(lsn.value) + ":" + std::string(entry));
    return true;
  });
  EXPECT_TRUE(read.ok()) << read;
  return entries;
}

class SharedLogTest : public ::testing::Test {
 protected:
  void Open(SharedLogOptions options = {.segment_bytes = 64 << 10}) {
    log_.reset();
    auto opened = SharedLog::Open(disk_, std::move(options));
    ASSERT_TRUE(opened) << opened.error();
    log_ = *std::move(opened);
  }
  Status Append(Lsn first, std::vector<std::string_view> entries, TabletId tablet = kLogged) {
    const SharedLog::Batch batch{tablet, first, std::move(entries)};
    return log_->Append({&batch, 1});
  }

  SimulatedLogDisk disk_{1};
  std::unique_ptr<SharedLog> log_;
};

TEST_F(SharedLogTest, WhatIsAppendedIsReadAtOnceAndAfterAStart) {
  Open();
  ASSERT_TRUE(Append(Lsn{7}, {"a", "", "c"}).ok());
  ASSERT_TRUE(Append(Lsn{10}, {"d"}).ok());
  ASSERT_TRUE(log_->Put("state", "one").ok());
  ASSERT_TRUE(log_->Put("state", "two").ok());
  for (int life = 0; life < 3; ++life) {
    EXPECT_THAT(ReadAll(*log_, kLogged), ElementsAre("7:a", "8:", "9:c", "10:d"));
    EXPECT_THAT(ReadAll(*log_, kLogged, Lsn{9}), ElementsAre("9:c", "10:d"));
    EXPECT_THAT(ReadAll(*log_, TabletId{99}), IsEmpty());
    EXPECT_EQ(log_->Bounds(kLogged).first, Lsn{7});
    EXPECT_EQ(log_->Bounds(kLogged).last, Lsn{10});
    EXPECT_EQ(**log_->Get("state"), "two");
    EXPECT_EQ(log_->KeyAfter(""), "state");
    EXPECT_FALSE(log_->KeyAfter("state"));
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    Open();
  }
}

TEST_F(SharedLogTest, AnAppendThatDoesNotContinueTheLogIsRefusedWhole) {
  Open();
  ASSERT_TRUE(Append(Lsn{1}, {"a"}).ok());
  EXPECT_THAT(Append(Lsn{1}, {"b"}).message(), HasSubstr("the log of tablet 3 ends with 1, not before 1"));
  EXPECT_FALSE(Append(Lsn{3}, {"b"}).ok());
  const std::vector<SharedLog::Batch> both = {{TabletId{4}, Lsn{1}, {"x"}}, {kLogged, Lsn{9}, {"y"}}};
  EXPECT_FALSE(log_->Append(both).ok());
  EXPECT_THAT(ReadAll(*log_, TabletId{4}), IsEmpty());
  EXPECT_TRUE(log_->status().ok()) << "nothing is wrong with the log";
}

TEST_F(SharedLogTest, AnEntryLargerThanASegmentGetsALargerOne) {
  Open({.segment_bytes = 16 << 10});
  const std::string large(100'000, 'x');
  ASSERT_TRUE(Append(Lsn{1}, {"a"}).ok());
  ASSERT_TRUE(Append(Lsn{2}, {large}).ok());
  ASSERT_TRUE(Append(Lsn{3}, {"c"}).ok());
  for (int life = 0; life < 2; ++life) {
    EXPECT_THAT(ReadAll(*log_, kLogged), ElementsAre("1:a", "2:" + large, "3:c"));
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    Open({.segment_bytes = 16 << 10});
  }
}

TEST_F(SharedLogTest, SegmentsGoOnceNothingInThemCounts) {
  Open({.segment_bytes = 16 << 10, .tail_bytes = 0});
  const std::string kilobyte(1'000, 'x');
  uint64_t lsn = 1;
  ASSERT_TRUE(log_->Put("state", "kept").ok());
  ASSERT_TRUE(Append(Lsn{1}, {"quiet"}, TabletId{9}).ok());
  for (int round = 0; round < 20; ++round) {
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(Append(Lsn{lsn++}, {kilobyte}).ok());
    ASSERT_TRUE(log_->CutStart(kLogged, Lsn{lsn - 3}).ok());
    ASSERT_TRUE(log_->Flush(Depth::kSystem).ok());
    ASSERT_TRUE(log_->Clean().ok());
    EXPECT_LE(log_->bytes(), 5 * (16 << 10)) << "round " << round;
  }
  EXPECT_FALSE(disk_.Has(1));
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(ReadAll(*log_, kLogged).size(), 3u);
    EXPECT_THAT(ReadAll(*log_, TabletId{9}), ElementsAre("1:quiet")) << "it was moved on";
    EXPECT_EQ(**log_->Get("state"), "kept");
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    Open({.segment_bytes = 16 << 10});
  }
}

TEST_F(SharedLogTest, WhatIsFlushedAtOnceOutlivesTheProcess) {
  Open();
  ASSERT_TRUE(Append(Lsn{1}, {"a", "b"}).ok());
  EXPECT_TRUE(log_->FlushAtOnce().value().ok());
  ASSERT_TRUE(Append(Lsn{3}, {"c"}).ok());
  Open();
  EXPECT_THAT(ReadAll(*log_, kLogged), ElementsAre("1:a", "2:b"));
}

TEST_F(SharedLogTest, NothingIsFlushedAtOnceThatTakesTheDisk) {
  const std::string large(200 << 10, 'x');
  Open();
  ASSERT_TRUE(Append(Lsn{1}, {"a"}).ok());
  EXPECT_TRUE(log_->FlushAtOnce());
  ASSERT_TRUE(Append(Lsn{2}, {large}).ok());
  EXPECT_FALSE(log_->FlushAtOnce()) << "a segment begins";
  ASSERT_TRUE(log_->Flush(Depth::kSystem).ok());
  Open({.segment_bytes = 2 << 20});
  for (const uint64_t lsn : {3, 4}) {
    ASSERT_TRUE(Append(Lsn{lsn}, {large}).ok());
    EXPECT_TRUE(log_->FlushAtOnce()) << lsn;
  }
  ASSERT_TRUE(Append(Lsn{5}, {large}).ok());
  EXPECT_FALSE(log_->FlushAtOnce()) << "the kernel may write meanwhile";
  ASSERT_TRUE(log_->Flush(Depth::kSystem).ok());
  ASSERT_TRUE(Append(Lsn{6}, {large}).ok());
  EXPECT_TRUE(log_->FlushAtOnce());
  Open();
  EXPECT_EQ(ReadAll(*log_, kLogged).size(), 6u);
}

TEST(SharedLogFlushTest, NobodyWaitsForASyncToFlushAtOnce) {
  SimulatedLogDisk behind{1};
  HookedLogDisk disk(behind);
  const auto log = *SharedLog::Open(disk);
  const std::string_view entry = "a";
  const SharedLog::Batch batch{kLogged, Lsn{1}, {entry}};
  ASSERT_TRUE(log->Append({&batch, 1}).ok());
  size_t asked = 0;
  disk.on_sync = [&] {
    std::thread other([&] { EXPECT_FALSE(log->FlushAtOnce()); });
    other.join();
    ++asked;
  };
  ASSERT_TRUE(log->Flush(Depth::kDisk).ok());
  EXPECT_GT(asked, 0u);
  EXPECT_TRUE(log->FlushAtOnce().value().ok()) << "there is nothing to write";
}

TEST_F(SharedLogTest, AfterAFailedSyncItAnswersNothingElse) {
  Open();
  ASSERT_TRUE(Append(Lsn{1}, {"a"}).ok());
  disk_.FailNext(SimulatedLogDisk::Failure::kSync);
  EXPECT_THAT(log_->Flush(Depth::kDisk).message(), HasSubstr("the disk says no"));
  for (const Status& after : {log_->Flush(Depth::kDisk), Append(Lsn{2}, {"b"}), log_->Put("a", "b"), log_->Clean(),
                              log_->CutEnd(kLogged, Lsn{1}), log_->status()})
    EXPECT_THAT(after.message(), HasSubstr("the disk says no"));
}

// On Linux the pages of a failed sync stay readable, and the next sync succeeds without them.
TEST_F(SharedLogTest, AStartBelievesTheDiskAndNotWhatAFailedSyncHasLeft) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(seed);
    SimulatedLogDisk disk(seed);
    const auto start = [&](std::optional<LogExtent> expected) {
      log_.reset();
      auto opened = SharedLog::Open(disk, {.segment_bytes = 64 << 10, .expected = expected});
      ASSERT_TRUE(opened) << opened.error();
      log_ = *std::move(opened);
    };
    ASSERT_NO_FATAL_FAILURE(start(std::nullopt));
    ASSERT_TRUE(Append(Lsn{1}, {"synced"}).ok());
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    for (uint64_t lsn = 2; lsn <= 6; ++lsn) {
      ASSERT_TRUE(Append(Lsn{lsn}, {"handed to the system"}).ok());
      ASSERT_TRUE(log_->Flush(Depth::kSystem).ok());
    }
    const LogExtent had = log_->extent();
    disk.FailNext(SimulatedLogDisk::Failure::kLostSync);
    EXPECT_FALSE(log_->Flush(Depth::kDisk).ok());
    ASSERT_NO_FATAL_FAILURE(start(had));
    EXPECT_EQ(log_->counts().lost_unsynced, log_->Bounds(kLogged).last < Lsn{6});
    lost += log_->counts().lost_unsynced ? 1 : 0;
    ASSERT_TRUE(Append(log_->Bounds(kLogged).last.Next(), {"synced, too"}).ok());
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
    const std::vector<std::string> claimed = ReadAll(*log_, kLogged);
    const LogExtent claim = log_->extent();
    disk.CrashNow(SimulatedLogDisk::CrashKind::kMachine);
    disk.Restart();
    ASSERT_NO_FATAL_FAILURE(start(claim));
    EXPECT_EQ(ReadAll(*log_, kLogged), claimed);
    EXPECT_FALSE(log_->counts().lost_unsynced);
    log_.reset();
  }
  EXPECT_GT(lost, 10);
}

TEST_F(SharedLogTest, DamageBeforeTheEndIsNamedAndNothingIsPassedOver) {
  Open({.segment_bytes = 16 << 10});
  for (uint64_t lsn = 1; lsn <= 30; ++lsn) {
    ASSERT_TRUE(Append(Lsn{lsn}, {std::string(1'000, 'x')}).ok());
    ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  }
  log_.reset();
  disk_.Damage(1, 3 * kLogBlock + 200);
  auto opened = SharedLog::Open(disk_, {});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), HasSubstr("segment 1 is damaged at byte 9248: frame 3 is not whole"));
  disk_.Damage(1, 3 * kLogBlock + 200);
  ASSERT_TRUE(SharedLog::Open(disk_, {})) << "as it was";
  ASSERT_TRUE(disk_.Remove(2).ok());
  opened = SharedLog::Open(disk_, {});
  ASSERT_FALSE(opened);
  EXPECT_THAT(opened.error().message(), HasSubstr("segment 2 is missing, and the log needs it: put it back"));
}

TEST_F(SharedLogTest, DamageThatIsFoundByAReadIsAnErrorOfThatRead) {
  Open({.segment_bytes = 64 << 10, .tail_bytes = 0});
  ASSERT_TRUE(Append(Lsn{1}, {"abc"}).ok());
  ASSERT_TRUE(log_->Flush(Depth::kDisk).ok());
  disk_.Damage(1, kLogBlock + kFrameHeader + kRecordHeader + 4);
  const Status read = log_->Read(kLogged, Lsn{1}, [](Lsn, std::string_view) { return true; });
  EXPECT_THAT(read.message(), HasSubstr("segment 1 is damaged at byte 4136: a record is not whole"));
}

// Files, with everybody at once.
TEST(SharedLogThreadsTest, ReadersFindEveryEntryWhileOthersAppendFlushAndClean) {
  const testing::TemporaryDirectory directory;
  auto disk = PosixLogDisk::Open(directory.path() + "/log");
  ASSERT_TRUE(disk) << disk.error();
  auto opened = SharedLog::Open(**disk, {.segment_bytes = 64 << 10, .tail_bytes = 16 << 10});
  ASSERT_TRUE(opened) << opened.error();
  SharedLog& log = **opened;
  constexpr uint64_t kEntries = 3'000, kKept = 100;
  constexpr int kWriters = 3;
  std::atomic<int> writing{kWriters};
  std::atomic<int64_t> read{0};
  std::vector<std::jthread> threads;
  for (int writer = 1; writer <= kWriters; ++writer) {
    threads.emplace_back([&, tablet = TabletId{static_cast<uint64_t>(writer)}] {
      for (uint64_t lsn = 1; lsn <= kEntries; ++lsn) {
        // A writer waits for the first read: on a busy machine it could otherwise end before any.
        while (lsn > kKept && read == 0) std::this_thread::yield();
        const std::string entry = std::to_string(lsn) + std::string(lsn % 200, '.');
        const SharedLog::Batch batch{tablet, Lsn{lsn}, {entry}};
        ASSERT_TRUE(log.Append({&batch, 1}).ok());
        ASSERT_TRUE(log.Put("state " + std::to_string(tablet.value), entry).ok());
        if (lsn <= kKept) continue;
        ASSERT_TRUE(log.CutStart(tablet, Lsn{lsn - kKept}).ok());
      }
      --writing;
    });
  }
  threads.emplace_back([&] {
    while (writing > 0) {
      ASSERT_TRUE(log.Flush(Depth::kSystem).ok());
      ASSERT_TRUE(log.Clean().ok());
    }
  });
  while (writing > 0) {
    for (uint64_t tablet = 1; tablet <= kWriters; ++tablet) {
      const Status status = log.Read(TabletId{tablet}, Lsn{0}, [&](Lsn lsn, std::string_view entry) {
        EXPECT_TRUE(entry.starts_with(std::to_string(lsn.value))) << lsn << ": " << entry;
        return ++read > 0;
      });
      ASSERT_TRUE(status.ok()) << status;
      const auto state = log.Get("state " + std::to_string(tablet));
      ASSERT_TRUE(state) << state.error();
    }
  }
  threads.clear();
  EXPECT_GT(read, 0);
  ASSERT_TRUE(log.Flush(Depth::kDisk).ok());
  opened->reset();
  opened = SharedLog::Open(**disk, {.segment_bytes = 64 << 10});
  ASSERT_TRUE(opened) << opened.error();
  for (uint64_t tablet = 1; tablet <= kWriters; ++tablet)
    EXPECT_EQ(ReadAll(**opened, TabletId{tablet}).size(), kKept + 1);
}

}  // namespace
}  // namespace ebla::tabletserver
