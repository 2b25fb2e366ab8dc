#include "master/cluster/cluster_view.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <ctime>
#include <deque>
#include <limits>

namespace ebla::master {
namespace {

using namespace std::chrono_literals;

constexpr MonotonicTime kNow{100h};

// A catalog and reports, written by hand.
class ClusterViewTest : public ::testing::Test {
 protected:
  void Server(const std::string& name, bool live = true) {
    master::Server& server = servers_[name];
    server.node.emplace().name = name;
    server.changed = kNow - 10min;
    if (!live) return;
    server.live.emplace().rack = "r-" + name;
    server.report.emplace().received = kNow;
  }
  idl::TableNode& Table(int64_t id, const std::string& name) {
    idl::TableNode& table = tables_.emplace_back();
    table.schema.tableId = id;
    table.schema.name = name;
    table.schema.options.__set_replicas(3);
    table.state = idl::TableState::SERVING;
    return table;
  }
  idl::TabletNode& Tablet(int64_t id, int64_t table, const std::string& start, const std::string& end,
                          std::vector<std::string> voters) {
    idl::TabletNode& node = tablets_.emplace_back();
    node.info.tabletId = id;
    node.info.tableId = table;
    node.info.range.startKey = start;
    node.info.range.endKey = end;
    node.info.epoch = 4;
    node.info.primary = voters[0];
    node.info.voters = std::move(voters);
    node.info.state = idl::TabletState::SERVING;
    return node;
  }
  idl::TabletLoad& Load(const std::string& server, int64_t tablet) {
    Report& report = *servers_.at(server).report;
    report.index[TabletId{static_cast<uint64_t>(tablet)}] = report.body.tablets.size();
    idl::TabletLoad& load = report.body.tablets.emplace_back();
    load.tabletId = tablet;
    load.epoch = 4;
    load.sizeBytes = 1'000;
    return load;
  }
  ClusterView Make() {
    Image image;
    for (const idl::TableNode& table : tables_) image.PutTable(table, 0);
    for (const idl::TabletNode& tablet : tablets_) image.PutTablet(tablet, 0);
    const auto settled = [this](const TabletEntry& tablet) { return !unsettled_.contains(tablet.id().value); };
    ClusterView view = MakeClusterView({.image = image,
                                        .servers = servers_,
                                        .settled = settled,
                                        .primary = &TabletEntry::named,
                                        .pasts = pasts_,
                                        .surplus = surplus_,
                                        .now = kNow,
                                        .lost_after = 5min});
    EXPECT_TRUE(CheckView(view).ok()) << CheckView(view);
    return view;
  }

