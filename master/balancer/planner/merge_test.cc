#include "master/balancer/planner/merge.h"

#include <gtest/gtest.h>

#include "master/balancer/planner/testing/view_builder.h"

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using testing::kGiB;
using testing::ViewBuilder;

// Two quiet neighbours on the same servers.
class MergeTest : public ::testing::Test {
 protected:
  MergeTest() : cluster_("abcd") {
    cluster_.Table().replicas = 2;
    cluster_.options.balances = false;
    for (int i = 0; i < 2; ++i) {
      TabletView& tablet = i == 0 ? cluster_.Tablet(1, "", "m", "ab") : cluster_.Tablet(2, "m", "", "ba");
      tablet.led = {.reads = 100, .cpu = 0.01};
      tablet.peaks = {600, 0.1};
      tablet.size_bytes = kGiB;
    }
  }
  TabletView& left() { return cluster_.At(0); }
  TabletView& right() { return cluster_.At(1); }
  std::string Refused() {
    EXPECT_EQ(cluster_.Run(0s), "");
    return cluster_.Causes(1);
  }

  ViewBuilder cluster_;
};

TEST_F(MergeTest, QuietNeighboursAreMerged) {
  EXPECT_EQ(cluster_.Run(0s), "merge tablet 1 and 2; ");
  EXPECT_EQ(cluster_.last.actions[0].reason,
            "peaks of 5 min add up to 1,200 operations/s, 0.20 cores, 2.0 GiB, below 1,250 operations/s, 0.25 cores, "
            "4.0 GiB");
}

TEST_F(MergeTest, PeaksCountNotTheMoment) {
  left().peaks.operations = 700;
  EXPECT_EQ(Refused(), "would split again; ");
  left().peaks = {0, 0.2};
  EXPECT_EQ(Refused(), "would split again; ");
  left().peaks = {};
  EXPECT_EQ(cluster_.Run(0s), "merge tablet 1 and 2; ");
}

TEST_F(MergeTest, WhatIsBusyNowOrLargeIsNoCandidate) {
  left().size_bytes = 3 * kGiB;
  EXPECT_EQ(Refused(), "");
  left().size_bytes = 0;
  left().led.writes = 1'200;
  EXPECT_EQ(Refused(), "");
}

TEST_F(MergeTest, FiveFullMinutesOfBoth) {
  right().history = 299s;
  EXPECT_EQ(Refused(), "short history; ");
}

TEST_F(MergeTest, AnHourAfterASplit) {
  right().last_split = cluster_.view.now - 59min;
  EXPECT_EQ(Refused(), "split lately; ");
  cluster_.view.now = cluster_.view.now + 1min;
  EXPECT_EQ(cluster_.Run(0s), "merge tablet 1 and 2; ");
}

TEST_F(MergeTest, ANewPlannerWaitsAnHourWhereNobodyKnowsOfASplit) {
  right().last_split = {};
  EXPECT_EQ(Refused(), "split lately; ");
  EXPECT_EQ(cluster_.Run(55min, 5min), "");
  EXPECT_EQ(cluster_.Run(5min), "merge tablet 1 and 2; ");
}

TEST_F(MergeTest, NeitherAcrossAGapNorAcrossTables) {
  right().range.start = "n";
  EXPECT_EQ(Refused(), "");
  right().range.start = "m";
  TableView other = cluster_.Table();
  other.id = TableId{2};
  cluster_.view.tables.push_back(other);
  right().table = 1;
  EXPECT_EQ(Refused(), "");
}

TEST_F(MergeTest, ATableMayForbidIt) {
  cluster_.Table().merge_part = 0;
  EXPECT_EQ(Refused(), "");
}

TEST_F(MergeTest, AnOperatorsPlacingIsRespected) {
  left().held_until = cluster_.view.now + 1s;
  EXPECT_EQ(Refused(), "held by an operator; ");
}

TEST_F(MergeTest, TheSmallerOnesReplicasAreBroughtToTheOthers) {
  left().size_bytes = kGiB / 2;
  left().voters = {};
  for (const char name : {'c', 'd'}) left().voters.Add(cluster_.Index(name));
  EXPECT_EQ(cluster_.Run(0s), "move tablet 1 from d to a; ") << "its primary's comes last";
  left().voters = {};
  for (const char name : {'c', 'a'}) left().voters.Add(cluster_.Index(name));
  EXPECT_EQ(cluster_.Run(9min), "") << "it rests after each move";
  EXPECT_EQ(cluster_.Run(1min), "move tablet 1 from c to b; ");
  left().voters = right().voters;
  EXPECT_EQ(cluster_.Run(0s), "merge tablet 1 and 2; ");
}

TEST_F(MergeTest, WhoCanTakeNothingIsNotAlignedTo) {
  left().size_bytes = kGiB / 2;
  left().voters = {};
  for (const char name : {'c', 'b'}) left().voters.Add(cluster_.Index(name));
  cluster_.Server('a').maintenance = true;
  EXPECT_EQ(Refused(), "no place; ");
}

TEST_F(MergeTest, OnePairAmongManyNeighboursAtATime) {
  cluster_.view.tablets.clear();
  for (uint64_t i = 0; i < 100; ++i) {
    const auto key = [](uint64_t n) {
      return std::string{static_cast<char>('a' + n / 10), static_cast<char>('0' + n % 10)};
    };
    cluster_.Tablet(i + 1, i == 0 ? "" : key(i), i == 99 ? "" : key(i + 1), "ab");
  }
  EXPECT_EQ(cluster_.Run(0s),
            "merge tablet 1 and 2; merge tablet 33 and 34; merge tablet 65 and 66; merge tablet 97 and 98; ");
  for (const size_t index : {0, 1, 32, 33, 64, 65, 96, 97}) cluster_.At(index).state = TabletState::kIntentOpen;
  EXPECT_EQ(cluster_.Run(0s), "") << "until those are done";
  EXPECT_GT(cluster_.last.rejections.at({Rule::kMerge, Cause::kCap}), 80u);
  cluster_.At(32).state = cluster_.At(33).state = TabletState::kSettled;
  cluster_.At(0).state = cluster_.At(1).state = TabletState::kSettled;
  EXPECT_EQ(cluster_.Run(0s), "merge tablet 1 and 2; merge tablet 33 and 34; ");
}

}  // namespace
}  // namespace ebla::master
