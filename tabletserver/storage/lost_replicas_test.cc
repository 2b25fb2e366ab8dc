// A start whose log lacks a part, over every store that keeps records. A younger checkpoint may have tablets that the
// log does not know, and may lack replicas that it knows.
#include "tabletserver/storage/lost_replicas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <vector>

#include "tabletserver/storage/testing/conformance_fixture.h"

namespace ebla::tabletserver::testing {
namespace {

using ::testing::IsEmpty;

const KeyRange kLeft{"", "m"};
const KeyRange kRight{"m", ""};

class LostReplicasTest : public StoreTest {
 protected:
  // All that a start does before it replays lineages, and after it.
  void Start() {
    auto replicas = store().Recover();
    ASSERT_TRUE(replicas) << replicas.error();
    replicas_ = *std::move(replicas);
    ASSERT_TRUE(Lost().Mark(replicas_).ok());
    ASSERT_TRUE(Lost().Settle(replicas_).ok());
  }
  LostReplicas& Lost() { return store().lost_replicas(); }
  void Apply(TabletId tablet, uint64_t lsn, const std::string& key, const KeyRange& range) {
    ASSERT_TRUE(ApplyOne(store(), tablet, kAnyTable, Entry(lsn, {Put(key, "x")}), range).ok());
  }
  void Append(TabletId tablet, uint64_t first, uint64_t last) {
    for (uint64_t lsn = first; lsn <= last; ++lsn) ASSERT_TRUE(AppendOne(store(), tablet, Entry(lsn)).ok());
  }
  // The log knows this of a tablet.
  void PutState(TabletId tablet, const std::function<void(ReplicaState&)>& change) {
    ReplicaState state;
    state.table = kAnyTable;
    state.promised = {4};
    change(state);
    ASSERT_TRUE(store().PutReplicaState(tablet, state).ok());
    ASSERT_TRUE(FlushNow(store()).ok());
  }
  const RecoveredReplica& Found(TabletId tablet) {
    return *std::ranges::find(replicas_, tablet, &RecoveredReplica::tablet);
  }
  // Only a promise is left.
  void ExpectForgotten(TabletId tablet) {
    const RecoveredReplica& found = Found(tablet);
    EXPECT_FALSE(found.state.present() || found.state.lost || found.applied);
    EXPECT_EQ(found.state.promised, Epoch{4});
    EXPECT_FALSE(store().FirstLogged(tablet));
  }

  std::vector<RecoveredReplica> replicas_;
};

TEST_P(LostReplicasTest, WhatTheLogDoesNotKnowIsForgottenWithItsRecords) {
  Append(kAnyTablet, 1, 2);
  Apply(kAnyTablet, 2, "a", kLeft);
  Append(kOther, 1, 3);
  Apply(kOther, 3, "p", kRight);
  Start();
  EXPECT_EQ(Records(), "a=x@2");
  EXPECT_FALSE(store().FirstLogged(kOther));
  EXPECT_TRUE(Found(kAnyTablet).state.lost && Found(kAnyTablet).state.may_have_lost_writes);
  PutState(kOther, [](ReplicaState& state) { state.incomplete = true; });
  Start();
  EXPECT_FALSE(Found(kOther).applied) << "it is another life's";
  EXPECT_THAT(Found(kOther).dedup_window, IsEmpty());
}

// It was merged, split or dropped since, and replaying its log would write into the younger tablet.
TEST_P(LostReplicasTest, AReplicaBelowAYoungerTabletIsForgotten) {
  PutState(kAnyTablet, [](ReplicaState&) {});
  Append(kAnyTablet, 1, 2);
  PutState(kOther, [](ReplicaState&) {});
  Append(kOther, 1, 3);
  Apply(kOther, 3, "p", kRight);
  Start();
  ExpectForgotten(kAnyTablet);
  EXPECT_EQ(Records(), "p=x@3");
  EXPECT_TRUE(Found(kOther).state.lost);
}

TEST_P(LostReplicasTest, WithoutRecordsTheLogHasToBeginWithTheFirstEntry) {
  Append(kAnyTablet, 1, 3);
  PutState(kOther, [](ReplicaState& state) { state.incomplete_range = kRight; });
  Append(kOther, 2, 5);
  Start();
  EXPECT_TRUE(Found(kAnyTablet).state.lost);
  EXPECT_EQ(store().FirstLogged(kAnyTablet), Lsn{1});
  ExpectForgotten(kOther);
}

TEST_P(LostReplicasTest, AChildThatNoLogHasBroughtBackIsForgotten) {
  PutState(kOther, [](ReplicaState& state) {
    state.lineage_parent = kAnyTablet;
    state.lineage_lsn = {2};
    state.incomplete_range = kRight;
  });
  Append(kAnyTablet, 1, 3);
  Apply(kAnyTablet, 3, "a", kLeft);
  Append(kOther, 3, 4);
  Start();
  ExpectForgotten(kOther);
  EXPECT_TRUE(Found(kAnyTablet).state.present());
}

// The entries between were moved to the end of the log, which is lost.
TEST_P(LostReplicasTest, EntriesBehindAGapAreForgotten) {
  Apply(kAnyTablet, 2, "a", {});
  Append(kAnyTablet, 5, 6);
  Start();
  EXPECT_TRUE(Found(kAnyTablet).state.lost);
  EXPECT_FALSE(store().FirstLogged(kAnyTablet));
  EXPECT_EQ(Records(), "a=x@2");
}

INSTANTIATE_TEST_SUITE_P(Stores, LostReplicasTest, DurableStores(), NameOfParam);

}  // namespace
}  // namespace ebla::tabletserver::testing
