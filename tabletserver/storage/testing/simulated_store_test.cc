// The faults of a simulated store: checkpoints that take time, records that fail, flushes that are slow, disks that lie.
#include "tabletserver/storage/testing/simulated_store.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "common/testing/sim_executor.h"
#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

using namespace std::chrono_literals;

constexpr TableId kTable{7};
constexpr TabletId kTablet{70};

class SimulatedStoreTest : public ::testing::Test {
 protected:
  SimulatedStoreTest() {
    EXPECT_TRUE(store().EnsureTable(kTable, TableCompression::kNone).ok());
    ReplicaState state;
    state.table = kTable;
    state.promised = {1};
    EXPECT_TRUE(store().PutReplicaState(kTablet, state).ok());
  }
  TabletStore& store() { return **life_; }
  Status Write(uint64_t lsn) {
    const LogEntry entry = Entry(lsn, {Put("a", std::to_string(lsn))});
    EXPECT_TRUE(AppendOne(store(), kTablet, entry).ok());
    return ApplyOne(store(), kTablet, kTable, entry);
  }
  // The outcomes of checkpoints, in their order, and the position that each one holds.
  void BeginCheckpoint() {
    store().Checkpoint(executor_, [this](const Result<TabletStore::CheckpointResult>& result) {
      outcomes_.push_back(result ? Status() : result.error());
      if (result) held_.push_back(result->at(kTablet));
    });
  }
  void Crash() {
    life_.reset();
    disk_.Crash(SimulatedDisk::CrashKind::kProcess);
    life_ = std::make_unique<SimulatedStore>(disk_, executor_);
  }
  std::string Records() { return Dump(store(), kTable); }

  ebla::testing::SimScheduler scheduler_{1};
  ebla::testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_{TestSeed()};
  std::unique_ptr<SimulatedStore> life_ = std::make_unique<SimulatedStore>(disk_, executor_);
  std::vector<Status> outcomes_;
  std::vector<Lsn> held_;
};

TEST_F(SimulatedStoreTest, ACrashBeforeTheEndOfACheckpointLeavesTheOneBefore) {
  ASSERT_TRUE(Write(1).ok());
  BeginCheckpoint();
  scheduler_.RunFor(1ms);
  ASSERT_EQ(outcomes_, std::vector{Status()});
  disk_.SetCheckpointTime(100ms);
  ASSERT_TRUE(Write(2).ok());
  BeginCheckpoint();
  scheduler_.RunFor(50ms);
  EXPECT_TRUE(disk_.checkpointing());
  EXPECT_EQ(Records(), "a=2@2") << "it is read as ever";
  EXPECT_EQ(store().DropTable(kTable).code(), Code::kComeAgain) << "the checkpoint holds it";
  Crash();
  EXPECT_FALSE(disk_.checkpointing());
  EXPECT_EQ(Records(), "a=1@1");
  scheduler_.RunFor(200ms);
  EXPECT_EQ(outcomes_.size(), 1u) << "nobody is told in the next life";
  Crash();
  EXPECT_EQ(Records(), "a=1@1");
}

TEST_F(SimulatedStoreTest, ACheckpointHoldsWhatWasAppliedBeforeItBegan) {
  disk_.SetCheckpointTime(100ms);
  ASSERT_TRUE(Write(1).ok());
  BeginCheckpoint();
  scheduler_.RunFor(50ms);
  ASSERT_TRUE(Write(2).ok());
  scheduler_.RunFor(60ms);
  ASSERT_EQ(outcomes_, std::vector{Status()});
  EXPECT_EQ(held_, std::vector{Lsn{1}});
  Crash();
  EXPECT_EQ(Records(), "a=1@1");
}

TEST_F(SimulatedStoreTest, CheckpointsAreTakenOneAtATime) {
  disk_.SetCheckpointTime(100ms);
  ASSERT_TRUE(Write(1).ok());
  BeginCheckpoint();
  BeginCheckpoint();
  scheduler_.RunFor(150ms);
  EXPECT_EQ(outcomes_.size(), 1u);
  ASSERT_TRUE(Write(2).ok());
  scheduler_.RunFor(100ms);
  EXPECT_EQ(outcomes_, (std::vector{Status(), Status()}));
  EXPECT_EQ(disk_.checkpoints(), 2);
}

