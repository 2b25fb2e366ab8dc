// The order between the log and the records, which no part of a store sees alone.
#include "tabletserver/storage/tablet_store.h"

#include <gtest/gtest.h>

#include "tabletserver/storage/in_memory/in_memory_store.h"
#include "tabletserver/storage/testing/simulated_store.h"
#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr TableId kTable{7};
constexpr TabletId kTablet{70};

// Between the two, a follower of the log must not take an applied entry for one that was never committed.
TEST(AppliedPositionsTest, WhatWasAppliedLastIsKnownUntilTheLogHasItsCut) {
  AppliedPositions positions;
  ApplyBatch batch;
  batch.tablet = kTablet;
  batch.state.applied = {Epoch{1}, Lsn{9}};
  positions.Note({&batch, 1});
  EXPECT_EQ(positions.Forget(kTablet), Lsn{9});
  EXPECT_EQ(positions.Last(kTablet), Lsn{9});
  EXPECT_TRUE(positions.All().empty());
  positions.ForgetLast(kTablet);
  EXPECT_EQ(positions.Last(kTablet), Lsn{});
}

class TabletStoreTest : public ::testing::Test {
 protected:
  TabletStoreTest() {
    EXPECT_TRUE(store().EnsureTable(kTable, TableCompression::kNone).ok());
    EXPECT_TRUE(store().PutReplicaState(kTablet, Promised(1)).ok());
    EXPECT_TRUE(FlushNow(store()).ok());
  }
  TabletStore& store() { return **life_; }
  void CrashOfTheMachine() {
    life_.reset();
    disk_.Crash(SimulatedDisk::CrashKind::kMachine);
    life_ = std::make_unique<SimulatedStore>(disk_, executor_);
  }
  static ReplicaState Promised(uint64_t epoch) {
    ReplicaState state;
    state.table = kTable;
    state.promised = {epoch};
    return state;
  }

  SimulatedDisk disk_{TestSeed()};
  ebla::testing::ThreadExecutor executor_;
  std::unique_ptr<SimulatedStore> life_ = std::make_unique<SimulatedStore>(disk_, executor_);
};

// The test asks for no flush of the entry.
TEST_F(TabletStoreTest, ACheckpointHoldsNoMoreThanTheLogOnTheDisk) {
  const LogEntry entry = Entry(1, {Put("a", "1")});
  ASSERT_TRUE(AppendOne(store(), kTablet, entry).ok());
  ASSERT_TRUE(ApplyOne(store(), kTablet, kTable, entry).ok());
  ASSERT_TRUE(CheckpointNow(store()));
  CrashOfTheMachine();
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.1 of [\"\", \"\") log 1.1..1.1 window 9/1\n");
}

TEST_F(TabletStoreTest, StatesAreOnTheDiskBeforeTheRecordsThatTheyExplainChange) {
  const std::vector<std::function<Status()>> changes = {
      [this] { return ApplyOne(store(), kTablet, kTable, Entry(1, {Put("a", "1")})); },
      [this] { return store().TruncateRange(kTable, {}); }, [this] { return store().ReplaceInterval(kTable, {}, {}); },
      [this] { return store().ForgetReplica(kTablet); }, [this] { return store().DropTable(kTable); }};
  uint64_t epoch = 1;
  for (const auto& change : changes) {
    ASSERT_TRUE(store().PutReplicaState(kTablet, Promised(++epoch)).ok());
    ASSERT_TRUE(change().ok()) << epoch;
    CrashOfTheMachine();
    const auto replicas = store().Recover();
    ASSERT_TRUE(replicas && replicas->size() == 1);
    EXPECT_EQ(replicas->front().state.promised, Epoch{epoch});
  }
}

// Its log is in memory, though others of the same server are on the disk.
TEST_F(TabletStoreTest, ADeadDiskRefusesTabletsInMemoryToo) {
  InMemoryStore in_memory;
  life_.reset();
  life_ = std::make_unique<SimulatedStore>(disk_, executor_, SimulatedStore::Options{.memory = &in_memory});
  constexpr TableId kMemoryTable{8};
  constexpr TabletId kInMemory{80};
  in_memory.Ensure(kMemoryTable, 1, {});
  ReplicaState state = Promised(1);
  state.table = kMemoryTable;
  ASSERT_TRUE(store().PutReplicaState(kInMemory, state).ok());
  ASSERT_TRUE(AppendOne(store(), kInMemory, Entry(1)).ok());
  EXPECT_FALSE(store().FirstLogged(kTablet));
  disk_.log_disk().FailNext(SimulatedLogDisk::Failure::kSync);
  ASSERT_EQ(FlushNow(store()).code(), Code::kInternal);
  EXPECT_EQ(AppendOne(store(), kInMemory, Entry(2)).code(), Code::kInternal);
  EXPECT_EQ(ApplyOne(store(), kInMemory, kMemoryTable, Entry(1)).code(), Code::kInternal);
  EXPECT_EQ(DumpLog(store(), kInMemory), "1.1");
  life_.reset();
}

TEST(LyingDiskTest, ASyncIsDoneWithTheNext) {
  int lost = 0;
  for (uint64_t seed = 1; seed <= 32; ++seed) {
    SimulatedLogDisk disk{seed};
    disk.Lie();
    const auto file = *disk.Create(1, 2 * SimulatedLogDisk::kSector);
    ASSERT_TRUE(file->Write(0, "one").ok() && file->Sync().ok());
    ASSERT_TRUE(file->Write(SimulatedLogDisk::kSector, "two").ok() && file->Sync().ok());
    disk.CrashNow(SimulatedLogDisk::CrashKind::kMachine);
    EXPECT_EQ(*file->Read(0, 3), "one");
    if (*file->Read(SimulatedLogDisk::kSector, 3) != "two") ++lost;
  }
  EXPECT_GT(lost, 0);
}

}  // namespace
}  // namespace ebla::tabletserver::testing
