// Every store's behaviour with the logs of its tablets: order, flushes, cut ends, truncation.
#include <gtest/gtest.h>

#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

TEST_P(StoreTest, TheLogIsReadInOrderAndWithinBounds) {
  AppendTo(5);
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(100)).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2 1.3 1.4 1.5");
  const auto middle = store().ReadLog(kAnyTablet, Lsn{2}, Lsn{3}, SIZE_MAX);
  ASSERT_TRUE(middle);
  EXPECT_EQ(middle->size(), 2u);
  const auto one = store().ReadLog(kAnyTablet, Lsn{2}, Lsn{9}, 1);  // at least one, however small the budget
  ASSERT_TRUE(one);
  ASSERT_EQ(one->size(), 1u);
  EXPECT_EQ(one->front().version.lsn, Lsn{2});
  EXPECT_EQ(DumpLog(store(), kOther), "1.100");
  EXPECT_EQ(DumpLog(store(), TabletId{1}), "");
  const auto all = store().ReadLog(kAnyTablet, Lsn{0}, Lsn{UINT64_MAX}, SIZE_MAX);
  ASSERT_TRUE(all);
  EXPECT_EQ(all->size(), 5u);
}

TEST_P(StoreTest, AnEntryComesBackAsItWas) {
  LogEntry entry = Entry(1, {Put("k", std::string(1000, 'v')), Delete("d")});
  entry.client = {77};
  entry.sequence = {5};
  entry.outcome.counters = {-3, 9};
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, entry).ok());
  const auto read = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{1}, SIZE_MAX);
  ASSERT_TRUE(read && read->size() == 1);
  EXPECT_EQ(EncodeLogEntry(read->front()), EncodeLogEntry(entry));
}

TEST_P(StoreTest, OneAppendSpansTablets) {
  const LogEntry first = Entry(1), second = Entry(2), other = Entry(8);
  const AppendBatch batches[] = {{kAnyTablet, {&first, &second}}, {kOther, {&other}}};
  ASSERT_TRUE(store().Append(batches).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2");
  EXPECT_EQ(DumpLog(store(), kOther), "1.8");
}

TEST_P(DurableStoreTest, WhatWasFlushedSurvivesACrash) {
  for (const FlushMode mode : {FlushMode::kSync, FlushMode::kInterval}) {
    const uint64_t last = mode == FlushMode::kSync ? 20 : 40;
    AppendTo(last, last - 19);
    ASSERT_TRUE(FlushNow(store(), mode).ok());
    life->Crash();
    const auto log = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{1000}, SIZE_MAX);
    ASSERT_TRUE(log);
    EXPECT_EQ(log->size(), last);
  }
}

TEST_P(DurableStoreTest, ACrashKeepsAPrefixOfWhatWasNotFlushed) {
  AppendTo(10);
  ASSERT_TRUE(FlushNow(store()).ok());
  AppendTo(200, 11);
  life->Crash();
  const auto log = store().ReadLog(kAnyTablet, Lsn{1}, Lsn{1000}, SIZE_MAX);
  ASSERT_TRUE(log);
  ASSERT_GE(log->size(), 10u);
  for (size_t i = 0; i < log->size(); ++i) EXPECT_EQ((*log)[i].version.lsn.value, i + 1);
}

TEST_P(DurableStoreTest, ASuffixIsRemovedAndWrittenAnew) {
  AppendTo(1200);
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(3)).ok());
  ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{3}).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2");
  LogEntry anew = Entry(3);
  anew.version.epoch = {2};
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, anew).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.1 1.2 2.3");
  EXPECT_EQ(DumpLog(store(), kOther), "1.3");
}

TEST_P(DurableStoreTest, TheLogIsTruncatedBelowACheckpoint) {
  for (uint64_t lsn = 1; lsn <= 5; ++lsn) Write(lsn, {Put("k" + std::to_string(lsn), "v")});
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(1)).ok());
  const auto held = CheckpointNow(store());
  ASSERT_TRUE(held);
  ASSERT_EQ(held->at(kAnyTablet), Lsn{5});
  ASSERT_TRUE(store().TruncateLog(kAnyTablet, Lsn{5}).ok());
  ASSERT_TRUE(store().TruncateLog(kAnyTablet, Lsn{1}).ok());  // again, and less: nothing happens
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.5");
  Write(6, {Put("k6", "v")});
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.5 1.6");
  EXPECT_EQ(DumpLog(store(), kOther), "1.1");
  EXPECT_EQ(Records(), "k1=v@1 k2=v@2 k3=v@3 k4=v@4 k5=v@5");
}

TEST_P(DurableStoreTest, AReplicaWithoutEntriesHasAnEmptyLog) {
  const auto log = store().ReadLog(kAnyTablet, Lsn{0}, Lsn{UINT64_MAX}, SIZE_MAX);
  ASSERT_TRUE(log);
  EXPECT_TRUE(log->empty());
  Write(1, {Put("a", "1")});
  ASSERT_TRUE(CheckpointNow(store()));
  ASSERT_TRUE(store().TruncateLog(kAnyTablet, Lsn{2}).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.1 of [\"\", \"\") log 0.0..0.0 window 9/1\n");
  ASSERT_TRUE(store().RemoveSuffix(kAnyTablet, Lsn{2}).ok());
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(2)).ok());
  EXPECT_EQ(DumpLog(store(), kAnyTablet), "1.2");
}

TEST_P(DurableStoreTest, LogBytesCountFromTheCheckpoint) {
  EXPECT_EQ(store().health().log_bytes, 0);
  Write(1, {Put("a", std::string(10'000, 'v'))});
  EXPECT_GT(store().health().log_bytes, 10'000);
  ASSERT_TRUE(CheckpointNow(store()));
  EXPECT_EQ(store().health().log_bytes, 0);
}

}  // namespace
}  // namespace ebla::tabletserver::testing