TEST_F(SimulatedStoreTest, RecordsThatFailChangeNothingUntilTheyAreTriedAgain) {
  ASSERT_TRUE(Write(1).ok());
  disk_.FailRecords(Status(Code::kOverloaded, "for now"));
  EXPECT_EQ(Write(2).code(), Code::kOverloaded);
  EXPECT_EQ(store().TruncateRange(kTable, {}).code(), Code::kOverloaded);
  EXPECT_EQ(store().ReplaceInterval(kTable, {}, {}).code(), Code::kOverloaded);
  EXPECT_EQ(store().DropTable(kTable).code(), Code::kOverloaded);
  EXPECT_EQ(store().EnsureTable(TableId{8}, TableCompression::kNone).code(), Code::kOverloaded);
  BeginCheckpoint();
  scheduler_.RunFor(1ms);
  EXPECT_EQ(outcomes_.back().code(), Code::kOverloaded);
  EXPECT_EQ(Records(), "a=1@1");
  EXPECT_EQ(store().Tables(), std::vector{kTable});
  EXPECT_TRUE(store().health().status.ok()) << "the store lives";
  disk_.FailRecords(Status::Ok());
  EXPECT_TRUE(ApplyOne(store(), kTablet, kTable, Entry(2, {Put("a", "2")})).ok());
  disk_.SetCheckpointTime(100ms);
  BeginCheckpoint();
  scheduler_.RunFor(50ms);
  disk_.FailRecords(Status(Code::kOverloaded, "for now"));
  scheduler_.RunFor(60ms);
  EXPECT_EQ(outcomes_.back().code(), Code::kOverloaded) << "as it ends";
  Crash();
  EXPECT_EQ(Records(), "") << "no checkpoint was ever durable";
  EXPECT_TRUE(store().EnsureTable(TableId{8}, TableCompression::kNone).ok()) << "the next life starts sound";
}

TEST_F(SimulatedStoreTest, SlowFlushesMakeLaterOnesWait) {
  disk_.SetSlowFlushes(/*one_of=*/1, 100ms, 100ms);
  std::vector<Status> flushed;
  const auto flush = [&] {
    store().Flush(FlushMode::kSync, executor_, [&](Status status) { flushed.push_back(std::move(status)); });
  };
  flush();
  scheduler_.RunFor(50ms);
  flush();
  scheduler_.RunFor(40ms);
  EXPECT_TRUE(flushed.empty());
  scheduler_.RunFor(20ms);
  EXPECT_EQ(flushed, (std::vector{Status(), Status()}));
  disk_.SetSlowFlushes(0, 0ms, 0ms);
  flush();
  scheduler_.RunFor(1ms);
  EXPECT_EQ(flushed.size(), 3u);
}

// ---- disks that lie ----

constexpr std::array kLosses = {SimulatedDisk::Loss::kCut, SimulatedDisk::Loss::kZero, SimulatedDisk::Loss::kOlder};

class LosingDiskTest : public SimulatedStoreTest {
 protected:
  LostReplicas& lost() { return store().lost_replicas(); }
  // One flush each.
  void WriteUpTo(uint64_t lsn) {
    while (written_ < lsn) {
      EXPECT_TRUE(Write(++written_).ok());
      EXPECT_TRUE(Flushed());
    }
  }
  bool Flushed() {
    std::optional<Status> flushed;
    store().Flush(FlushMode::kSync, executor_, [&flushed](Status status) { flushed = std::move(status); });
    return scheduler_.RunUntil([&] { return flushed.has_value(); }, 1s) && flushed->ok();
  }
  bool CrashAndLose(SimulatedDisk::Loss loss) {
    life_.reset();
    disk_.Crash(SimulatedDisk::CrashKind::kMachine);
    const bool lost = disk_.LoseEnd(loss);
    life_ = std::make_unique<SimulatedStore>(disk_, executor_);
    return lost;
  }
  // None: the disk has lost the replica's state, too.
  std::vector<RecoveredReplica> Recovered() {
    auto replicas = store().Recover();
    EXPECT_TRUE(replicas.has_value());
    return std::move(*replicas);
  }
  uint64_t LastLogged() {
    const std::vector<RecoveredReplica> replicas = Recovered();
    return replicas.empty() ? 0 : replicas[0].last_logged.lsn.value;
  }

  uint64_t written_ = 0;
};

