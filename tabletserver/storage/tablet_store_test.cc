// The order between the log and the records, which no part of a store sees alone.
#include "tabletserver/storage/tablet_store.h"

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <utility>

#include "common/testing/sim_executor.h"
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

// The state of a lost replica is readable by builds that know no such thing, so its mark is a value of its own.
TEST_F(TabletStoreTest, ALostReplicaStaysSoUntilAStateSaysOtherwise) {
  const auto recovered = [this] { return store().Recover().value().at(0).state; };
  ASSERT_TRUE(AppendOne(store(), kTablet, Entry(1, {})).ok());
  auto replicas = store().Recover().value();
  ASSERT_TRUE(store().lost_replicas().Mark(replicas).ok());
  EXPECT_TRUE(replicas.at(0).state.lost);
  for (int life = 0; life < 2; ++life) {
    CrashOfTheMachine();
    EXPECT_TRUE(recovered().lost);
    EXPECT_EQ(store().lost_replicas().forgot_below(), TabletId{UINT64_MAX});
  }
  ReplicaState state = recovered();
  state.promised = Epoch{7};
  ASSERT_TRUE(store().PutReplicaState(kTablet, state).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  CrashOfTheMachine();
  EXPECT_TRUE(recovered().lost);
  EXPECT_EQ(recovered().promised, Epoch{7});
  state.lost = false;
  store().lost_replicas().LowerForgotBelow(TabletId{80});
  ASSERT_TRUE(store().lost_replicas().NoteForgotBelow().ok());
  ASSERT_TRUE(store().PutReplicaState(kTablet, state).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  CrashOfTheMachine();
  EXPECT_FALSE(recovered().lost);
  EXPECT_EQ(store().lost_replicas().forgot_below(), TabletId{80});
  store().lost_replicas().LowerForgotBelow(TabletId{90});
  EXPECT_EQ(store().lost_replicas().forgot_below(), TabletId{80}) << "it never rises";
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

TEST_F(TabletStoreTest, ASyncThatFailsAtTheEndIsSaid) {
  ASSERT_TRUE(AppendOne(store(), kTablet, Entry(1)).ok());
  disk_.log_disk().FailNext(SimulatedLogDisk::Failure::kSync);
  EXPECT_EQ(store().Close().code(), Code::kInternal);
}

TEST_F(TabletStoreTest, AStoreThatIsClosedHasMarkedTheLogsEnd) {
  ASSERT_TRUE(AppendOne(store(), kTablet, Entry(1)).ok());
  ASSERT_TRUE(store().Close().ok());
  const int64_t closed = store().health().flushes;
  EXPECT_TRUE(store().Close().ok());
  EXPECT_EQ(store().health().flushes, closed) << "it stands there already";
  CrashOfTheMachine();
  EXPECT_EQ(DumpLog(store(), kTablet), "1.1");
}

// ---- flush intervals, while tables come and go ----------------------------------------------------------------------

// Lets a test come in between what a call asks of the records.
class HookedRecords final : public FakeRecordStore {
 public:
  using FakeRecordStore::FakeRecordStore;
  std::vector<TableId> Tables() const override {
    std::vector<TableId> tables = FakeRecordStore::Tables();
    if (const auto hook = std::exchange(after_tables, nullptr)) hook();
    return tables;
  }
  Status DropTable(TableId table) override {
    Status dropped = FakeRecordStore::DropTable(table);
    if (const auto hook = std::exchange(after_drop, nullptr)) hook();
    return dropped;
  }
  mutable std::function<void()> after_tables, after_drop;
};

class FlushIntervalTest : public ::testing::Test {
 protected:
  static constexpr Duration kShort = std::chrono::milliseconds(100);

  FlushIntervalTest() { EXPECT_TRUE(store().EnsureTable(kTable, TableCompression::kNone).ok()); }
  TabletStore& store() { return *store_; }
  // Whether what is flushed to the system alone is on the disk before the store's own interval of a second ends.
  bool SyncsSoon() {
    const int64_t before = store().health().flushes;
    EXPECT_TRUE(store().PutReplicaState(kTablet, {}).ok());
    store().Flush(FlushMode::kInterval, executor_, [](const Status&) {});
    scheduler_.RunFor(2 * kShort);
    const bool soon = store().health().flushes > before;
    scheduler_.RunFor(std::chrono::seconds(2));
    return soon;
  }

  ebla::testing::SimScheduler scheduler_{1};
  ebla::testing::SimExecutor executor_{scheduler_};
  SimulatedDisk disk_{TestSeed()};
  HookedRecords* records_ = nullptr;
  SimulatedStore store_{disk_, executor_, {.records = [this](SimulatedDisk& disk) {
                          auto records = std::make_unique<HookedRecords>(disk);
                          records_ = records.get();
                          return records;
                        }}};
};

TEST_F(FlushIntervalTest, ATableHasOneAsLongAsItIsHere) {
  EXPECT_FALSE(SyncsSoon());
  store().SetFlushInterval(kTable, 1, kShort);
  EXPECT_TRUE(SyncsSoon());
  ASSERT_TRUE(store().DropTable(kTable).ok());
  EXPECT_FALSE(SyncsSoon());
  store().SetFlushInterval(kTable, 2, kShort);
  EXPECT_FALSE(SyncsSoon()) << "it is not here";
}

TEST_F(FlushIntervalTest, ATableThatIsDroppedMeanwhileLeavesNone) {
  records_->after_tables = [this] { EXPECT_TRUE(store().DropTable(kTable).ok()); };
  store().SetFlushInterval(kTable, 1, kShort);
  ASSERT_TRUE(store().Tables().empty());
  EXPECT_FALSE(SyncsSoon());
}

TEST_F(FlushIntervalTest, ATableThatIsMadeAgainWhileItIsDroppedKeepsItsOwn) {
  records_->after_drop = [this] {
    EXPECT_TRUE(store().EnsureTable(kTable, TableCompression::kNone).ok());
    store().SetFlushInterval(kTable, 1, kShort);
  };
  ASSERT_TRUE(store().DropTable(kTable).ok());
  EXPECT_TRUE(SyncsSoon());
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
