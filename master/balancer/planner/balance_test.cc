#include "master/balancer/planner/balance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "master/balancer/planner/testing/random_cluster.h"
#include "master/balancer/planner/testing/view_builder.h"

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using testing::kGiB;
using testing::ViewBuilder;

// Tablets side by side in one table of three servers, each with its operations/s, led by the first of its voters.
class BalanceTest : public ::testing::Test {
 protected:
  BalanceTest() : cluster_("abcd") {
    cluster_.Table().split_operations = cluster_.Table().split_cores = 0;
    cluster_.Table().split_bytes = 0;
    cluster_.Table().merge_part = 0;
  }
  TabletView& Tablet(const std::string& voters, float operations, int64_t size = kGiB) {
    const size_t number = cluster_.view.tablets.size();
    if (number > 0) cluster_.view.tablets.back().range.end = Key(number);
    TabletView& tablet = cluster_.Tablet(number + 1, number == 0 ? "" : Key(number), "", voters);
    tablet.led.reads = operations;
    tablet.size_bytes = size;
    cluster_.Table().replicas = voters.size();
    return tablet;
  }
  static std::string Key(size_t number) { return std::to_string(1'000 + number); }
  std::string Refused(char server) const {
    std::string text;
    for (const Rejection& rejection : cluster_.last.rejected) {
      if (rejection.server == std::string(1, server)) text += std::string(Name(rejection.cause)) + "; ";
    }
    return text;
  }

  ViewBuilder cluster_;
};

TEST_F(BalanceTest, LeadershipGoesToTheLeastLoadedVoterOnceItHasLasted) {
  for (int i = 0; i < 4; ++i) Tablet("abc", 1'000);
  Tablet("bcd", 500);
  EXPECT_EQ(cluster_.Run(25s), "");
  EXPECT_NE(Refused('a').find("not yet"), std::string::npos);
  EXPECT_EQ(cluster_.Run(5s), "transfer tablet 1 from a to c; move tablet 2 from a to d; ");
  EXPECT_EQ(cluster_.last.actions[0].reason,
            "a has 4,000 operations/s, the mean is 1,125 operations/s (operations), c 0 operations/s; the tablet takes "
            "1,000 operations/s");
}

TEST_F(BalanceTest, SmallDifferencesAreLeftAlone) {
  for (const char* voters : {"abc", "bcd", "cda", "dab"}) Tablet(voters, 1'000);
  Tablet("abc", 100);
  EXPECT_EQ(cluster_.Run(10min), "") << "over the mean by a tenth, but by less than the floor";
  for (int i = 0; i < 40; ++i) Tablet(i % 4 == 0 ? "abc" : i % 4 == 1 ? "bcd" : i % 4 == 2 ? "cda" : "dab", 2'000);
  Tablet("abc", 1'000);
  EXPECT_EQ(cluster_.Run(10min), "") << "by more than the floor, but by less than a tenth";
}

TEST_F(BalanceTest, AServerThatAutoscalingAddedGetsItsShare) {
  for (int i = 0; i < 12; ++i) Tablet(std::string(1, "abc"[i % 3]), 100);
  EXPECT_EQ(cluster_.Run(10min), "") << "100 operations/s over the mean are nothing to a server of 20,000";
  cluster_.options.autoscale.enabled = true;
  cluster_.options.autoscale.operations_per_server = 100;
  EXPECT_EQ(cluster_.Run(1min), "move tablet 1 from a to d; move tablet 2 from b to d; move tablet 3 from c to d; ");
}

TEST_F(BalanceTest, AReplicaMovesWhereNoVoterHasRoom) {
  Tablet("a", 3'000);
  Tablet("a", 3'000);
  Tablet("b", 3'000);
  EXPECT_EQ(cluster_.Run(1min), "move tablet 2 from a to c; ");
}

TEST_F(BalanceTest, TheLargestPieceThatDoesNotOvershoot) {
  Tablet("a", 2'500);
  Tablet("a", 2'000);
  Tablet("a", 400);
  Tablet("a", 300);
  for (const char* voter : {"b", "c", "d"}) Tablet(voter, 3'000);
  EXPECT_EQ(cluster_.Run(1min), "move tablet 3 from a to b; move tablet 4 from a to c; ");
  testing::ApplyPlan(cluster_.last, cluster_.view);
  EXPECT_EQ(cluster_.Run(1h), "") << "what is left would only make another server as full";
}

TEST_F(BalanceTest, OneTabletThatIsMoreThanAShareEndsUpAlone) {
  Tablet("a", 9'000);
  Tablet("a", 700);
  Tablet("a", 700);
  for (const char* voter : {"b", "c", "d"}) Tablet(voter, 1'000);
  EXPECT_EQ(cluster_.Run(1min), "move tablet 2 from a to b; move tablet 3 from a to c; ");
  testing::ApplyPlan(cluster_.last, cluster_.view);
  EXPECT_EQ(cluster_.Run(30min), "");
  EXPECT_EQ(Refused('a'), "alone on its server; ");
}

TEST_F(BalanceTest, TwoSuchTabletsPart) {
  Tablet("a", 9'000);
  Tablet("a", 8'000);
  for (const char* voter : {"b", "c", "d"}) Tablet(voter, 1'000);
  EXPECT_EQ(cluster_.Run(1min), "move tablet 2 from a to b; ");
  testing::ApplyPlan(cluster_.last, cluster_.view);
  EXPECT_EQ(cluster_.Run(1min), "move tablet 3 from b to c; ") << "and what stands beside it goes";
  testing::ApplyPlan(cluster_.last, cluster_.view);
  EXPECT_EQ(cluster_.Run(1h), "");
}

TEST_F(BalanceTest, DiskAndCountsAreDimensionsToo) {
  for (int i = 0; i < 4; ++i) Tablet("ab", 0, 20 * kGiB);
  EXPECT_EQ(
      cluster_.Run(1min),
      "move tablet 1 from a to c; move tablet 2 from a to d; move tablet 3 from b to c; move tablet 4 from b to d; ");
  cluster_.view.tablets.clear();
  cluster_.memory = {};
  for (int i = 0; i < 12; ++i) Tablet("abcd", 0, 0);
  EXPECT_EQ(
      cluster_.Run(1min),
      "transfer tablet 1 from a to b; transfer tablet 2 from a to c; transfer tablet 3 from a to d; transfer tablet 4 "
      "from a to b; ")
      << "four of one server at a time";
}

TEST_F(BalanceTest, AServerShortOfDiskTakesNoCopyAndIsNamed) {
  Tablet("a", 3'000, kGiB);
  Tablet("a", 3'000, kGiB);
  Tablet("b", 3'000, kGiB);
  for (const char server : {'c', 'd'}) {
    cluster_.Server(server).disk_total_bytes = 100 * kGiB;
    cluster_.Server(server).disk_free_bytes = 10 * kGiB;
  }
  EXPECT_EQ(cluster_.Run(1min), "");
  const auto& rejected = cluster_.last.rejected;
  const auto of_a = std::ranges::find(rejected, "a", &Rejection::server);
  ASSERT_NE(of_a, rejected.end());
  EXPECT_THAT(of_a->detail, ::testing::EndsWith("; too little disk is free at c, d"));
  cluster_.options.disk_kept_free = 0;
  EXPECT_EQ(cluster_.Run(1min), "move tablet 2 from a to c; ");
}

TEST_F(BalanceTest, ACpuThatNoTabletExplainsCountsForItsServer) {
  for (const char* voters : {"ac", "ba", "ad"}) Tablet(voters, 10).led.cpu = 0.5;
  cluster_.Server('a').cpu = 3;
  EXPECT_EQ(cluster_.Run(1min), "transfer tablet 1 from a to c; transfer tablet 3 from a to d; ");
}

TEST_F(BalanceTest, ATabletThatWasMovedRestsTwiceAsLongEachTime) {
  for (const char* voters : {"ab", "ab", "cd", "dc"}) Tablet(voters, 1'000);
  cluster_.At(1).held_until = MonotonicTime::Max();
  std::vector<Duration> moved;
  // An operator moves it back each time.
  for (const MonotonicTime begin = cluster_.view.now; cluster_.view.now - begin < 24h;) {
    if (cluster_.Run(24h, 10s).empty() || cluster_.view.now - begin > 24h) break;
    EXPECT_EQ(ToString(cluster_.last.actions[0]), "transfer tablet 1 from a to b");
    moved.push_back(cluster_.view.now - begin);
    cluster_.view.now = cluster_.view.now + 10s;
  }
  ASSERT_GE(moved.size(), 7u);
  EXPECT_LE(moved.size(), 8u);
  for (size_t i = 1; i + 2 < moved.size(); ++i)
    EXPECT_GE(moved[i + 1] - moved[i], 2 * (moved[i] - moved[i - 1]) - 1min);
}

TEST_F(BalanceTest, HeldFailedOrUnderRepairStays) {
  for (const char* voter : {"a", "a", "c", "d"}) Tablet(voter, 1'000);
  for (size_t i = 0; i < 2; ++i) cluster_.At(i).held_until = cluster_.view.now + 2min;
  EXPECT_EQ(cluster_.Run(1min), "");
  EXPECT_EQ(cluster_.Causes(1), "held by an operator; ");
  for (size_t i = 0; i < 2; ++i) cluster_.At(i).last_failed = cluster_.view.now;
  EXPECT_EQ(cluster_.Run(4min), "");
  EXPECT_EQ(cluster_.Causes(1), "cool-down; ");
  cluster_.Table().replicas = 2;
  EXPECT_EQ(cluster_.Run(4min), "") << "repair comes first";
  cluster_.Table().replicas = 1;
  EXPECT_NE(cluster_.Run(4min), "");
}

TEST_F(BalanceTest, WhatIsUnderWayCounts) {
  for (int i = 0; i < 4; ++i) Tablet("a", 3'000);
  cluster_.options.balance.copies_per_server = 8;
  EXPECT_EQ(cluster_.Run(1min), "move tablet 1 from a to b; move tablet 2 from a to c; move tablet 3 from a to d; ");
  for (size_t i = 0; i < 3; ++i) {
    cluster_.At(i).state = TabletState::kCopying;
    cluster_.At(i).learners.Add(cluster_.Index("bcd"[i]));
  }
  EXPECT_EQ(cluster_.Run(10min), "") << "the copies take long, and nothing else is to be done";
}

TEST_F(BalanceTest, RacksStayApart) {
  cluster_.Server('a').rack = cluster_.Server('c').rack = "east";
  cluster_.Server('b').rack = cluster_.Server('d').rack = "west";
  for (int i = 0; i < 6; ++i) Tablet("ab", 0, 20 * kGiB);
  cluster_.Run(1min);
  ASSERT_FALSE(cluster_.last.actions.empty());
  for (const Action& action : cluster_.last.actions) {
    EXPECT_EQ(action.to, action.from == "a" ? "c" : "d") << ToString(action);
  }
}

TEST_F(BalanceTest, FromARandomPlacementToAnEvenOne) {
  cluster_.view = testing::MakeCluster({.servers = 50, .tablets = 5'000});
  const size_t least = testing::LeastMoves(cluster_.view, 1.1);
  EXPECT_GT(testing::WorstOverMean(cluster_.view, 0.1), 1.5) << "it is not even yet";
  size_t transfers = 0, moves = 0;
  MonotonicTime acted = cluster_.view.now;
  const MonotonicTime begin = acted;
  while (cluster_.view.now - acted < 30min && cluster_.view.now - begin < 24h) {
    const Plan plan = cluster_.Pass();
    for (const Action& action : plan.actions) ++(action.kind == ActionKind::kTransfer ? transfers : moves);
    if (!plan.actions.empty()) acted = cluster_.view.now;
    testing::ApplyPlan(plan, cluster_.view);
    cluster_.view.now = cluster_.view.now + 5s;
  }
  EXPECT_LT(cluster_.view.now - begin, 24h) << "it comes to rest";
  EXPECT_LE(testing::WorstOverMean(cluster_.view, 0.1), 1.1);
  std::cout << "transfers " << transfers << ", moves " << moves << ", of " << least << " at least, in "
            << Amount(acted - begin) << "\n";
  EXPECT_LE(transfers + moves, 3 * least);
}

}  // namespace
}  // namespace ebla::master
