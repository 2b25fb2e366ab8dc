#include "master/balancer/planner/repair.h"

#include <gtest/gtest.h>

namespace ebla::master {
namespace {

using Kind = RepairAction::Kind;

PlannedServer Live(std::string name, size_t tablets = 0, std::string rack = "") {
  PlannedServer server;
  server.name = std::move(name);
  server.rack = std::move(rack);
  server.live = true;
  server.tablets = tablets;
  return server;
}

RepairView Servers(std::string_view names) {
  RepairView view;
  for (const char name : names) view.cluster.servers.push_back(Live(std::string(1, name)));
  return view;
}

// Voters, then learners after a '|'. The first is the primary. After a name, '-' means away, '!' lost, '*' failed.
// Voters are caught up but for those with a '~', learners only with a '='.
PlannedTablet Tablet(uint64_t id, size_t wanted, std::string_view replicas) {
  PlannedTablet tablet;
  tablet.tablet = TabletId{id};
  tablet.wanted = wanted;
  tablet.settled = true;
  tablet.primary = replicas.substr(0, 1);
  auto* into = &tablet.voters;
  for (const char c : replicas) {
    if (c == '|') {
      into = &tablet.learners;
    } else if (c == '-') {
      into->back().health = ReplicaHealth::kAway;
    } else if (c == '!') {
      into->back().health = ReplicaHealth::kLost;
    } else if (c == '*') {
      into->back().health = ReplicaHealth::kFailed;
    } else if (c == '=' || c == '~') {
      into->back().caught_up = c == '=';
    } else {
      into->push_back({std::string(1, c), ReplicaHealth::kLive, into == &tablet.voters});
    }
  }
  return tablet;
}

std::string Planned(RepairView view, std::vector<PlannedTablet> tablets, RepairCaps caps = {}) {
  static constexpr const char* kKinds[] = {"learn ", "promote ", "remove ", "unlearn ", "hand to "};
  view.tablets = std::move(tablets);
  std::string plan;
  for (const RepairAction& action : PlanRepair(std::move(view), caps)) {
    plan += std::to_string(action.tablet.value) + ": " + kKinds[static_cast<int>(action.kind)] + action.server + "; ";
  }
  return plan;
}

TEST(RepairTest, AFailedReplicaGoesAtOnceAndIsReplacedWhereThereIsRoom) {
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "abc*")}), "1: remove c; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "abc*")}), "1: remove c; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "ab|c*")}), "1: unlearn c; ");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "ab-c*")}), "") << "of three one is left";
}

TEST(RepairTest, WhereAnOldReplicaMayBeLeftNoLearnerIsAdded) {
  PlannedTablet tablet = Tablet(1, 3, "ab");
  tablet.barred = {"c"};
  EXPECT_EQ(Planned(Servers("abcd"), {tablet}), "1: learn d; ");
  EXPECT_EQ(Planned(Servers("abc"), {tablet}), "");
  EXPECT_EQ(Planned(Servers("abcd"), {tablet, Tablet(2, 3, "ab")}), "1: learn d; 2: learn c; ");
}

TEST(RepairTest, AReplicaIsAddedInThreeSteps) {
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "ab")}), "1: learn c; ");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "ab|c")}), "");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "ab|c=")}), "1: promote c; ");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "abc")}), "");
  EXPECT_EQ(Planned(Servers("ab"), {Tablet(1, 3, "ab")}), "") << "no server is left";
}

TEST(RepairTest, ALostVoterIsReplacedBeforeItGoes) {
  EXPECT_EQ(Planned(Servers("abd"), {Tablet(1, 3, "abc-")}), "") << "it may come back";
  EXPECT_EQ(Planned(Servers("abd"), {Tablet(1, 3, "abc!")}), "1: learn d; ");
  EXPECT_EQ(Planned(Servers("abd"), {Tablet(1, 3, "abc!|d")}), "");
  EXPECT_EQ(Planned(Servers("abd"), {Tablet(1, 3, "abc!|d=")}), "1: promote d; ");
  EXPECT_EQ(Planned(Servers("abd"), {Tablet(1, 3, "abc!d")}), "1: remove c; ");
}

TEST(RepairTest, OneThatCameBackMakesItsReplacementNeedless) {
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "abc|d")}), "1: unlearn d; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "abcd")}), "1: remove d; ");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "ab|d!")}), "1: unlearn d; ");
}

TEST(RepairTest, FewerReplicasAreWanted) {
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 1, "abc")}), "1: remove c; ");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 1, "cb")}), "1: remove b; ");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 1, "c")}), "");
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 2, "ab-c")}), "1: remove b; ") << "the one that is away goes first";
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 2, "ab-c-")}), "") << "no majority of those left would live";
}

TEST(RepairTest, ARackThatHoldsSeveralGivesOneUp) {
  RepairView view;
  view.cluster.servers = {Live("a", 0, "east"), Live("b", 0, "west"), Live("c", 0, "east"), Live("d", 9, "north")};
  EXPECT_EQ(Planned(view, {Tablet(1, 3, "bacd")}), "1: remove c; ");
}

