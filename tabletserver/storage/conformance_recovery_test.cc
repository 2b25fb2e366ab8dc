// A store's replicas after a crash: their states, applied positions and dedup windows, and the tombstones of forgotten
// replicas.
#include <gtest/gtest.h>

#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

TEST_P(DurableStoreTest, ACrashTakesRecordsStateAndDedupWindowBackToOneCheckpoint) {
  Write(1, {Put("a", "1")});
  Write(2, {Put("b", "2")});
  ASSERT_TRUE(CheckpointNow(store()));
  Write(3, {Put("a", "3"), Delete("b")});
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  EXPECT_EQ(store().Tables(), std::vector{kAnyTable});
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.2 of [\"\", \"\") log 1.1..1.3 window 9/1 9/2\n");
  EXPECT_EQ(Records(), "a=1@1 b=2@2");
  // Replayed, it is as it was.
  const auto log = store().ReadLog(kAnyTablet, Lsn{3}, Lsn{3}, SIZE_MAX);
  ASSERT_TRUE(log && log->size() == 1);
  ASSERT_TRUE(ApplyOne(store(), kAnyTablet, kAnyTable, log->front()).ok());
  EXPECT_EQ(Records(), "a=3@3");
}

TEST_P(DurableStoreTest, ACleanEndKeepsEverything) {
  Write(1, {Put("a", "1")});
  life->Reopen();
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.1 of [\"\", \"\") log 1.1..1.1 window 9/1\n");
  EXPECT_EQ(Records(), "a=1@1");
}

TEST_P(StoreTest, ReplicaStatesComeBackWhole) {
  ReplicaState state;
  state.table = kAnyTable;
  state.promised = {5};
  state.led = {4};
  state.longest_lease_ms = 1000;
  state.incomplete = true;
  state.incomplete_range = {"c", "f"};
  state.lineage_epoch = {3};
  state.lineage_lsn = {17};
  state.schema = std::string("\0schema", 7);
  ASSERT_TRUE(store().PutReplicaState(kOther, state).ok());
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  const auto replicas = store().Recover();
  ASSERT_TRUE(replicas);
  ASSERT_EQ(replicas->size(), 2u);
  const ReplicaState& found = replicas->back().state;
  EXPECT_EQ(found.table, state.table);
  EXPECT_EQ(found.promised, state.promised);
  EXPECT_EQ(found.led, state.led);
  EXPECT_EQ(found.longest_lease_ms, 1000);
  EXPECT_TRUE(found.incomplete);
  EXPECT_FALSE(found.tombstone);
  EXPECT_EQ(found.incomplete_range, state.incomplete_range);
  EXPECT_EQ(found.lineage_epoch, state.lineage_epoch);
  EXPECT_EQ(found.lineage_lsn, state.lineage_lsn);
  EXPECT_EQ(found.schema, state.schema);
  EXPECT_FALSE(replicas->back().applied);
}

TEST_P(DurableStoreTest, AppliedStatesComeBackWhole) {
  ApplyBatch batch;
  batch.tablet = kAnyTablet;
  batch.table = kAnyTable;
  batch.state.applied = {Epoch{3}, Lsn{12}};
  batch.state.range = {"b", "k"};
  batch.state.time = {99};
  batch.state.dedup_floor = {88};
  batch.state.epoch_starts = {{Epoch{1}, Lsn{1}}, {Epoch{3}, Lsn{7}}};
  DedupRow row;
  row.client = {UINT64_MAX};
  row.sequence = {4};
  row.first_incomplete = {3};
  row.time = {77};
  row.request_digest = UINT64_MAX;
  row.version = {Epoch{3}, Lsn{11}};
  row.level = AckLevel::kPrimary;
  row.outcome = {Code::kConditionFailed, "no", true, {-1, INT64_MAX}, 2};
  batch.dedup_window.put = {row};
  ASSERT_TRUE(store().Apply({&batch, 1}).ok());
  ASSERT_TRUE(CheckpointNow(store()));
  life->Crash();
  const auto replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 1 && replicas->front().applied);
  const AppliedState& state = *replicas->front().applied;
  EXPECT_EQ(state.applied, batch.state.applied);
  EXPECT_EQ(state.range, batch.state.range);
  EXPECT_EQ(state.time, batch.state.time);
  EXPECT_EQ(state.dedup_floor, batch.state.dedup_floor);
  ASSERT_EQ(state.epoch_starts.size(), 2u);
  EXPECT_EQ(state.epoch_starts[1].first, Lsn{7});
  ASSERT_EQ(replicas->front().dedup_window.size(), 1u);
  const DedupRow& found = replicas->front().dedup_window.front();
  EXPECT_EQ(found.client, row.client);
  EXPECT_EQ(found.sequence, row.sequence);
  EXPECT_EQ(found.first_incomplete, row.first_incomplete);
  EXPECT_EQ(found.time, row.time);
  EXPECT_EQ(found.request_digest, row.request_digest);
  EXPECT_EQ(found.version, row.version);
  EXPECT_EQ(found.level, row.level);
  EXPECT_EQ(found.outcome.code, row.outcome.code);
  EXPECT_EQ(found.outcome.message, "no");
  EXPECT_TRUE(found.outcome.wrote);
  EXPECT_EQ(found.outcome.counters, row.outcome.counters);
  EXPECT_EQ(found.outcome.failed_index, 2);
}

TEST_P(DurableStoreTest, DedupRowsAreErasedByName) {
  Write(1, {});
  Write(2, {});
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(3)).ok());
  ApplyBatch batch;
  batch.tablet = kAnyTablet;
  batch.table = kAnyTable;
  batch.state.applied = {Epoch{1}, Lsn{3}};
  batch.dedup_window.erase = {{ClientId{9}, Sequence{1}}, {ClientId{9}, Sequence{17}}};
  ASSERT_TRUE(store().Apply({&batch, 1}).ok());
  EXPECT_EQ(DumpReplicas(store()), "tablet 70 promised 1 applied 1.3 of [\"\", \"\") log 1.1..1.3 window 9/2\n");
}

TEST_P(DurableStoreTest, AForgottenReplicaLeavesItsTombstone) {
  AddReplica(kOther, TableId{8});
  Write(1, {Put("a", "1")});
  ASSERT_TRUE(AppendOne(store(), kOther, Entry(1)).ok());
  ASSERT_TRUE(ApplyOne(store(), kOther, TableId{8}, Entry(1)).ok());
  ReplicaState tombstone;
  tombstone.table = kAnyTable;
  tombstone.promised = {2};
  tombstone.tombstone = true;
  ASSERT_TRUE(store().PutReplicaState(kAnyTablet, tombstone).ok());
  ASSERT_TRUE(store().ForgetReplica(kAnyTablet).ok());
  ASSERT_TRUE(store().ForgetReplica(kAnyTablet).ok());  // again, after an interruption
  ASSERT_TRUE(FlushNow(store()).ok());
  const auto held = CheckpointNow(store());
  ASSERT_TRUE(held);
  EXPECT_FALSE(held->contains(kAnyTablet));
  EXPECT_TRUE(held->contains(kOther));
  life->Crash();
  EXPECT_EQ(DumpReplicas(store()),
            "tablet 70 tombstone promised 2 applied none log 0.0..0.0 window\n"
            "tablet 71 promised 1 applied 1.1 of [\"\", \"\") log 1.1..1.1 window 9/1\n");
}

}  // namespace
}  // namespace ebla::tabletserver::testing
