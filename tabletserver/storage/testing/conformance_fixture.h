// tabletserver/storage/testing/conformance_fixture.h
// For tests: the suite over all stores. ../conformance_*_test.cc ask every store for what the contract in
// tablet_store.h promises, each file for one part of it; conformance_fixture.cc says which stores there are.
// Threads: one test's thread, but for readers that a test starts itself.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tabletserver/storage/testing/store_fixture.h"

namespace ebla::tabletserver::testing {

inline constexpr TableId kAnyTable{7};
inline constexpr TabletId kAnyTablet{70};
inline constexpr TabletId kOther{71};

// A store with the table kAnyTable and an empty replica, kAnyTablet.
class StoreTest : public ::testing::TestWithParam<StoreKind> {
 protected:
  StoreTest() : life(MakeStore(GetParam())) {
    EXPECT_TRUE(life->MakeTable(kAnyTable).ok());
    AddReplica(kAnyTablet);
  }
  // A crash, of a store that has what it held before it at the last checkpoint.
  void CrashAfterCheckpoint() {
    ASSERT_TRUE(CheckpointNow(store()));
    if (life->KeepsRecords()) life->Crash();
  }
  TabletStore& store() { return **life; }
  void AddReplica(TabletId tablet, TableId table = kAnyTable) {
    ReplicaState state;
    state.table = table;
    state.promised = {1};
    ASSERT_TRUE(store().PutReplicaState(tablet, state).ok());
    ASSERT_TRUE(FlushNow(store()).ok());
  }
  void AppendTo(uint64_t last, uint64_t first = 1) {
    for (uint64_t lsn = first; lsn <= last; ++lsn) ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(lsn)).ok());
  }
  void Write(uint64_t lsn, std::vector<Effect> effects) {
    const LogEntry entry = Entry(lsn, std::move(effects));
    ASSERT_TRUE(AppendOne(store(), kAnyTablet, entry).ok());
    ASSERT_TRUE(ApplyOne(store(), kAnyTablet, kAnyTable, entry).ok());
  }
  std::string Records(const KeyRange& range = {}, bool reverse = false) {
    return Dump(store(), kAnyTable, range, reverse);
  }

  std::unique_ptr<StoreUnderTest> life;
};

// The data that a crash leaves. It leaves none of tables in memory (../in_memory/in_memory_store_test.cc).
class DurableStoreTest : public StoreTest {};

// The stores of a suite, and their names in those of its tests.
inline auto DurableStores() {
  return ::testing::Values(StoreKind::kWiredTiger, StoreKind::kSortedTables, StoreKind::kSimulated);
}
inline auto AllStores() {
  return ::testing::Values(StoreKind::kWiredTiger, StoreKind::kSortedTables, StoreKind::kSimulated,
                           StoreKind::kTablesInMemory);
}
inline std::string NameOfParam(const ::testing::TestParamInfo<StoreKind>& info) { return NameOf(info.param); }

}  // namespace ebla::tabletserver::testing
