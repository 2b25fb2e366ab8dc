#include "master/balancer/planner/view.h"

#include <gtest/gtest.h>

#include <sstream>

#include "master/balancer/planner/testing/view_builder.h"
#include "master/balancer/planner/view_json.h"

namespace ebla::master {
namespace {

using namespace std::chrono_literals;
using testing::ViewBuilder;

std::string Saved(const ClusterView& view, const PlannerMemory& memory, const PlannerOptions& options = {}) {
  std::ostringstream out;
  SaveView(view, memory, options, out);
  return out.str();
}

Result<SavedView> Loaded(const std::string& text) {
  std::istringstream in(text);
  return LoadView(in);
}

std::string WhyNot(const std::string& text) {
  const auto loaded = Loaded(text);
  return loaded ? "loaded" : loaded.error().message();
}

// Every field of a view and its memory set.
ViewBuilder Full() {
  ViewBuilder cluster("abc");
  cluster.Table() = {TableId{7}, "carts", 2, 100, 200, 0.75, 0.125, {.prefix_bytes = 3, .delimiter = "/"}};
  PlannedServer& server = cluster.Server('b');
  server.rack = "east";
  server.live = false;
  server.lost = server.maintenance = server.draining = server.surplus = server.writes_refused = true;
  server.cpu = 1.5;
  server.disk_free_bytes = 3;
  server.disk_total_bytes = 9;
  TabletView& tablet = cluster.Tablet(9, std::string("\0\xff", 2), "m", "ab", "c");
  tablet.state = TabletState::kCopying;
  tablet.finding = SplitFinding::kOneDirection;
  tablet.learners_level = 1;
  tablet.led = {1, 2, 3, 4, 0.5};
  tablet.followed = {5, 6, 7, 8, 0.25};
  tablet.peaks = {10, 0.75};
  tablet.size_bytes = 11;
  tablet.split_key = "b";
  tablet.middle_key = "c\n";
  tablet.last_merge = tablet.last_split + 1s;
  tablet.last_failed = tablet.last_split + 2s;
  tablet.held_until = tablet.last_split + 3s;
  cluster.Tablet(8, "m", "", "c");
  const Streak streak{cluster.view.now - 10s, cluster.view.now, 3};
  cluster.memory.began = cluster.view.now - 1h;
  cluster.memory.tablets[TabletId{9}] = {streak, cluster.view.now, 2, cluster.view.now - 1s, "a", "c", {1, 0, 0, 0, 0}};
  cluster.memory.servers["a"].over[2] = streak;
  cluster.memory.servers["a"].overloaded[2] = true;
  cluster.memory.scale = {streak, streak, cluster.view.now, cluster.view.now - 2s};
  return cluster;
}

TEST(ViewTest, TheOptionsAreSavedToo) {
  PlannerOptions options;
  options.gap_max = 21s;
  options.merges = false;
  options.split.most = 7;
  options.balance.margins[1] = {0.3, 17.5};
  options.balance.cool_down = 90s;
  options.autoscale = {
      .enabled = true, .dry_run = true, .operations_per_server = 123, .servers_min = 2, .servers_max = 9};
  const ViewBuilder cluster = Full();
  const std::string text = Saved(cluster.view, cluster.memory, options);
  const auto loaded = Loaded(text);
  ASSERT_TRUE(loaded) << loaded.error();
  ASSERT_TRUE(loaded->options);
  EXPECT_EQ(Saved(loaded->view, loaded->memory, *loaded->options), text);
  EXPECT_EQ(loaded->options->gap_max, 21s);
  EXPECT_FALSE(loaded->options->merges);
  EXPECT_EQ(loaded->options->balance.margins[1].floor, 17.5);
  EXPECT_EQ(loaded->options->autoscale.servers_max, 9u);
  EXPECT_FALSE(Loaded("{\"view\": 1}\n")->options) << "an older master's view has none";
  EXPECT_EQ(WhyNot("{\"view\": 1}\n{\"options\": {\"splits\": 1}}\n"), "line 2: splits is neither true nor false");
  EXPECT_EQ(WhyNot("{\"view\": 1}\n{\"options\": 7}\n"), "line 2: options are no object");
}

TEST(ViewTest, WhatIsSavedLoadsAgain) {
  const ViewBuilder cluster = Full();
  const std::string text = Saved(cluster.view, cluster.memory);
  const auto loaded = Loaded(text);
  ASSERT_TRUE(loaded) << loaded.error();
  EXPECT_EQ(Saved(loaded->view, loaded->memory), text);
  const TabletView& tablet = loaded->view.tablets[0];
  EXPECT_EQ(tablet.range.start, std::string("\0\xff", 2));
  EXPECT_EQ(loaded->view.servers, cluster.view.servers);
  EXPECT_EQ(loaded->view.tables, cluster.view.tables);
  EXPECT_EQ(loaded->view.tablets, cluster.view.tablets);
  EXPECT_EQ(loaded->memory.tablets, cluster.memory.tablets);
  EXPECT_EQ(loaded->memory.servers, cluster.memory.servers);
  EXPECT_EQ(loaded->memory.scale, cluster.memory.scale);
  EXPECT_EQ(loaded->memory.began, cluster.memory.began);
}

TEST(ViewTest, AFileThatIsNoViewIsRefusedSayingWhere) {
  const std::string head = R"({"view": 1, "now_ms": 5000})"
                           "\n";
  const std::string table = R"({"table": 1, "name": "t"})"
                            "\n";
  const std::string server = R"({"server": "a"})"
                             "\n";
  EXPECT_EQ(WhyNot(""), "the file holds no view");
  EXPECT_EQ(WhyNot("hello"), "line 1: no JSON");
  EXPECT_EQ(WhyNot("[1]"), "line 1: no JSON object");
  EXPECT_EQ(WhyNot(table), "line 1: the first line is not that of a view");
  EXPECT_EQ(WhyNot(R"({"view": 2})"), "line 1: a view of format 2, not 1");
  EXPECT_EQ(WhyNot(head + R"({"shelf": 1})"), "line 2: it is of no known kind");
  EXPECT_EQ(WhyNot(head + R"({"tablet": 1, "table": 1})"), "line 2: table 1 is unknown");
  EXPECT_EQ(WhyNot(head + table + R"({"tablet": 1, "table": 1, "voters": ["a"]})"),
            "line 3: voters names an unknown server: \"a\"");
  EXPECT_EQ(WhyNot(head + table + server + R"({"tablet": 1, "table": 1})"), "tablet 1 has no voters");
  EXPECT_EQ(WhyNot(head + server + server), "server a is named twice");
  EXPECT_EQ(WhyNot(head + R"({"server": "a", "cpu": "much"})"), "line 2: cpu is not a number that fits");
  EXPECT_EQ(WhyNot(head + R"({"server": "a", "live": 3})"), "line 2: live is neither true nor false");
  EXPECT_EQ(WhyNot(head + R"({"server": "a", "disk_free_bytes": 1e300})"),
            "line 2: disk_free_bytes is not a number that fits");
  EXPECT_EQ(WhyNot(head + R"({"table": 1, "replicas": -1})"), "line 2: replicas is beyond any bound");
  EXPECT_EQ(WhyNot(head + R"({"table": 1, "name": 5})"), "line 2: name is not text");
  EXPECT_EQ(WhyNot(R"({"view": 1, "now_ms": 9000000000000000})"), "line 1: now_ms is not a time");
}

TEST(ViewTest, OverlappingRangesAreRefused) {
  ViewBuilder cluster("a");
  cluster.Tablet(1, "", "m", "a");
  cluster.Tablet(2, "k", "", "a");
  EXPECT_EQ(CheckView(cluster.view).message(), "tablets 1 and 2 are not in the order of their ranges");
}

TEST(ViewTest, AReplicaOnNoServerIsRefused) {
  ViewBuilder cluster("a");
  cluster.Tablet(1, "", "", "a");
  cluster.view.tablets.at(0).voters.Add(ServerIndex{7});
  EXPECT_EQ(CheckView(cluster.view).message(), "tablet 1 is on no server of the view");
}

TEST(ViewTest, AmountsAreReadable) {
  EXPECT_EQ(Amount(Dimension::kOperations, 1'234'567.4), "1,234,567 operations/s");
  EXPECT_EQ(Amount(Dimension::kOperations, 999), "999 operations/s");
  EXPECT_EQ(Amount(Dimension::kCpu, 0.5), "0.50 cores");
  EXPECT_EQ(Amount(Dimension::kDisk, 512), "512 B");
  EXPECT_EQ(Amount(Dimension::kDisk, 1.5 * (1 << 30)), "1.5 GiB");
  EXPECT_EQ(Amount(30s), "30 s");
  EXPECT_EQ(Amount(12min), "12 min");
  EXPECT_EQ(Amount(150min), "2.5 h");
}

TEST(ViewTest, AMillionTabletsAreNoBurden) {
  EXPECT_LE(sizeof(TabletView), 400u);
  EXPECT_LE(sizeof(TabletMemory), 200u);
}

}  // namespace
}  // namespace ebla::master
