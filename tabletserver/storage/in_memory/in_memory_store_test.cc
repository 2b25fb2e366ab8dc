// What tables in memory take, and what is left of them after a crash. What they do as any table:
// ../conformance_*_test.cc.
#include <gtest/gtest.h>

#include "tabletserver/storage/in_memory/routed_store.h"
#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr TableId kRamTable{7}, kDiskTable{8};
constexpr TabletId kInRam{70}, kOnDisk{80};

class RoutedStoreTest : public ::testing::Test {
 protected:
  RoutedStoreTest() { MakeBoth(); }
  TabletStore& store() { return **life_; }
  void MakeBoth() {
    EXPECT_TRUE(life_->MakeTable(kRamTable).ok());
    EXPECT_TRUE(store().EnsureTable(kDiskTable, TableCompression::kNone).ok());
    for (const auto& [tablet, table] : {std::pair{kInRam, kRamTable}, {kOnDisk, kDiskTable}}) {
      ReplicaState state;
      state.table = table;
      state.promised = {3};
      ASSERT_TRUE(store().PutReplicaState(tablet, state).ok());
    }
  }
  // Of both tables in one call.
  void WriteBoth(uint64_t lsn, const std::string& value) {
    const LogEntry entry = Entry(lsn, {Put("k", value)});
    const AppendBatch appends[] = {{kOnDisk, {&entry}}, {kInRam, {&entry}}};
    ASSERT_TRUE(store().Append(appends).ok());
    std::vector<ApplyBatch> batches(2);
    for (size_t i : {0, 1}) {
      batches[i].tablet = i == 0 ? kOnDisk : kInRam;
      batches[i].table = i == 0 ? kDiskTable : kRamTable;
      batches[i].records = {{&entry.effects[0], entry.version}};
      batches[i].state.applied = entry.version;
    }
    ASSERT_TRUE(store().Apply(batches).ok());
  }
  std::unique_ptr<StoreUnderTest> life_ = MakeStore(StoreKind::kTablesInMemory);
};

TEST_F(RoutedStoreTest, OneCallMayBeOfTablesOfBothKinds) {
  WriteBoth(1, "v");
  EXPECT_EQ(Dump(store(), kRamTable), "k=v@1");
  EXPECT_EQ(Dump(store(), kDiskTable), "k=v@1");
  EXPECT_EQ(DumpLog(store(), kInRam), "1.1");
  EXPECT_EQ(DumpLog(store(), kOnDisk), "1.1");
  EXPECT_EQ(store().Tables(), (std::vector{kRamTable, kDiskTable}));
  EXPECT_TRUE(store().InMemory(kRamTable));
  EXPECT_FALSE(store().InMemory(kDiskTable));
}

TEST_F(RoutedStoreTest, ACrashLeavesPromisesAndNothingElse) {
  WriteBoth(1, "v");
  ASSERT_TRUE(CheckpointNow(store()));
  ASSERT_TRUE(FlushNow(store()).ok());
  life_->Crash();
  EXPECT_EQ(DumpReplicas(store()),
            "tablet 70 promised 3 applied none log 0.0..0.0 window\n"
            "tablet 80 promised 3 applied 1.1 of [\"\", \"\") log 1.1..1.1 window\n");
  EXPECT_FALSE(store().InMemory(kRamTable)) << "until somebody says so again";
  ASSERT_TRUE(life_->MakeTable(kRamTable).ok());
  EXPECT_EQ(Dump(store(), kRamTable), "");
  EXPECT_EQ(DumpLog(store(), kInRam), "");
  EXPECT_EQ(Dump(store(), kDiskTable), "k=v@1");
  // Its log may begin anew, at whatever place.
  ASSERT_TRUE(AppendOne(store(), kInRam, Entry(9)).ok());
  EXPECT_EQ(DumpLog(store(), kInRam), "1.9");
}

TEST_F(RoutedStoreTest, AFlushOfMemoryWaitsForNoDisk) {
  WriteBoth(1, "v");
  const int64_t before = store().health().flushes;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(FlushNow(store(), FlushMode::kMemory).ok());
  EXPECT_EQ(store().health().flushes, before);
}

TEST_F(RoutedStoreTest, CheckpointsSayWhatMemoryTabletsHaveApplied) {
  WriteBoth(1, "v");
  WriteBoth(2, "v");
  const auto held = CheckpointNow(store());
  ASSERT_TRUE(held);
  EXPECT_EQ(held->at(kInRam), Lsn{2});
  EXPECT_EQ(held->at(kOnDisk), Lsn{2});
  ASSERT_TRUE(store().TruncateLog(kInRam, Lsn{1}, Lsn{2}).ok());
  EXPECT_EQ(DumpLog(store(), kInRam), "1.2");
}

