// When the log is flushed on the caller's own thread, and when its fsync follows, by a clock that the test moves.
#include "tabletserver/storage/log_flusher.h"

#include <gtest/gtest.h>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/testing/hooked_log_disk.h"
#include "tabletserver/storage/testing/simulated_log_disk.h"

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

struct LivingOwner final : LogOwner {
  Status status() const override { return {}; }
  Status Fail(Status reason) override { return reason; }
  DiskRoom room() const override { return DiskRoom::kAll; }
  void NoteWritten(int64_t) override {}
};

class LogFlusherTest : public ::testing::Test {
 protected:
  void Write() {
    ReplicaState state;
    state.table = TableId{7};
    state.promised = Epoch{++written_};
    ASSERT_TRUE(log_.PutState(TabletId{1}, state).ok());
  }
  bool FlushAtOnce() {
    Write();
    const std::optional<Status> flushed = flusher_.FlushAtOnce();
    return flushed && flushed->ok();
  }

  ebla::testing::SimScheduler scheduler_{1};
  ebla::testing::SimExecutor executor_{scheduler_};
  LivingOwner owner_;
  SimulatedLogDisk disk_{1};
  HookedLogDisk hooks_{disk_};
  const std::unique_ptr<SharedLog> shared_ = *SharedLog::Open(hooks_);
  TabletLog log_{*shared_, owner_};
  LogFlusher flusher_{log_, executor_, 1s, [](TableId) { return true; }};
  uint64_t written_ = 0;
};

TEST_F(LogFlusherTest, WhatIsFlushedAtOnceIsSyncedWithinTheInterval) {
  const int64_t before = log_.syncs();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(FlushAtOnce());
  EXPECT_EQ(log_.syncs(), before);
  scheduler_.RunFor(1100ms);
  EXPECT_EQ(log_.syncs(), before + 1);
  scheduler_.RunFor(10s);
  EXPECT_EQ(log_.syncs(), before + 1) << "nothing came since";
}

TEST_F(LogFlusherTest, WhoHadToWaitForADiskFlushesNothingAtOnceForAWhile) {
  const auto slow_flush = [this] {
    hooks_.on_write = [this] { scheduler_.RunFor(20ms); };
    const bool flushed = FlushAtOnce();
    hooks_.on_write = nullptr;
    return flushed;
  };
  EXPECT_TRUE(slow_flush());
  scheduler_.RunFor(5s);
  EXPECT_TRUE(slow_flush()) << "the first may have lacked the processor";
  EXPECT_FALSE(FlushAtOnce());
  scheduler_.RunFor(11s);
  EXPECT_TRUE(slow_flush());
  EXPECT_FALSE(FlushAtOnce()) << "the disk is still as slow";
  scheduler_.RunFor(21s);
  EXPECT_TRUE(slow_flush());
  EXPECT_TRUE(FlushAtOnce());
}

TEST_F(LogFlusherTest, WhoeverAskedBeforeIsServedFirst) {
  Write();
  bool done = false;
  flusher_.Flush(FlushMode::kInterval, executor_, [&](const Status& status) { done = status.ok(); });
  EXPECT_FALSE(FlushAtOnce());
  scheduler_.RunFor(1ms);
  EXPECT_TRUE(done);
  EXPECT_TRUE(FlushAtOnce());
}

// The longer interval's timer does not go on beside the shorter one's.
TEST_F(LogFlusherTest, AShorterIntervalTakesTheLongerOnesPlace) {
  EXPECT_TRUE(FlushAtOnce());
  flusher_.SetInterval(TableId{7}, 1, 400ms);
  const int64_t before = log_.syncs();
  for (int i = 0; i < 39; ++i) {
    scheduler_.RunFor(100ms);
    EXPECT_TRUE(FlushAtOnce());
  }
  EXPECT_LE(log_.syncs() - before, 3900 / 400);
  EXPECT_GE(log_.syncs() - before, 3900 / 500);
}

TEST_F(LogFlusherTest, ASyncThatHangsShowsWhileItLasts) {
  hooks_.on_sync = [this] {
    scheduler_.RunFor(4s);
    EXPECT_EQ(flusher_.sync_times().under_way, 4s);
    EXPECT_EQ(flusher_.sync_times().slowest, 0s);
    scheduler_.RunFor(1s);
  };
  Write();
  flusher_.Flush(FlushMode::kSync, executor_, [](const Status&) {});
  scheduler_.RunFor(1ms);
  EXPECT_EQ(flusher_.sync_times().under_way, 0s);
  EXPECT_EQ(flusher_.sync_times().slowest, 5s);
  hooks_.on_sync = nullptr;
  scheduler_.RunFor(20s);
  Write();
  flusher_.Flush(FlushMode::kSync, executor_, [](const Status&) {});
  scheduler_.RunFor(1ms);
  EXPECT_EQ(flusher_.sync_times().slowest, 5s) << "the slowest of the last 30 seconds";
  scheduler_.RunFor(15s);
  EXPECT_EQ(flusher_.sync_times().slowest, 0s);
}

// Flushes to the operating system are no syncs.
TEST_F(LogFlusherTest, AnIntervalsFlushIsNotMeasured) {
  bool slow = true;
  hooks_.on_write = [&] {
    if (std::exchange(slow, false)) scheduler_.RunFor(500ms);  // its timer is due in a second
  };
  flusher_.SetInterval(TableId{7}, 1, 1h);
  Write();
  flusher_.Flush(FlushMode::kInterval, executor_, [](const Status&) {});
  scheduler_.RunFor(1ms);
  EXPECT_EQ(flusher_.sync_times().slowest, 0s);
}

TEST_F(LogFlusherTest, NoTimerOutlivesTheFlusher) {
  auto flusher = std::make_unique<LogFlusher>(log_, executor_, 1s, [](TableId) { return true; });
  Write();
  ASSERT_EQ(flusher->FlushAtOnce(), Status());
  flusher.reset();
  EXPECT_FALSE(scheduler_.Step()) << "its timer is due within a second";
}

TEST_F(LogFlusherTest, ARequestThatHasNotBegunGoesWithTheFlusher) {
  auto flusher = std::make_unique<LogFlusher>(log_, executor_, 1s, [](TableId) { return true; });
  Write();
  auto kept = std::make_shared<bool>(true);
  flusher->Flush(FlushMode::kSync, executor_, [kept](const Status&) { ADD_FAILURE() << "it was answered"; });
  const int64_t before = log_.syncs();
  flusher.reset();
  EXPECT_EQ(kept.use_count(), 1);
  scheduler_.RunFor(2s);
  EXPECT_EQ(log_.syncs(), before);
}

}  // namespace
}  // namespace ebla::tabletserver