TEST_F(LosingDiskTest, AStartTellsWhatTheDiskLostUntilACheckpointFollowsTheMarks) {
  for (const SimulatedDisk::Loss loss : kLosses) {
    WriteUpTo(written_ + 30);
    scheduler_.RunFor(1s);  // the end is noted
    ASSERT_TRUE(CrashAndLose(loss));
    ASSERT_TRUE(lost().loss().has_value());
    EXPECT_LE(lost().loss()->from, lost().loss()->through);
    const uint64_t left = LastLogged();
    EXPECT_LE(left, written_);
    Crash();
    EXPECT_TRUE(lost().loss().has_value()) << "no replica is marked";
    EXPECT_EQ(LastLogged(), left);
    std::vector<RecoveredReplica> replicas = Recovered();
    ASSERT_TRUE(lost().Mark(replicas).ok());
    Crash();
    EXPECT_TRUE(lost().loss().has_value()) << "no checkpoint has what the marks removed";
    replicas = Recovered();
    ASSERT_TRUE(lost().Mark(replicas).ok());
    std::optional<bool> done;
    store().Checkpoint(executor_, [&done](const auto& result) { done = result.has_value(); });
    ASSERT_TRUE(scheduler_.RunUntil([&] { return done.has_value(); }, 1s) && *done);
    ASSERT_TRUE(Flushed());
    Crash();
    EXPECT_FALSE(lost().loss().has_value());
    for (const RecoveredReplica& replica : Recovered())
      EXPECT_TRUE(replica.state.lost || !replica.state.present()) << "neither marked nor forgotten";
    ASSERT_TRUE(store().ForgetReplica(kTablet).ok());
    written_ = 0;
  }
}

TEST_F(LosingDiskTest, NoStartSeesThatAWholeDiskIsAsItWasBefore) {
  WriteUpTo(30);
  disk_.Remember();
  WriteUpTo(60);
  scheduler_.RunFor(1s);
  EXPECT_TRUE(CrashAndLose(SimulatedDisk::Loss::kAll));
  EXPECT_FALSE(lost().loss().has_value());
  EXPECT_EQ(LastLogged(), 30u);
  EXPECT_FALSE(CrashAndLose(SimulatedDisk::Loss::kAll)) << "it remembers one moment of one life";
}

TEST_F(LosingDiskTest, WhatWasNotNotedIsNeverLost) {
  WriteUpTo(30);  // in less time than passes between two notes
  EXPECT_FALSE(CrashAndLose(SimulatedDisk::Loss::kCut));
  EXPECT_FALSE(lost().loss().has_value());
  EXPECT_EQ(LastLogged(), 30u);
}

TEST_F(LosingDiskTest, ACrashAloneIsNoLoss) {
  for (int i = 0; i < 200; ++i) {
    WriteUpTo(written_ + scheduler_.Random(20));
    scheduler_.RunFor(std::chrono::milliseconds(scheduler_.Random(800)));
    life_.reset();
    disk_.Crash(scheduler_.Random(2) == 0 ? SimulatedDisk::CrashKind::kProcess : SimulatedDisk::CrashKind::kMachine);
    life_ = std::make_unique<SimulatedStore>(disk_, executor_);
    ASSERT_FALSE(lost().loss().has_value()) << Describe(*lost().loss());
    EXPECT_EQ(LastLogged(), written_);
  }
}

// A store that has lost its log, or another file of it than the last, does not open.
TEST(LosingDisk, ALogThatLacksWholeFilesIsRefused) {
  SimulatedLogDisk disk(TestSeed());
  std::optional<LogExtent> had;
  {
    const auto log = SharedLog::Open(disk, {.segment_bytes = 8 << 10, .new_log_id = 1});
    ASSERT_TRUE(log.has_value());
    for (int i = 0; i < 40; ++i) {
      ASSERT_TRUE((*log)->Put("key " + std::to_string(i), std::string(500, 'v')).ok());
      ASSERT_TRUE((*log)->Flush(SharedLog::Depth::kDisk).ok());
    }
    had = (*log)->extent();
  }
  ASSERT_GT(had->last_segment, had->first_segment + 1);
  const auto opens = [&](const std::vector<uint64_t>& forgotten) {
    const std::unique_ptr<SimulatedLogDisk> copy = disk.Copy();
    for (const uint64_t number : forgotten) copy->Forget(number);
    return SharedLog::Open(*copy, {.segment_bytes = 8 << 10, .new_log_id = 2, .expected = had, .joins_short = true})
        .has_value();
  };
  std::vector<uint64_t> all;
  for (uint64_t number = had->first_segment; number <= had->last_segment; ++number) {
    all.push_back(number);
    EXPECT_FALSE(opens({number})) << number;
  }
  EXPECT_FALSE(opens(all));
  EXPECT_TRUE(opens({}));
}

}  // namespace
}  // namespace ebla::tabletserver::testing
