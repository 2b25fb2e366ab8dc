// Splits and merges: each is one transaction of every store that outlives a crash.
#include <gtest/gtest.h>

#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

// The parent shrinks and the child is created in one transaction (docs/design/split-and-merge.md), which a crash takes
// back whole.
TEST_P(DurableStoreTest, ASplitIsOneTransaction) {
  constexpr TabletId kChild{kAnyTablet.value + 64};
  Write(1, {Put("a", "1"), Put("z", "1")});
  ASSERT_TRUE(CheckpointNow(store()));
  ReplicaState state;
  state.table = kAnyTable;
  state.promised = {1};
  state.lineage_parent = kAnyTablet;
  state.lineage_epoch = {1};
  state.lineage_lsn = {2};
  const auto split = [&] {
    ASSERT_TRUE(store().PutReplicaState(kChild, state).ok());
    std::vector<ApplyBatch> batches(2);
    batches[0].tablet = kAnyTablet;
    batches[1].tablet = kChild;
    batches[0].table = batches[1].table = kAnyTable;
    batches[0].state.applied = batches[1].state.applied = {Epoch{1}, Lsn{2}};
    batches[0].state.range = {"", "m"};
    batches[1].state.range = {"m", ""};
    batches[0].state.last_split = AppliedSplit{kChild, "m", "", {Epoch{1}, Lsn{2}}, "ts-1", {"ts-1"}};
    DedupRow row;
    row.client = {9};
    row.sequence = {1};
    batches[1].dedup_window.put = {row};
    ASSERT_TRUE(store().Apply(batches).ok());
  };
  ASSERT_TRUE(AppendOne(store(), kAnyTablet, Entry(2, {}, EntryKind::kSplit)).ok());
  split();
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  auto replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 2);
  EXPECT_EQ((*replicas)[0].applied->range, KeyRange::All()) << "as of the checkpoint";
  EXPECT_FALSE((*replicas)[0].applied->last_split);
  EXPECT_FALSE((*replicas)[1].applied) << "but its state is there, and says whose log brings it back";
  EXPECT_EQ((*replicas)[1].state.lineage_parent, kAnyTablet);
  EXPECT_TRUE((*replicas)[1].dedup_window.empty());
  EXPECT_EQ((*replicas)[0].last_logged, (Version{Epoch{1}, Lsn{2}}));

  split();
  ASSERT_TRUE(CheckpointNow(store()));
  life->Crash();
  replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 2 && (*replicas)[1].applied);
  EXPECT_EQ((*replicas)[0].applied->range, (KeyRange{"", "m"}));
  EXPECT_EQ((*replicas)[0].applied->last_split->child, kChild);
  EXPECT_EQ((*replicas)[1].applied->range, (KeyRange{"m", ""}));
  EXPECT_EQ((*replicas)[1].dedup_window.size(), 1u);
  EXPECT_EQ(Records(), "a=1@1 z=1@1");
}

class StoreMergeTest : public DurableStoreTest {
 protected:
  static constexpr TabletId kMerged{kAnyTablet.value + 64};
  static ApplyBatch BatchOf(TabletId tablet, Version applied, KeyRange range) {
    ApplyBatch batch;
    batch.tablet = tablet;
    batch.table = kAnyTable;
    batch.state.applied = applied;
    batch.state.range = std::move(range);
    DedupRow row;
    row.client = {9};
    row.sequence = {1};
    batch.dedup_window.put = {row};
    return batch;
  }
  // kAnyTablet has a, kOther z, at a checkpoint.
  void FillBoth() {
    AddReplica(kOther);
    const LogEntry left = Entry(1, {Put("a", "1")}), right = Entry(1, {Put("z", "1")});
    std::vector<ApplyBatch> batches{BatchOf(kAnyTablet, left.version, {"", "m"}),
                                    BatchOf(kOther, right.version, {"m", ""})};
    batches[0].records = {{&left.effects[0], left.version}};
    batches[1].records = {{&right.effects[0], right.version}};
    ASSERT_TRUE(AppendOne(store(), kAnyTablet, left).ok());
    ASSERT_TRUE(AppendOne(store(), kOther, right).ok());
    ASSERT_TRUE(store().Apply(batches).ok());
    ASSERT_TRUE(CheckpointNow(store()));
  }
  void Merge() {
    const Version position{Epoch{2}, Lsn{2}}, freeze{Epoch{1}, Lsn{1}};
    ReplicaState state;
    state.table = kAnyTable;
    state.promised = {2};
    state.tombstone = true;
    std::vector<ApplyBatch> batches{BatchOf(kMerged, position, KeyRange::All()), {}, {}};
    for (size_t i : {1, 2}) {
      batches[i].tablet = i == 1 ? kAnyTablet : kOther;
      batches[i].table = kAnyTable;
      batches[i].forget = true;
      ASSERT_TRUE(store().PutReplicaState(batches[i].tablet, state).ok());
    }
    state.tombstone = false;
    state.merged = Merged{{kAnyTablet, {"", "m"}, freeze}, {kOther, {"m", ""}, freeze}, position};
    ASSERT_TRUE(store().PutReplicaState(kMerged, state).ok());
    ASSERT_TRUE(store().Apply(batches).ok());
  }
};

INSTANTIATE_TEST_SUITE_P(All, StoreMergeTest, DurableStores(), NameOfParam);

// Two tablets end and the new one is created in one transaction (PROTOCOL 10), which a crash takes back whole. No
// record is touched.
TEST_P(StoreMergeTest, AMergeIsOneTransaction) {
  FillBoth();
  Merge();
  SnapshotPosition position{kAnyTablet, Lsn{7}};
  ASSERT_TRUE(store().Get(kAnyTable, "a", &position));
  EXPECT_EQ(position.applied, Lsn{}) << "it has applied nothing any more";
  ASSERT_TRUE(FlushNow(store()).ok());
  life->Crash();
  auto replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 3);
  EXPECT_EQ((*replicas)[0].applied->range, (KeyRange{"", "m"})) << "as of the checkpoint";
  EXPECT_TRUE((*replicas)[0].state.tombstone);
  EXPECT_EQ((*replicas)[1].dedup_window.size(), 1u);
  EXPECT_FALSE((*replicas)[2].applied) << "but its state is there, and says whose logs bring it back";
  ASSERT_TRUE((*replicas)[2].state.merged);
  EXPECT_EQ((*replicas)[2].state.merged->right.tablet, kOther);
  EXPECT_EQ((*replicas)[0].last_logged, (Version{Epoch{1}, Lsn{1}}));

  Merge();
  const auto checkpoint = CheckpointNow(store());
  ASSERT_TRUE(checkpoint);
  EXPECT_FALSE(checkpoint->contains(kAnyTablet));
  EXPECT_EQ(checkpoint->at(kMerged), Lsn{2});
  life->Crash();
  replicas = store().Recover();
  ASSERT_TRUE(replicas && replicas->size() == 3 && (*replicas)[2].applied);
  for (size_t i : {0, 1}) {
    EXPECT_FALSE((*replicas)[i].applied);
    EXPECT_TRUE((*replicas)[i].dedup_window.empty());
    EXPECT_TRUE((*replicas)[i].last_logged) << "its log goes when somebody says so";
  }
  EXPECT_EQ((*replicas)[2].applied->range, KeyRange::All());
  EXPECT_EQ((*replicas)[2].dedup_window.size(), 1u);
  EXPECT_EQ(Records(), "a=1@1 z=1@1");
}

}  // namespace
}  // namespace ebla::tabletserver::testing
