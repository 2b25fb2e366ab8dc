#include "master/balancer/planner/split.h"

#include <gtest/gtest.h>

#include "master/balancer/planner/testing/view_builder.h"

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using testing::kGiB;
using testing::ViewBuilder;

// One table on one server with one tablet that is over its load threshold, halved by "m".
class SplitTest : public ::testing::Test {
 protected:
  SplitTest() : cluster_("a") {
    TabletView& tablet = cluster_.Tablet(1, "", "", "a");
    tablet.led = {.reads = 2'000, .writes = 730, .cpu = 0.2};
    tablet.finding = SplitFinding::kKey;
    tablet.split_key = "m";
    cluster_.options.balances = false;
  }
  TabletView& tablet() { return cluster_.At(0); }

  ViewBuilder cluster_;
};

TEST_F(SplitTest, ALoadThatLastsIsCutWhereTheSampleSays) {
  EXPECT_EQ(cluster_.Run(25s), "");
  EXPECT_EQ(cluster_.Causes(1), "not yet; ");
  EXPECT_EQ(cluster_.Run(5s), "split tablet 1 at \"m\"; ");
  EXPECT_EQ(cluster_.last.actions[0].reason, "2,730 operations/s, over 2,500 operations/s for 30 s");
}

TEST_F(SplitTest, ABurstIsNotASplit) {
  cluster_.Run(25s);
  tablet().led.reads = 0;
  cluster_.Run(0s);
  tablet().led.reads = 2'000;
  EXPECT_EQ(cluster_.Run(25s), "") << "the count began anew";
}

TEST_F(SplitTest, PassesFarApartAreNoStretchOfTime) { EXPECT_EQ(cluster_.Run(10min, 1min), ""); }

TEST_F(SplitTest, CpuCountsToo) {
  tablet().led = {.reads = 10, .cpu = 0.6};
  EXPECT_NE(cluster_.Run(1min).find("split tablet 1"), std::string::npos);
}

TEST_F(SplitTest, ATableMaySaySo) {
  cluster_.Table().split_operations = 0;
  EXPECT_EQ(cluster_.Run(1min), "") << "0 is no threshold";
  cluster_.Table().split_operations = 5'000;
  EXPECT_EQ(cluster_.Run(1min), "");
}

TEST_F(SplitTest, ASizeIsCutInTheMiddleOfTheData) {
  tablet().led = {};
  tablet().size_bytes = 9 * kGiB;
  tablet().middle_key = "k";
  EXPECT_EQ(cluster_.Run(30s), "split tablet 1 at \"k\"; ");
  EXPECT_EQ(cluster_.last.actions[0].reason, "9.0 GiB, over 8.0 GiB for 30 s");
}

TEST_F(SplitTest, APopularKeyIsReportedAndLeftAloneForFiveMinutes) {
  tablet().finding = SplitFinding::kPopularKey;
  EXPECT_EQ(cluster_.Run(1min), "");
  EXPECT_EQ(cluster_.Causes(1), "popular key; ");
  EXPECT_NE(cluster_.Details(1).find("2,730 operations/s, over 2,500 operations/s; one popular key"),
            std::string::npos);
  tablet().finding = SplitFinding::kKey;
  EXPECT_EQ(cluster_.Run(4min), "");
  EXPECT_EQ(cluster_.Causes(1), "cool-down; ");
  EXPECT_EQ(cluster_.Run(1min), "split tablet 1 at \"m\"; ");
}

TEST_F(SplitTest, AnAppendedEndIsCutOffOnceItsRestIsWorthLeaving) {
  tablet().finding = SplitFinding::kOneDirection;
  tablet().split_key = "zzz";
  EXPECT_EQ(cluster_.Run(1min), "");
  EXPECT_EQ(cluster_.Causes(1), "one direction of access; ");
  tablet().size_bytes = 3 * kGiB;
  EXPECT_EQ(cluster_.Run(6min), "split tablet 1 at \"zzz\"; ");
}

TEST_F(SplitTest, NoKeyIsFound) {
  tablet().finding = SplitFinding::kNoKey;
  EXPECT_EQ(cluster_.Run(1min), "");
  EXPECT_EQ(cluster_.Causes(1), "no key; ");
}

TEST_F(SplitTest, AKeyOutsideOrTooLongIsNoCut) {
  tablet().range = {"a", "n"};
  for (const std::string& key : {std::string("a"), std::string("n"), std::string("z"), std::string(257, 'b')}) {
    cluster_.memory = {};
    tablet().split_key = key;
    EXPECT_EQ(cluster_.Run(1min), "") << key;
    EXPECT_EQ(cluster_.Causes(1), "no key; ");
  }
}

TEST_F(SplitTest, AKeyGroupIsNeverCut) {
  cluster_.Table().key_group.delimiter = "/";
  tablet().split_key = "m/2/x";
  EXPECT_EQ(cluster_.Run(30s), "split tablet 1 at \"m/\"; ");
  tablet().range = {"m/", "n"};
  EXPECT_EQ(cluster_.Run(1min), "");
  EXPECT_EQ(cluster_.Causes(1), "key group; ");
  cluster_.Table().key_group = {.prefix_bytes = 2};
  tablet().range = {"", ""};
  EXPECT_EQ(cluster_.Run(5min), "split tablet 1 at \"m/\"; ");
  cluster_.Table().key_group = {.all = true};
  EXPECT_EQ(cluster_.Run(5min), "");
  EXPECT_EQ(cluster_.Causes(1), "key group; ");
}

TEST_F(SplitTest, WhatIsUnderWayOrFailedOrWasJustSplitWaits) {
  tablet().state = TabletState::kIntentOpen;
  EXPECT_EQ(cluster_.Run(1min), "");
  EXPECT_EQ(cluster_.Causes(1), "not settled; ");
  tablet().state = TabletState::kSettled;
  tablet().last_failed = cluster_.view.now;
  EXPECT_EQ(cluster_.Run(4min), "");
  EXPECT_EQ(cluster_.Causes(1), "cool-down; ");
  tablet().last_split = cluster_.view.now;
  EXPECT_EQ(cluster_.Run(55s), "");
  EXPECT_NE(cluster_.Run(2min).find("split tablet 1"), std::string::npos);
}

TEST_F(SplitTest, TheCapsHold) {
  for (uint64_t id = 2; id <= 10; ++id) {
    TabletView copy = tablet();
    copy.id = TabletId{id};
    copy.range = {std::string(id, 'z'), std::string(id + 1, 'z')};
    copy.split_key = copy.range.start + "m";
    cluster_.view.tablets.push_back(copy);
  }
  tablet().range.end = "zz";
  cluster_.Run(25s);
  cluster_.Run(5s);
  EXPECT_EQ(cluster_.last.actions.size(), 4u) << "of one primary's server";
  EXPECT_EQ((cluster_.last.rejections[{Rule::kSplit, Cause::kCap}]), 6u);
}

}  // namespace
}  // namespace ebla::master