TEST_F(RoutedStoreTest, ADroppedTableGivesItsMemoryBack) {
  WriteBoth(1, std::string(10'000, 'v'));
  MemoryTables& tables = *store().memory_tables();
  EXPECT_GT(tables.Uses().front().bytes, 20'000) << "the record, and its entry in the log";
  ASSERT_TRUE(store().DropTable(kRamTable).ok());
  EXPECT_TRUE(tables.Uses().empty());
  EXPECT_EQ(store().Get(kRamTable, "k").error().code(), Code::kNoSuchTable);
  EXPECT_EQ(Dump(store(), kDiskTable), "k=" + std::string(10'000, 'v') + "@1");
}

class InMemoryStoreTest : public ::testing::Test {
 protected:
  void Write(TableId table, int from, int to) {
    for (int i = from; i < to; ++i) {
      const Effect effect = Put(std::to_string(i), std::string(1'000, 'v'));
      ApplyBatch batch;
      batch.tablet = TabletId{table.value};
      batch.table = table;
      batch.records = {{&effect, {Epoch{1}, Lsn{++lsn_}}}};
      ASSERT_TRUE(ram_.Apply(table, {&batch, 1}).ok());
    }
  }
  InMemoryStore ram_{4 << 20};
  uint64_t lsn_ = 0;
};

TEST_F(InMemoryStoreTest, AFullTableRefusesAndNamesItsLimit) {
  ram_.Ensure(kRamTable, 1, {.limit_bytes = 1 << 20});
  Write(kRamTable, 0, 100);
  EXPECT_TRUE(ram_.Admit(kRamTable).ok());
  Write(kRamTable, 100, 1'100);
  const Status refused = ram_.Admit(kRamTable);
  EXPECT_EQ(refused.code(), Code::kOverloaded);
  EXPECT_NE(refused.message().find("the table has reached its limit of 1 MiB"), std::string::npos) << refused;
  EXPECT_EQ(ram_.Uses().front().refused, 1);
  ram_.Ensure(kRamTable, 2, {.limit_bytes = 2 << 20});
  EXPECT_TRUE(ram_.Admit(kRamTable).ok()) << "a raised limit counts at once";
  ram_.Ensure(kRamTable, 1, {.limit_bytes = 1});
  EXPECT_TRUE(ram_.Admit(kRamTable).ok()) << "an older schema's does not";
}

TEST_F(InMemoryStoreTest, AFullServerRefusesAndNamesItsFlag) {
  ram_.Ensure(kRamTable, 1, {});
  ram_.Ensure(kDiskTable, 1, {});
  Write(kRamTable, 0, 2'100);
  Write(kDiskTable, 0, 2'100);
  const Status refused = ram_.Admit(kRamTable);
  EXPECT_EQ(refused.code(), Code::kOverloaded);
  EXPECT_NE(refused.message().find("--memory_tables_mb"), std::string::npos) << refused;
  EXPECT_EQ(ram_.Excess(kRamTable), ram_.Excess(kDiskTable)) << "of two that evict nothing nobody has to";
}

TEST_F(InMemoryStoreTest, WhoLeadsElsewhereIsToldWhatIsTooMuchHere) {
  ram_.Ensure(kRamTable, 1, {.limit_bytes = 1 << 20, .eviction = Eviction::kLru});
  ram_.Ensure(kDiskTable, 1, {.limit_bytes = 1 << 20});
  Write(kRamTable, 0, 900);
  Write(kDiskTable, 0, 900);
  EXPECT_TRUE(ram_.Pressures().empty());
  Write(kRamTable, 900, 1'400);
  Write(kDiskTable, 900, 1'400);
  std::vector<MemoryPressure> pressures = ram_.Pressures();
  ASSERT_EQ(pressures.size(), 2u);
  std::ranges::sort(pressures, {}, &MemoryPressure::excess);
  EXPECT_EQ(pressures[0].table, kDiskTable);
  EXPECT_EQ(pressures[0].excess, 0) << "it evicts nothing";
  EXPECT_TRUE(pressures[0].full);
  EXPECT_NEAR(pressures[1].excess, 0.33, 0.07);
  EXPECT_TRUE(pressures[1].full);
  EXPECT_EQ(ram_.Uses().front().refused, 0) << "no write was refused by it";
}

TEST_F(InMemoryStoreTest, NoCopyIsTakenFarAboveALimit) {
  ram_.Ensure(kRamTable, 1, {.limit_bytes = 1 << 20, .eviction = Eviction::kLru});
  Write(kRamTable, 0, 1'040);
  EXPECT_GT(ram_.Excess(kRamTable), 0);
  EXPECT_TRUE(ram_.RoomForCopy(kRamTable).ok()) << "pages may be fuller at its source";
  Write(kRamTable, 1'040, 1'300);
  EXPECT_EQ(ram_.RoomForCopy(kRamTable).code(), Code::kOverloaded);
  const KeyRange some{"5", "6"}, all{};
  EXPECT_EQ(ram_.RoomForCopy(kRamTable, &some).code(), Code::kOverloaded);
  EXPECT_TRUE(ram_.RoomForCopy(kRamTable, &all).ok()) << "it goes first";
  ram_.Ensure(kDiskTable, 1, {});
  EXPECT_TRUE(ram_.RoomForCopy(kDiskTable).ok());
  Write(kDiskTable, 0, 4'000);
  EXPECT_EQ(ram_.RoomForCopy(kDiskTable).code(), Code::kOverloaded) << "all of them together";
}

TEST_F(InMemoryStoreTest, WhatIsTooMuchIsSharedByThoseThatEvict) {
  ram_.Ensure(kRamTable, 1, {.eviction = Eviction::kLru});
  ram_.Ensure(kDiskTable, 1, {});
  Write(kRamTable, 0, 2'000);
  Write(kDiskTable, 0, 3'000);
  EXPECT_GT(ram_.Excess(kRamTable), 1 << 20);
  EXPECT_EQ(ram_.Admit(kRamTable).code(), Code::kOverloaded) << "far above, eviction does not keep up";
  const KeyRange whole[] = {{}};
  int64_t wanted = ram_.Excess(kRamTable), chosen = 0;
  for (const MemoryTables::Victim& victim : ram_.ChooseVictims(kRamTable, whole, wanted, 10'000)) {
    EXPECT_LT(std::stoi(victim.key), 2'000);
    ++chosen;
  }
  EXPECT_NEAR(static_cast<double>(chosen), static_cast<double>(wanted) / 1'100, 200);
}

}  // namespace
}  // namespace ebla::tabletserver::testing
