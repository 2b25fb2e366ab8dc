#include "master/balancer/planner/autoscale.h"

#include <gtest/gtest.h>

#include "master/balancer/planner/testing/load_model.h"
#include "master/balancer/planner/testing/view_builder.h"

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using testing::kGiB;
using testing::ViewBuilder;

// Four servers, each with one tablet of the operations/s that the test sets.
class AutoscaleTest : public ::testing::Test {
 protected:
  AutoscaleTest() : cluster_("abcd") {
    cluster_.Table().merge_part = cluster_.Table().split_operations = 0;
    cluster_.options.autoscale.enabled = true;
    cluster_.options.autoscale.operations_per_server = 10'000;
    for (int i = 0; i < 4; ++i) {
      cluster_.Tablet(i + 1, i == 0 ? "" : std::string(1, static_cast<char>('e' + i)),
                      i == 3 ? "" : std::string(1, static_cast<char>('f' + i)), std::string(1, "abcd"[i]));
    }
  }
  void Each(float operations) {
    for (TabletView& tablet : cluster_.view.tablets) tablet.led.reads = operations;
  }
  std::string Run(Duration time) { return cluster_.Run(time, 10s); }
  std::string Causes() const {
    std::string text;
    for (const Rejection& rejection : cluster_.last.rejected) {
      if (rejection.rule == Rule::kAutoscale) text += std::string(Name(rejection.cause)) + "; ";
    }
    return text;
  }

  ViewBuilder cluster_;
};

TEST_F(AutoscaleTest, MoreThanTheTargetForLongAsksForAServer) {
  Each(10'500);
  EXPECT_EQ(Run(5min - 10s), "");
  EXPECT_EQ(Causes(), "not yet; ");
  EXPECT_EQ(Run(10s), "ask for a server; ");
  EXPECT_EQ(cluster_.last.actions[0].reason, "105% of 10,000 operations/s on each of 4 servers");
  cluster_.view.now = cluster_.view.now + 10s;
  EXPECT_EQ(Run(9min), "") << "the one that was asked for comes first";
  EXPECT_EQ(Run(2min), "ask for a server; ");
}

TEST_F(AutoscaleTest, APeakIsNotEnough) {
  Each(10'500);
  Run(4min);
  Each(9'000);
  Run(10s);
  Each(10'500);
  EXPECT_EQ(Run(4min), "");
}

TEST_F(AutoscaleTest, OneServerTooManyIsDrainedAndReleasedOnceEmpty) {
  Each(4'000);
  EXPECT_EQ(Run(30min - 10s), "");
  for (size_t i = 0; i < 4; ++i) cluster_.At(i).size_bytes = i == 2 ? kGiB : 2 * kGiB;
  EXPECT_EQ(Run(10s), "drain server c; ") << "it has the least to give away";
  EXPECT_EQ(cluster_.last.actions[0].reason,
            "40% of 10,000 operations/s on each of 4 servers, 53% of 10,000 operations/s on each of 3 servers");
  cluster_.Server('c').draining = cluster_.Server('c').surplus = true;
  EXPECT_EQ(Run(10s), "") << "it is emptied as an operator's drain is";
  cluster_.At(2).voters.Replace(2, 0);
  cluster_.view.now = cluster_.view.now + 10s;
  EXPECT_EQ(Run(0s), "release server c; ");
}

TEST_F(AutoscaleTest, TheTwoThresholdsLieApart) {
  for (const float operations : {9'900, 8'000, 7'000, 6'000}) {
    Each(operations);
    EXPECT_EQ(Run(2h), "") << operations;
  }
}

TEST_F(AutoscaleTest, TheLoadComesBackWhileAServerDrains) {
  Each(10'000);
  cluster_.Server('c').draining = cluster_.Server('c').surplus = true;
  cluster_.At(2).state = TabletState::kCopying;
  EXPECT_EQ(Run(10min), "keep server c; ");
  EXPECT_EQ(cluster_.last.actions[0].reason, "133% of 10,000 operations/s on each of 3 servers");
}

TEST_F(AutoscaleTest, TheOperatorsBoundsHold) {
  cluster_.options.autoscale.servers_max = cluster_.options.autoscale.servers_min = 4;
  Each(20'000);
  EXPECT_EQ(Run(1h), "");
  EXPECT_EQ(Causes(), "bounds; ");
  Each(100);
  EXPECT_EQ(Run(1h), "");
  EXPECT_EQ(Causes(), "bounds; ");
}

TEST_F(AutoscaleTest, ADryRunOnlySaysIt) {
  cluster_.options.autoscale.dry_run = true;
  Each(20'000);
  EXPECT_EQ(Run(1h), "");
  EXPECT_EQ(Causes(), "dry run; ");
}

TEST_F(AutoscaleTest, NobodyIsDrainedWhoseReplicasHaveNoOtherPlace) {
  cluster_.options.autoscale.servers_min = 1;
  cluster_.Table().replicas = 4;
  for (size_t i = 0; i < 4; ++i) {
    for (ServerIndex server = 0; server < 4; ++server) {
      if (server != i) cluster_.At(i).voters.Add(server);
    }
  }
  Each(100);
  EXPECT_EQ(Run(1h), "");
  EXPECT_EQ(Causes(), "no place; ");
}

TEST_F(AutoscaleTest, DisksCountToo) {
  for (const char name : {'a', 'b', 'c', 'd'}) {
    cluster_.Server(name).disk_total_bytes = 100 * kGiB;
    cluster_.Server(name).disk_free_bytes = 25 * kGiB;
  }
  EXPECT_EQ(Run(10min), "ask for a server; ");
  EXPECT_EQ(cluster_.last.actions[0].reason, "107% of 70.0 GiB on each of 4 servers");
}

}  // namespace
}  // namespace ebla::master
