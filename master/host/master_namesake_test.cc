// Two masters of one name: the later one is refused, and the leader keeps its lead.
#include <gmock/gmock.h>

#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

TEST(MasterNamesakeTest, TheLaterMasterOfANameIsRefused) {
  MasterRig cluster({.masters = 2});
  ASSERT_TRUE(cluster.WaitForLeader());
  const size_t leader = *cluster.Leader(), other = 1 - leader;
  cluster.KillMaster(other);
  cluster.StartMaster(other, "master-" + std::to_string(leader + 1));
  ASSERT_TRUE(cluster.RunUntil([&] { return !cluster.Refused(other).ok(); }));
  EXPECT_EQ(cluster.Refused(other).code(), Code::kInvalidArgument);
  EXPECT_THAT(cluster.Refused(other).message(), ::testing::HasSubstr("give each master a --name of its own"));
  cluster.scheduler().RunFor(60s);
  EXPECT_TRUE(cluster.Refused(leader).ok());
  EXPECT_EQ(cluster.Leader(), leader);
}

TEST(MasterNamesakeTest, AnEarlierLifeElsewhereIsNoNamesake) {
  MasterRig cluster({.masters = 2});
  ASSERT_TRUE(cluster.WaitForLeader());
  const size_t leader = *cluster.Leader(), other = 1 - leader;
  cluster.KillMaster(other);
  cluster.KillMaster(leader);  // its session is open for a while yet
  cluster.StartMaster(other, "master-" + std::to_string(leader + 1));
  ASSERT_TRUE(cluster.WaitForLeader());
  cluster.scheduler().RunFor(60s);
  EXPECT_EQ(cluster.Leader(), other);
  EXPECT_TRUE(cluster.Refused(other).ok());
}

}  // namespace
}  // namespace ebla::master::testing
