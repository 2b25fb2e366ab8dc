#include "master/balancer/planner/full_disk.h"

#include <gtest/gtest.h>

#include "master/balancer/planner/autoscale.h"
#include "master/balancer/planner/testing/random_cluster.h"
#include "master/balancer/planner/testing/view_builder.h"

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using testing::kGiB;
using testing::ViewBuilder;

class FullDiskTest : public ::testing::Test {
 protected:
  FullDiskTest() : cluster_("abcd") {
    cluster_.options.merges = false;
    cluster_.Table().replicas = 2;
    cluster_.Tablet(1, "", "g", "ab").size_bytes = kGiB;
    cluster_.Tablet(2, "g", "m", "ba").size_bytes = 3 * kGiB;
    cluster_.Tablet(3, "m", "t", "ca").size_bytes = 2 * kGiB;
    cluster_.Tablet(4, "t", "", "cd").size_bytes = 2 * kGiB;
    for (TabletView& tablet : cluster_.view.tablets) tablet.led.reads = 100;
  }

  ViewBuilder cluster_;
};

TEST_F(FullDiskTest, LeadershipGoesAtOnceAndReplicasTheLargestFirst) {
  cluster_.Server('a').writes_refused = true;
  EXPECT_EQ(cluster_.Run(0s), "move tablet 2 from a to d; move tablet 3 from a to b; transfer tablet 1 from a to b; ");
  EXPECT_EQ(cluster_.last.actions[0].reason, "a is at its disk's reserve");
  testing::ApplyPlan(cluster_.last, cluster_.view);
  cluster_.view.now = cluster_.view.now + 5s;
  EXPECT_EQ(cluster_.Run(0s), "move tablet 1 from a to c; ");
  testing::ApplyPlan(cluster_.last, cluster_.view);
  EXPECT_EQ(cluster_.Run(10min), "");
}

TEST_F(FullDiskTest, WhatDrainsIsLeftToWhoEmptiesIt) {
  cluster_.Server('a').writes_refused = cluster_.Server('a').draining = true;
  EXPECT_EQ(cluster_.Run(0s), "");
}

TEST_F(FullDiskTest, WhoHasNoRoomGetsNothing) {
  cluster_.Server('a').writes_refused = true;
  cluster_.Server('c').maintenance = true;
  cluster_.At(2).voters.Replace(cluster_.Index('c'), cluster_.Index('b'));
  cluster_.Server('d').disk_total_bytes = 100 * kGiB;
  cluster_.Server('d').disk_free_bytes = 14 * kGiB;
  EXPECT_EQ(cluster_.Run(0s), "move tablet 2 from a to d; transfer tablet 1 from a to b; ");
  EXPECT_EQ(cluster_.Causes(3), "no place; ") << "3 GiB of the 4 above a tenth are spoken for";
}

TEST_F(FullDiskTest, TheCapsOnCopiesHold) {
  cluster_.Server('a').writes_refused = true;
  cluster_.options.balance.copies_per_server = 1;
  EXPECT_EQ(cluster_.Run(0s), "move tablet 2 from a to d; transfer tablet 1 from a to b; ");
  EXPECT_EQ(cluster_.Causes(3), "cap; ");
}

TEST_F(FullDiskTest, WhatCannotGoSaysWhy) {
  cluster_.Server('a').writes_refused = true;
  cluster_.Server('c').maintenance = cluster_.Server('d').maintenance = true;
  EXPECT_EQ(cluster_.Run(0s), "move tablet 3 from a to b; transfer tablet 1 from a to b; ");
  EXPECT_EQ(
      cluster_.Details(2),
      "a is at its disk's reserve; 1 of the 1 usable server holds a replica of it already, the other servers have "
      "no room for 3.0 GiB; ");
  EXPECT_EQ(CanDrain(cluster_.view, 0, 0.1).message(),
            "server a cannot be drained: tablet 1 has 2 replicas, and 1 other server may take one");
  cluster_.Server('c').maintenance = false;
  EXPECT_TRUE(CanDrain(cluster_.view, 0, 0.1).ok());
  for (const char name : {'b', 'c'}) {
    cluster_.Server(name).disk_total_bytes = 10 * kGiB;
    cluster_.Server(name).disk_free_bytes = 3 * kGiB;
  }
  EXPECT_EQ(CanDrain(cluster_.view, 0, 0.1).message(),
            "server a cannot be drained: it holds 6.0 GiB, and the other servers have room for 4.0 GiB");
}

TEST_F(FullDiskTest, ALoneReplicaMovesWithItsLeadership) {
  cluster_.Table().replicas = 1;
  cluster_.view.tablets.clear();
  cluster_.Tablet(1, "", "", "a").size_bytes = kGiB;
  cluster_.Server('a').writes_refused = true;
  EXPECT_EQ(cluster_.Run(0s), "move tablet 1 from a to b; ");
}

}  // namespace
}  // namespace ebla::master
