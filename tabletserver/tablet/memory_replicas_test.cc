#include "tabletserver/tablet/memory_replicas.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace ebla::tabletserver {
namespace {

constexpr TableId kForgets{1}, kDurable{2};

class MemoryReplicasTest : public ::testing::Test {
 protected:
  RecoveredReplica& Add(uint64_t tablet, KeyRange range, TableId table = kForgets) {
    RecoveredReplica& replica = replicas_.emplace_back();
    replica.tablet = TabletId{tablet};
    replica.state.table = table;
    replica.state.promised = {4};
    replica.state.led = {3};
    replica.state.longest_lease_ms = 1'000;
    replica.state.incomplete_range = std::move(range);
    replica.state.schema = table == kForgets ? "memory" : "disk";
    return replica;
  }
  std::vector<TabletId> Forget() {
    const auto changed = ForgetMemory(replicas_, [](const std::string& schema) -> Result<bool> {
      if (schema.empty()) return Error(Code::kInternal, "no schema");
      return schema == "memory";
    });
    EXPECT_TRUE(changed);
    return changed.value_or(std::vector<TabletId>());
  }
  const ReplicaState& At(uint64_t tablet) {
    return std::ranges::find(replicas_, TabletId{tablet}, &RecoveredReplica::tablet)->state;
  }
  std::string Places() {
    std::ostringstream out;
    for (uint64_t tablet = 1; tablet < 10; ++tablet) {
      const auto found = std::ranges::find(replicas_, TabletId{tablet}, &RecoveredReplica::tablet);
      if (found != replicas_.end() && found->state.present()) {
        out << tablet << " " << found->state.incomplete_range << "; ";
      }
    }
    return out.str();
  }
  std::vector<RecoveredReplica> replicas_;
};

TEST_F(MemoryReplicasTest, WhatIsLostIsSaidAndWhatWasPromisedIsKept) {
  Add(1, {"", "m"});
  EXPECT_EQ(Forget(), std::vector{TabletId{1}});
  EXPECT_TRUE(At(1).incomplete);
  EXPECT_TRUE(At(1).may_have_lost_writes);
  EXPECT_EQ(At(1).promised, Epoch{4});
  EXPECT_EQ(At(1).led, Epoch{3});
  EXPECT_EQ(At(1).longest_lease_ms, 1'000);
  EXPECT_EQ(At(1).incomplete_range, (KeyRange{"", "m"}));
}

TEST_F(MemoryReplicasTest, TablesOnDiskTombstonesAndPromisesAreAsTheyWere) {
  Add(1, {"", "m"}, kDurable);
  Add(2, {"m", ""}).state.tombstone = true;
  Add(3, {}).state = {.promised = {9}};
  EXPECT_TRUE(Forget().empty());
  for (const uint64_t tablet : {1, 2, 3}) {
    EXPECT_FALSE(At(tablet).incomplete) << tablet;
    EXPECT_FALSE(At(tablet).may_have_lost_writes) << tablet;
  }
}

TEST_F(MemoryReplicasTest, NoLogIsReplayedForAChild) {
  Add(1, {"", "m"});
  RecoveredReplica& child = Add(2, {"m", ""});
  child.state.lineage_parent = TabletId{1};
  child.state.lineage_epoch = {4};
  child.state.lineage_lsn = {77};
  Forget();
  EXPECT_FALSE(At(2).lineage_parent);
  EXPECT_FALSE(At(2).lineage_lsn);
}

// The child's state reaches the disk before the parent's new place does.
TEST_F(MemoryReplicasTest, TwoThatACrashLeftInOnePlaceHaveOneEach) {
  Add(1, {"", ""});
  Add(3, {"t", ""}).state.lineage_parent = TabletId{2};
  Add(2, {"g", ""}).state.lineage_parent = TabletId{1};
  Add(4, {"", ""}, kDurable);
  Forget();
  EXPECT_EQ(Places(), "1 [\"\", \"g\"); 2 [\"g\", \"t\"); 3 [\"t\", \"\"); 4 [\"\", \"\"); ");
}

TEST_F(MemoryReplicasTest, PartsOfAMergedTabletGoAndTheDiskIsTold) {
  Add(1, {"", "m"});
  Add(2, {"m", ""}).state.tombstone = true;  // this one's tombstone is on the disk already
  Add(3, {"", ""}).state.merged =
      Merged{{TabletId{1}, {"", "m"}, {}}, {TabletId{2}, {"m", ""}, {}}, {Epoch{6}, Lsn{9}}};
  EXPECT_EQ(Forget(), (std::vector{TabletId{1}, TabletId{3}}));
  EXPECT_TRUE(At(1).tombstone);
  EXPECT_EQ(At(1).promised, Epoch{6});
  EXPECT_FALSE(At(1).may_have_lost_writes);
  EXPECT_FALSE(At(3).merged);
  EXPECT_TRUE(At(3).incomplete);
  EXPECT_EQ(Places(), "3 [\"\", \"\"); ");
}

TEST_F(MemoryReplicasTest, ASchemaThatCannotBeReadIsAnError) {
  Add(1, {"", "m"}).state.schema.clear();
  const auto forgotten =
      ForgetMemory(replicas_, [](const std::string&) -> Result<bool> { return Error(Code::kInternal, "no schema"); });
  EXPECT_EQ(forgotten.error().code(), Code::kInternal);
}

}  // namespace
}  // namespace ebla::tabletserver