  std::map<ServerName, master::Server> servers_;
  std::deque<idl::TableNode> tables_;
  std::deque<idl::TabletNode> tablets_;
  std::set<uint64_t> unsettled_;
  TabletPasts pasts_;
  std::set<ServerName> surplus_;
};

TEST_F(ClusterViewTest, SaysWhatThePrimaryAndTheBusiestFollowerReport) {
  for (const char* name : {"a", "b", "c"}) Server(name);
  Table(1, "carts");
  Tablet(7, 1, "", "", {"c", "a", "b"});
  idl::TabletLoad& led = Load("c", 7);
  led.leading = true;
  led.sizeBytes = 5'000;
  led.readsPerSecond = 700;
  led.writesPerSecond = 300;
  led.writeBytesPerSecond = 30'000;
  led.cpuMicrosPerSecond = 250'000;
  idl::SplitFinding finding;
  finding.kind = idl::SplitFindingKind::KEY;
  finding.key = "m";
  finding.middleKey = "k";
  led.__set_splitFinding(finding);
  idl::LoadPeaks peaks;
  peaks.operationsPerSecond = 1'200;
  peaks.cpuMicrosPerSecond = 300'000;
  peaks.coveredMs = 60'000;
  led.__set_peaks(peaks);
  Load("a", 7).cpuMicrosPerSecond = 10'000;
  Load("b", 7).cpuMicrosPerSecond = 20'000;

  const ClusterView view = Make();
  ASSERT_EQ(view.tablets.size(), 1u);
  const TabletView& tablet = view.tablets[0];
  EXPECT_TRUE(tablet.settled());
  EXPECT_EQ(view.servers[tablet.primary()].name, "c") << "the primary comes first";
  EXPECT_EQ(tablet.voters.size(), 3u);
  EXPECT_EQ(tablet.size_bytes, 5'000);
  EXPECT_EQ(tablet.led.operations(), 1'000);
  EXPECT_FLOAT_EQ(tablet.led.cpu, 0.25f);
  EXPECT_FLOAT_EQ(tablet.followed.cpu, 0.02f);
  EXPECT_EQ(tablet.finding, SplitFinding::kKey);
  EXPECT_EQ(tablet.split_key, "m");
  EXPECT_EQ(tablet.middle_key, "k");
  EXPECT_EQ(tablet.peaks.operations, 1'200);
  EXPECT_EQ(tablet.history, Duration(1min));
  EXPECT_EQ(tablet.last_split, MonotonicTime{});
}

TEST_F(ClusterViewTest, AnotherEpochsLoadAndWhatIsNotSaidCountForNothing) {
  Server("a");
  Server("b");
  Table(1, "carts");
  Tablet(7, 1, "", "", {"a", "b"});
  idl::TabletLoad& old = Load("a", 7);
  old.leading = true;
  old.epoch = 3;
  old.readsPerSecond = 9'000;
  unsettled_ = {7};
  const TabletView tablet = Make().tablets.at(0);
  EXPECT_EQ(tablet.state, TabletState::kUnsettled);
  EXPECT_EQ(tablet.led.operations(), 0);
  EXPECT_EQ(tablet.finding, SplitFinding::kNoKey);
  EXPECT_EQ(tablet.history, Duration{0});
  EXPECT_EQ(tablet.size_bytes, 1'000);
}

TEST_F(ClusterViewTest, TablesBringTheirThresholdsAndTabletsComeInTheirOrder) {
  Server("a");
  idl::TableOptions& first = Table(9, "a-table").schema.options;
  first.__set_splitBytes(1 << 20);
  first.__set_splitOpsPerSecond(100);
  first.__set_mergeBytes(1 << 18);
  idl::KeyGroup group;
  group.__set_delimiter("/");
  first.__set_keyGroup(group);
  idl::TableOptions& second = Table(2, "b-table").schema.options;
  second.__set_mergeBytes(0);
  idl::KeyGroup prefix;
  prefix.__set_prefixBytes(4);
  second.__set_keyGroup(prefix);
  Table(3, "gone").state = idl::TableState::DROPPING;
  Tablet(20, 2, "m", "", {"a"});
  Tablet(21, 2, "", "m", {"a"});
  Tablet(22, 9, "", "", {"a"});
  Tablet(23, 3, "", "", {"a"});
  Tablet(24, 9, "x", "", {"a"}).info.state = idl::TabletState::CREATING;
  tablets_[2].info.range.endKey = "x";

  const ClusterView view = Make();
  ASSERT_EQ(view.tables.size(), 2u);
  EXPECT_EQ(view.tables[0].split_bytes, 1 << 20);
  EXPECT_EQ(view.tables[0].split_operations, 100);
  EXPECT_EQ(view.tables[0].merge_part, 0.25);
  EXPECT_EQ(view.tables[0].key_group.delimiter, "/");
  EXPECT_EQ(view.tables[1].merge_part, 0) << "never";
  EXPECT_EQ(view.tables[1].key_group.prefix_bytes, 4u);
  ASSERT_EQ(view.tablets.size(), 3u) << "neither one that is being made nor one that goes";
  EXPECT_EQ(view.tablets[0].id, TabletId{22});
  EXPECT_EQ(view.tablets[1].id, TabletId{21});
  EXPECT_EQ(view.tablets[2].id, TabletId{20});
}

TEST_F(ClusterViewTest, WhatIsUnderWayShows) {
  for (const char* name : {"a", "b", "c"}) Server(name);
  Table(1, "carts");
  idl::SplitIntent split;
  split.key = "b";
  Tablet(1, 1, "", "d", {"a", "b"}).__set_split(split);
  idl::MoveIntent move;
  move.fromServer = "a";
  move.toServer = "c";
  Tablet(2, 1, "d", "m", {"a", "b"}).__set_move(move);
  idl::TabletNode& copied = Tablet(3, 1, "m", "t", {"a", "b"});
  copied.info.learners = {"c"};
  copied.__set_move(move);
  Tablet(4, 1, "t", "", {"a", "b"}).info.learners = {"c"};

  const ClusterView view = Make();
  EXPECT_EQ(view.tablets[0].state, TabletState::kIntentOpen);
  for (const size_t i : {1u, 2u, 3u}) {
    EXPECT_EQ(view.tablets[i].state, TabletState::kCopying) << i;
    ASSERT_EQ(view.tablets[i].learners.size(), 1u) << i;
    EXPECT_EQ(view.servers[view.tablets[i].learners.front()].name, "c")
        << "also where the move has only been wished for";
  }
}

TEST_F(ClusterViewTest, ThePastIsWhatThisMasterSaw) {
  Server("a");
  Table(1, "carts");
  Tablet(1, 1, "", "m", {"a"});
  Image image;
  image.PutTable(tables_[0], 0);
  image.PutTablet(tablets_[0], 0);
  pasts_.Observe(image, kNow - 5min);
  EXPECT_EQ(Make().tablets[0].last_split, MonotonicTime{}) << "it was there before";
  Tablet(2, 1, "m", "", {"a"}).__set_parentId(1);
  image.PutTablet(tablets_[1], 0);
  pasts_.Observe(image, kNow - 1min);
  pasts_.NoteFailed(TabletId{1}, kNow - 30s);
  pasts_.Hold(TabletId{2}, kNow + 1min);
  pasts_.Observe(image, kNow);
  const ClusterView view = Make();
  EXPECT_EQ(view.tablets[0].last_split, kNow - 1min) << "its half has come";
  EXPECT_EQ(view.tablets[1].last_split, kNow - 1min);
  EXPECT_EQ(view.tablets[0].last_failed, kNow - 30s);
  EXPECT_EQ(view.tablets[1].held_until, kNow + 1min);
  image.EraseTablet(TabletId{2});
  pasts_.Observe(image, kNow);
  EXPECT_EQ(pasts_.Of(TabletId{2}).split, MonotonicTime{}) << "gone, and forgotten";
}

TEST_F(ClusterViewTest, ServersAsTheyAre) {
  Server("a");
  Server("b", false);
  Server("c");
  servers_["a"].report->body.cpuFraction = 1.5;
  servers_["a"].report->body.writesRefused = true;
  servers_["c"].node->draining = true;
  surplus_ = {"a", "c"};
  Table(1, "carts");
  Tablet(1, 1, "", "", {"a", "nobody"});
  const ClusterView view = Make();
  ASSERT_EQ(view.servers.size(), 4u);
  EXPECT_EQ(view.servers[0].cpu, 1.5);
  EXPECT_TRUE(view.servers[0].writes_refused);
  EXPECT_FALSE(view.servers[0].surplus) << "it does not drain";
  EXPECT_TRUE(view.servers[1].lost) << "away for ten minutes";
  EXPECT_TRUE(view.servers[2].draining && view.servers[2].surplus);
  EXPECT_EQ(view.servers[3].name, "nobody");
  EXPECT_TRUE(view.servers[3].lost);
}

// A hundred servers with this many tablets.
struct ScaledCluster {
  explicit ScaledCluster(int64_t tablets);

  double SecondsForAView() const {
    const std::clock_t begin = std::clock();
    const ClusterView view = MakeClusterView(
        {image, servers, [](const TabletEntry&) { return true; }, &TabletEntry::named, {}, {}, kNow, 5min});
    const std::clock_t end = std::clock();
    EXPECT_EQ(view.tablets.size(), image.tablets().size());
    return static_cast<double>(end - begin) / CLOCKS_PER_SEC;
  }

  Image image;
  std::map<ServerName, Server> servers;
};

ScaledCluster::ScaledCluster(int64_t tablets) {
  idl::TableNode table;
  table.schema.tableId = 1;
  table.schema.name = "carts";
  table.schema.options.__set_replicas(3);
  table.state = idl::TableState::SERVING;
  image.PutTable(table, 0);
  const auto name = [](int64_t server) { return "server-" + std::to_string(100 + server % 100); };
  for (int64_t i = 0; i < 100; ++i) {
    servers[name(i)].live.emplace();
    servers[name(i)].report.emplace();
  }
  const auto key = [&](int64_t i) { return i == 0 || i == tablets ? std::string() : std::to_string(1'000'000 + i); };
  for (int64_t i = 0; i < tablets; ++i) {
    idl::TabletNode node;
    node.info.tabletId = 10 + i;
    node.info.tableId = 1;
    node.info.range.startKey = key(i);
    node.info.range.endKey = key(i + 1);
    node.info.primary = name(i);
    node.info.state = idl::TabletState::SERVING;
    for (int64_t r = 0; r < 3; ++r) {
      node.info.voters.push_back(name(i + r));
      Report& report = *servers[name(i + r)].report;
      report.index[TabletId{static_cast<uint64_t>(10 + i)}] = report.body.tablets.size();
      report.body.tablets.emplace_back().leading = r == 0;
    }
    image.PutTablet(node, 0);
  }
}

// Neither fits into the processor's cache, which decides between smaller ones. They take turns: what else the machine
// does slows both.
TEST(ClusterViewScaleTest, FourTimesTheTabletsTakeNotEightTimesAsLong) {
  // Freed memory stays with the process: else each of the larger views, and none of the smaller, has it cleared anew.
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  const ScaledCluster few(50'000);
  const ScaledCluster many(200'000);
  double small = 1e9;
  double large = 1e9;
  for (int pass = 0; pass < 7; ++pass) {
    small = std::min(small, few.SecondsForAView());
    large = std::min(large, many.SecondsForAView());
  }
  RecordProperty("microseconds_for_200000_tablets", static_cast<int>(large * 1e6));
  EXPECT_LT(large, small * 8) << "a square would be 16 times " << small << " s";
}

}  // namespace
}  // namespace ebla::master