TEST(RepairTest, TheFewestLiveReplicasFirstWithinTheCaps) {
  const RepairCaps two{.copies = 2, .copies_per_server = 4, .changes = 100};
  EXPECT_EQ(Planned(Servers("abcde"), {Tablet(1, 3, "ab"), Tablet(2, 3, "a"), Tablet(3, 5, "abc")}, two),
            "2: learn b; 1: learn c; ");
  const RepairCaps one{.copies = 9, .copies_per_server = 1, .changes = 100};
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "ab"), Tablet(2, 3, "ab")}, one), "1: learn c; ");
  RepairView busy = Servers("abc");
  busy.copies = 2;
  EXPECT_EQ(Planned(busy, {Tablet(1, 3, "ab")}, two), "");
}

PlannedTablet Moving(std::string from, std::string to, PlannedTablet tablet) {
  tablet.move = {std::move(from), std::move(to)};
  return tablet;
}

TEST(RepairTest, AReplicaMovesAsLearnerVoterLeaderAndTheOldOneGoesLast) {
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "abc"))}), "1: learn d; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "abc|d"))}), "");
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "abc|d="))}), "1: promote d; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "abcd"))}), "1: hand to d; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "dabc"))}), "1: remove a; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("b", "d", Tablet(1, 3, "abcd"))}), "1: remove b; ") << "it did not lead";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "dbc"))}), "");
}

TEST(RepairTest, AMoveTakesNoMajorityAwayAndWaitsForItsPlace) {
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("b", "d", Tablet(1, 3, "ab-c-d"))}), "1: remove b; ")
      << "two of three live";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("c", "d", Tablet(1, 3, "ab-cd"))}), "") << "two would be left that live";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "abc-d-"))}), "") << "the new one is away";
  EXPECT_EQ(Planned(Servers("abc"), {Moving("a", "d", Tablet(1, 3, "abc"))}), "") << "no such server lives";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "abc|d!"))}), "1: unlearn d; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("x", "d", Tablet(1, 3, "abc|d"))}), "1: unlearn d; ")
      << "nothing is left to move";
}

TEST(RepairTest, AMoveTakesNoReplicaAwayThatIsWanted) {
  const auto moving = [](std::string_view replicas) { return Moving("b", "d", Tablet(1, 3, replicas)); };
  EXPECT_EQ(Planned(Servers("abde"), {moving("abc!d")}), "1: remove c; ") << "not b, which lives";
  EXPECT_EQ(Planned(Servers("abde"), {moving("abd")}), "1: learn e; ") << "b is to go, and counts no more";
  EXPECT_EQ(Planned(Servers("abde"), {moving("abd|e")}), "") << "which is not needless";
  EXPECT_EQ(Planned(Servers("abde"), {moving("abd|e=")}), "1: promote e; ");
  EXPECT_EQ(Planned(Servers("abde"), {moving("abde")}), "1: remove b; ");
  EXPECT_EQ(Planned(Servers("abd"), {moving("abd")}), "") << "no other place";
  EXPECT_EQ(Planned(Servers("abcd"), {moving("abc-d")}), "") << "nor is c removed, which may come back";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("b", "d", Tablet(1, 3, "ab-cd"))}), "1: remove b; ") << "it is not live";
}

TEST(RepairTest, AMoveThatHasNoPlaceHoldsUpNoRepair) {
  RepairView view = Servers("abde");
  view.cluster.servers[2].draining = true;
  EXPECT_EQ(Planned(view, {Moving("b", "d", Tablet(1, 3, "abc!"))}), "1: learn e; ");
  EXPECT_EQ(Planned(view, {Moving("b", "d", Tablet(1, 3, "abc"))}), "") << "nothing else is missing";
  EXPECT_EQ(Planned(Servers("abde"), {Moving("b", "d", Tablet(1, 3, "abc!"))}), "1: learn d; ")
      << "where it has one, it goes there";
}

TEST(RepairTest, WhoIsNotLevelCountsForNothing) {
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "abcd~")}), "1: remove d; ");
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "ab~cd")}), "1: remove b; ") << "before one that is caught up";
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "ab-cd~")}), "1: remove b; ") << "a and c are two of three";
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "ab!c~d~")}), "") << "of three one would be left that counts";
  EXPECT_EQ(Planned(Servers("abc"), {Tablet(1, 3, "ab~c*")}), "") << "nor does a failed one go then";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("b", "d", Tablet(1, 3, "abcd~"))}), "") << "the new one is incomplete";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("a", "d", Tablet(1, 3, "abcd~"))}), "") << "nor is it the primary";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("b", "d", Tablet(1, 3, "abc~d"))}), "1: remove b; ")
      << "a and d are two of three";
  EXPECT_EQ(Planned(Servers("abcd"), {Moving("b", "d", Tablet(1, 3, "a~bc~d"))}), "");
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "abc~|d")}), "") << "the copy goes on until c has everything";
  EXPECT_EQ(Planned(Servers("abcd"), {Tablet(1, 3, "abc~|d=")}), "1: promote d; ");
}

TEST(RepairTest, WhatIsNotSettledWaits) {
  PlannedTablet tablet = Tablet(1, 3, "ab");
  tablet.settled = false;
  EXPECT_EQ(Planned(Servers("abc"), {tablet}), "");
}

}  // namespace
}  // namespace ebla::master
