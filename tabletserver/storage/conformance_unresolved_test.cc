// Unresolved writes (unresolved_writes.h) in every store that outlives a crash: writes that were rolled back, and
// writes under no tablet.
#include <gtest/gtest.h>

#include <sstream>

#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

class RollbackTest : public DurableStoreTest {
 protected:
  Status Keep(TabletId tablet, std::vector<LogEntry> entries, TableId table = kAnyTable) {
    std::vector<const LogEntry*> pointers;
    for (const LogEntry& entry : entries) pointers.push_back(&entry);
    return store().unresolved().Put(tablet, table, pointers);
  }
  std::string List(TableId table = {}, const UnresolvedPosition& after = {}, size_t entries_max = 100,
                   size_t bytes_max = SIZE_MAX) {
    const auto listed = store().unresolved().List(table, after, entries_max, bytes_max);
    if (!listed) return listed.error().ToString();
    std::ostringstream out;
    for (const UnresolvedLogEntry& unresolved : *listed) {
      out << (out.tellp() > 0 ? " " : "") << unresolved.tablet << ":" << unresolved.entry.version;
    }
    return out.str();
  }
};

TEST_P(RollbackTest, AListEndsWhereItIsFull) {
  const std::string large(1 << 20, 'v');
  std::vector<LogEntry> entries;
  for (uint64_t lsn = 3; lsn < 9; ++lsn) entries.push_back(Entry(lsn, {Put("k", large)}));
  ASSERT_TRUE(Keep(kAnyTablet, entries).ok());
  EXPECT_EQ(List(kAnyTable, {}, 100, 2 << 20), "70:1.3 70:1.4");
  EXPECT_EQ(List(kAnyTable, {kAnyTablet, {Epoch{1}, Lsn{4}}}, 100, 2 << 20), "70:1.5 70:1.6");
  EXPECT_EQ(List(kAnyTable, {}, 100, 1), "70:1.3") << "one at least";
}

TEST_P(RollbackTest, WhatIsRolledBackIsKeptAndListed) {
  ASSERT_TRUE(Keep(kOther, {Entry(9)}, TableId{8}).ok());
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(3), Entry(4, {Put("k", "v")})}).ok());
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(4), Entry(300)}).ok());  // 4 again: it stays as it was
  EXPECT_EQ(List(), "70:1.3 70:1.4 70:1.300 71:1.9");
  EXPECT_EQ(List(kAnyTable), "70:1.3 70:1.4 70:1.300");
  EXPECT_EQ(List(TableId{8}), "71:1.9");
  EXPECT_EQ(List({}, {}, 2), "70:1.3 70:1.4");
  EXPECT_EQ(List({}, {kAnyTablet, {Epoch{1}, Lsn{4}}}), "70:1.300 71:1.9");
  EXPECT_EQ(List(TableId{8}, {}, 1), "71:1.9");
  const auto listed = store().unresolved().List(kAnyTable, {kAnyTablet, {Epoch{1}, Lsn{3}}}, 1, SIZE_MAX);
  ASSERT_TRUE(listed && listed->size() == 1);
  EXPECT_EQ(EncodeLogEntry(listed->front().entry), EncodeLogEntry(Entry(4, {Put("k", "v")})));
  EXPECT_EQ(listed->front().table, kAnyTable);
  EXPECT_EQ(store().health().rolled_back_entries, 4);
  EXPECT_GT(store().health().rolled_back_bytes, 0);
  ASSERT_TRUE(store().unresolved().Discard(kAnyTablet, {Epoch{1}, Lsn{4}}).ok());
  ASSERT_TRUE(store().unresolved().Discard(kAnyTablet, {Epoch{1}, Lsn{4}}).ok());  // absent
  EXPECT_EQ(List(), "70:1.3 70:1.300 71:1.9");
  EXPECT_EQ(store().health().rolled_back_entries, 3);
}

TEST_P(RollbackTest, WhatIsRolledBackOutlivesItsReplicaAndACrash) {
  AppendTo(5);
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(4), Entry(5)}).ok());
  ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{4}).ok());
  ASSERT_TRUE(store().ForgetReplica(kAnyTablet).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  const auto bytes = store().health().rolled_back_bytes;
  life->Crash();
  EXPECT_EQ(List(), "70:1.4 70:1.5");
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "");
  EXPECT_EQ(store().health().rolled_back_entries, 2);
  EXPECT_EQ(store().health().rolled_back_bytes, bytes);
}

TEST_P(RollbackTest, WhatIsKeptUnderNoTabletIsCountedApart) {
  ASSERT_TRUE(Keep({}, {Entry(1, {Put("k", "v")}), Entry(2)}).ok());
  ASSERT_TRUE(Keep(kAnyTablet, {Entry(1)}).ok());
  EXPECT_EQ(List(kAnyTable), "0:1.1 0:1.2 70:1.1");
  ASSERT_TRUE(FlushNow(store()).ok());
  for (int life_number = 0; life_number < 2; ++life_number) {
    const auto health = store().health();
    EXPECT_EQ(health.hinted_entries, 2);
    EXPECT_GT(health.hinted_bytes, 0);
    EXPECT_EQ(health.rolled_back_entries, 1);
    life->Crash();
  }
  ASSERT_TRUE(store().unresolved().Discard({}, {Epoch{1}, Lsn{1}}).ok());
  ASSERT_TRUE(store().unresolved().Discard({}, {Epoch{1}, Lsn{2}}).ok());
  EXPECT_EQ(store().health().hinted_entries, 0);
  EXPECT_EQ(store().health().hinted_bytes, 0);
  EXPECT_EQ(store().health().rolled_back_entries, 1);
}

// Whatever a crash leaves: what is not in the log any more is kept.
TEST_P(RollbackTest, NothingLeavesTheLogBeforeItIsKept) {
  AppendTo(40);
  ASSERT_TRUE(FlushNow(store()).ok());
  for (uint64_t lsn = 40; lsn > 1; --lsn) {
    ASSERT_TRUE(Keep(kAnyTablet, {Entry(lsn)}).ok());
    ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{lsn}).ok());
  }
  life->Crash();
  const auto log = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{100}, SIZE_MAX);
  const auto unresolved = store().unresolved().List(kAnyTable, {}, 100, SIZE_MAX);
  ASSERT_TRUE(log && unresolved);
  EXPECT_GE(log->size() + unresolved->size(), 40u);
  if (!unresolved->empty()) {
    EXPECT_LE(unresolved->front().entry.version.lsn.value, log->size() + 1);
  }
}

INSTANTIATE_TEST_SUITE_P(All, RollbackTest, DurableStores(), NameOfParam);

}  // namespace
}  // namespace ebla::tabletserver::testing
