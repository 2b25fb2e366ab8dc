// The memory that tables in memory take, and their state after a crash. ../conformance_*_test.cc hold them to the
// contract of all tables.
#include "tabletserver/storage/in_memory/in_memory_store.h"

#include <gtest/gtest.h>

#include <future>
#include <map>

#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

constexpr TableId kMemoryTable{7}, kDiskTable{8};
constexpr TabletId kInMemory{70}, kOnDisk{80};

class RoutedTablesTest : public ::testing::Test {
 protected:
  RoutedTablesTest() { MakeBoth(); }
  TabletStore& store() { return **life_; }
  void MakeBoth() {
    EXPECT_TRUE(life_->MakeTable(kMemoryTable).ok());
    EXPECT_TRUE(store().EnsureTable(kDiskTable, TableCompression::kNone).ok());
    for (const auto& [tablet, table] : {std::pair{kInMemory, kMemoryTable}, {kOnDisk, kDiskTable}}) {
      ReplicaState state;
      state.table = table;
      state.promised = {3};
      ASSERT_TRUE(store().PutReplicaState(tablet, state).ok());
    }
  }
  // Writes to both tables in one call.
  void WriteBoth(uint64_t lsn, const std::string& value) {
    const LogEntry entry = Entry(lsn, {Put("k", value)});
    const AppendBatch appends[] = {{kOnDisk, {&entry}}, {kInMemory, {&entry}}};
    ASSERT_TRUE(store().Append(appends).ok());
    std::vector<ApplyBatch> batches(2);
    for (size_t i : {0, 1}) {
      batches[i].tablet = i == 0 ? kOnDisk : kInMemory;
      batches[i].table = i == 0 ? kDiskTable : kMemoryTable;
      batches[i].records = {{&entry.effects[0], entry.version}};
      batches[i].state.applied = entry.version;
    }
    ASSERT_TRUE(store().Apply(batches).ok());
  }
  std::unique_ptr<StoreUnderTest> life_ = MakeStore(StoreKind::kTablesInMemory);
};

TEST_F(RoutedTablesTest, OneCallMayBeOfTablesOfBothKinds) {
  WriteBoth(1, "v");
  EXPECT_EQ(Dump(store(), kMemoryTable), "k=v@1");
  EXPECT_EQ(Dump(store(), kDiskTable), "k=v@1");
  EXPECT_EQ(DumpLog(store(), kInMemory), "1.1");
  EXPECT_EQ(DumpLog(store(), kOnDisk), "1.1");
  EXPECT_EQ(store().Tables(), (std::vector{kMemoryTable, kDiskTable}));
  EXPECT_TRUE(store().InMemory(kMemoryTable));
  EXPECT_FALSE(store().InMemory(kDiskTable));
}

TEST_F(RoutedTablesTest, ACrashLeavesPromisesAndNothingElse) {
  WriteBoth(1, "v");
  ASSERT_TRUE(CheckpointNow(store()));
  ASSERT_TRUE(FlushNow(store()).ok());
  life_->Crash();
  EXPECT_EQ(DumpReplicas(store()),
            "tablet 70 promised 3 applied none log 0.0..0.0 window\n"
            "tablet 80 promised 3 applied 1.1 of [\"\", \"\") log 1.1..1.1 window\n");
  EXPECT_FALSE(store().InMemory(kMemoryTable)) << "until somebody says so again";
  ASSERT_TRUE(life_->MakeTable(kMemoryTable).ok());
  EXPECT_EQ(Dump(store(), kMemoryTable), "");
  EXPECT_EQ(DumpLog(store(), kInMemory), "");
  EXPECT_EQ(Dump(store(), kDiskTable), "k=v@1");
  // Its log may restart at any place.
  ASSERT_TRUE(AppendOne(store(), kInMemory, Entry(9)).ok());
  EXPECT_EQ(DumpLog(store(), kInMemory), "1.9");
}

TEST_F(RoutedTablesTest, AFlushOfMemoryWaitsForNoDisk) {
  WriteBoth(1, "v");
  const int64_t before = store().health().flushes;
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(FlushNow(store(), FlushMode::kMemory).ok());
  EXPECT_EQ(store().health().flushes, before);
}

TEST_F(RoutedTablesTest, CheckpointsSayWhatMemoryTabletsHaveApplied) {
  WriteBoth(1, "v");
  WriteBoth(2, "v");
  const auto held = CheckpointNow(store());
  ASSERT_TRUE(held);
  EXPECT_EQ(held->at(kInMemory), Lsn{2});
  EXPECT_EQ(held->at(kOnDisk), Lsn{2});
  ASSERT_TRUE(store().TruncateLog(kInMemory, Lsn{2}).ok());
  EXPECT_EQ(DumpLog(store(), kInMemory), "1.2");
}

TEST_F(RoutedTablesTest, ADroppedTableGivesItsMemoryBack) {
  WriteBoth(1, std::string(10'000, 'v'));
  InMemoryStore& tables = *store().memory_tables();
  EXPECT_GT(tables.Uses().front().bytes, 20'000) << "the record, and its entry in the log";
  ASSERT_TRUE(store().DropTable(kMemoryTable).ok());
  EXPECT_TRUE(tables.Uses().empty());
  EXPECT_EQ(store().Get(kMemoryTable, "k").error().code(), Code::kNoSuchTable);
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
      ASSERT_TRUE(in_memory_.Apply({&batch, 1}).ok());
    }
  }
  InMemoryStore in_memory_{4 << 20};
  uint64_t lsn_ = 0;
};

TEST_F(InMemoryStoreTest, AReplicaIsForgottenWhileAnotherTableIsRead) {
  in_memory_.Ensure(kMemoryTable, 1, {});
  in_memory_.Ensure(kDiskTable, 1, {});
  Write(kMemoryTable, 0, 1);
  Write(kDiskTable, 0, 1);
  std::future<Status> forgotten;
  const auto read = in_memory_.Scan(
      kDiskTable, {},
      [&](std::string_view, const StoredRecord&) {
        forgotten = std::async(std::launch::async, [&] { return in_memory_.Forget(TabletId{kMemoryTable.value}); });
        EXPECT_EQ(forgotten.wait_for(std::chrono::seconds(10)), std::future_status::ready) << "it waits for the reader";
        return false;
      },
      nullptr);
  ASSERT_TRUE(read.ok());
  EXPECT_TRUE(forgotten.get().ok());
  EXPECT_EQ(in_memory_.Applied(), (std::map<TabletId, Lsn>{{TabletId{kDiskTable.value}, Lsn{}}}));
}

TEST_F(InMemoryStoreTest, AFullTableRefusesAndNamesItsLimit) {
  in_memory_.Ensure(kMemoryTable, 1, {.limit_bytes = 1 << 20});
  Write(kMemoryTable, 0, 100);
  EXPECT_TRUE(in_memory_.Admit(kMemoryTable).ok());
  Write(kMemoryTable, 100, 1'100);
  const Status refused = in_memory_.Admit(kMemoryTable);
  EXPECT_EQ(refused.code(), Code::kOverloaded);
  EXPECT_NE(refused.message().find("the table has reached its limit of 1 MiB"), std::string::npos) << refused;
  EXPECT_EQ(in_memory_.Uses().front().refused, 1);
  in_memory_.Ensure(kMemoryTable, 2, {.limit_bytes = 2 << 20});
  EXPECT_TRUE(in_memory_.Admit(kMemoryTable).ok()) << "a raised limit counts at once";
  in_memory_.Ensure(kMemoryTable, 1, {.limit_bytes = 1});
  EXPECT_TRUE(in_memory_.Admit(kMemoryTable).ok()) << "an older schema's does not";
}

TEST_F(InMemoryStoreTest, AFullServerRefusesAndNamesItsFlag) {
  in_memory_.Ensure(kMemoryTable, 1, {});
  in_memory_.Ensure(kDiskTable, 1, {});
  Write(kMemoryTable, 0, 2'100);
  Write(kDiskTable, 0, 2'100);
  const Status refused = in_memory_.Admit(kMemoryTable);
  EXPECT_EQ(refused.code(), Code::kOverloaded);
  EXPECT_NE(refused.message().find("--memory_tables_mb"), std::string::npos) << refused;
  EXPECT_EQ(in_memory_.Excess(kMemoryTable), in_memory_.Excess(kDiskTable))
      << "of two that evict nothing nobody has to";
}

TEST_F(InMemoryStoreTest, WhoLeadsElsewhereIsToldWhatIsTooMuchHere) {
  in_memory_.Ensure(kMemoryTable, 1, {.limit_bytes = 1 << 20, .eviction = Eviction::kLru});
  in_memory_.Ensure(kDiskTable, 1, {.limit_bytes = 1 << 20});
  Write(kMemoryTable, 0, 900);
  Write(kDiskTable, 0, 900);
  EXPECT_TRUE(in_memory_.Pressures().empty());
  Write(kMemoryTable, 900, 1'400);
  Write(kDiskTable, 900, 1'400);
  std::vector<MemoryPressure> pressures = in_memory_.Pressures();
  ASSERT_EQ(pressures.size(), 2u);
  std::ranges::sort(pressures, {}, &MemoryPressure::excess);
  EXPECT_EQ(pressures[0].table, kDiskTable);
  EXPECT_EQ(pressures[0].excess, 0) << "it evicts nothing";
  EXPECT_TRUE(pressures[0].full);
  EXPECT_NEAR(pressures[1].excess, 0.33, 0.07);
  EXPECT_TRUE(pressures[1].full);
  EXPECT_EQ(in_memory_.Uses().front().refused, 0) << "no write was refused by it";
}

TEST_F(InMemoryStoreTest, NoCopyIsTakenFarAboveALimit) {
  in_memory_.Ensure(kMemoryTable, 1, {.limit_bytes = 1 << 20, .eviction = Eviction::kLru});
  Write(kMemoryTable, 0, 1'040);
  EXPECT_GT(in_memory_.Excess(kMemoryTable), 0);
  EXPECT_TRUE(in_memory_.RoomForCopy(kMemoryTable).ok()) << "pages may be fuller at its source";
  Write(kMemoryTable, 1'040, 1'300);
  EXPECT_EQ(in_memory_.RoomForCopy(kMemoryTable).code(), Code::kOverloaded);
  const KeyRange some{"5", "6"}, all{};
  EXPECT_EQ(in_memory_.RoomForCopy(kMemoryTable, &some).code(), Code::kOverloaded);
  EXPECT_TRUE(in_memory_.RoomForCopy(kMemoryTable, &all).ok()) << "it goes first";
  in_memory_.Ensure(kDiskTable, 1, {});
  EXPECT_TRUE(in_memory_.RoomForCopy(kDiskTable).ok());
  Write(kDiskTable, 0, 4'000);
  EXPECT_EQ(in_memory_.RoomForCopy(kDiskTable).code(), Code::kOverloaded) << "all of them together";
}

TEST_F(InMemoryStoreTest, WhatIsTooMuchIsSharedByThoseThatEvict) {
  in_memory_.Ensure(kMemoryTable, 1, {.eviction = Eviction::kLru});
  in_memory_.Ensure(kDiskTable, 1, {});
  Write(kMemoryTable, 0, 2'000);
  Write(kDiskTable, 0, 3'000);
  EXPECT_GT(in_memory_.Excess(kMemoryTable), 1 << 20);
  EXPECT_EQ(in_memory_.Admit(kMemoryTable).code(), Code::kOverloaded) << "far above, eviction does not keep up";
  const KeyRange whole[] = {{}};
  int64_t wanted = in_memory_.Excess(kMemoryTable), chosen = 0;
  for (const EvictionVictim& victim : in_memory_.ChooseVictims(kMemoryTable, whole, wanted, 10'000)) {
    EXPECT_LT(std::stoi(victim.key), 2'000);
    ++chosen;
  }
  EXPECT_NEAR(static_cast<double>(chosen), static_cast<double>(wanted) / 1'100, 200);
}

}  // namespace
}  // namespace ebla::tabletserver::testing
