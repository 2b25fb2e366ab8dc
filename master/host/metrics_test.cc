// The figures of a master's planner and procedures in /metrics.
#include "master/host/metrics.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

class MasterMetricsTest : public ::testing::Test {
 protected:
  void Begin(double operations) {
    cluster_ = std::make_unique<MasterRig>(MasterRig::Shape{.servers = 4, .balance = true});
    for (auto& server : cluster_->servers()) {
      server->measure = [operations](idl::TabletLoad& load, const FakeServer::Replica& replica) {
        load.readsPerSecond =
            load.leading && replica.range.startKey.empty() && replica.range.endKey.empty() ? operations : 0;
        load.writesPerSecond = 0;
        idl::SplitFinding finding;
        finding.kind = idl::SplitFindingKind::KEY;
        finding.key = "m";
        load.__set_splitFinding(finding);
      };
    }
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
    cluster_->scheduler().RunFor(2s);
    idl::TableOptions options;
    options.__set_replicas(3);
    options.__set_splitOpsPerSecond(1'000);
    ASSERT_EQ(cluster_->Create("carts", {}, options).header.code, idl::Code::OK);
    metrics_ = std::make_unique<MasterMetrics>(*cluster_->master(*cluster_->Leader()).master, nullptr);
    metrics_->Start();
  }
  // The value of the metric with exactly these labels; -1: there is none.
  double Value(const std::string& name, const std::map<std::string, std::string>& labels = {}) const {
    for (const prometheus::MetricFamily& family : metrics_->Collect()) {
      if (family.name != name) continue;
      for (const prometheus::ClientMetric& metric : family.metric) {
        std::map<std::string, std::string> have;
        for (const auto& label : metric.label) have[label.name] = label.value;
        if (have == labels)
          return family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value;
      }
    }
    return -1;
  }

  std::unique_ptr<MasterRig> cluster_;
  std::unique_ptr<MasterMetrics> metrics_;
};

TEST_F(MasterMetricsTest, CountsWhatThePlannerDoesAndWhatIsOpen) {
  Begin(3'000);
  EXPECT_TRUE(cluster_->RunUntil([&] { return cluster_->Tablets().size() == 2; }, 120s));
  cluster_->scheduler().RunFor(10s);
  EXPECT_EQ(Value("ebla_master_planner_on"), 1);
  EXPECT_EQ(Value("ebla_master_cluster_level"), kFeatureLevel);
  EXPECT_EQ(Value("ebla_master_cluster_level_held"), 0);
  EXPECT_GE(Value("ebla_planner_passes_total"), 5);
  EXPECT_EQ(Value("ebla_planner_passes"), Value("ebla_planner_passes_total")) << "its name of before";
  EXPECT_GE(Value("ebla_planner_pass_seconds_total"), 0);
  EXPECT_EQ(Value("ebla_planner_actions_total", {{"kind", "split"}, {"outcome", "begun"}}), 1);
  EXPECT_EQ(Value("ebla_planner_actions_total", {{"kind", "split"}, {"outcome", "done"}}), 1);
  EXPECT_EQ(Value("ebla_planner_actions_total", {{"kind", "split"}, {"outcome", "failed"}}), 0);
  EXPECT_GE(Value("ebla_planner_refused_total", {{"rule", "split"}, {"cause", "not yet"}}), 2);
  EXPECT_EQ(Value("ebla_master_procedures_open", {{"kind", "move"}}), 0);

  const idl::TabletInfo tablet = cluster_->Tablets().begin()->second;
  idl::MoveTabletRequest move;
  move.table = "carts";
  move.fromServer = tablet.voters[1];
  for (auto& server : cluster_->servers()) {
    if (std::ranges::count(tablet.voters, server->name()) > 0) continue;
    move.toServer = server->name();
    server->mute = true;
  }
  move.deadlineMs = 1'000;
  cluster_->Call(&idl::MasterServiceCobSvIf::moveTablet, move);
  cluster_->scheduler().RunFor(3s);
  EXPECT_EQ(Value("ebla_master_procedures_open", {{"kind", "move"}}), 1);
  metrics_->Stop();
}

TEST_F(MasterMetricsTest, CountsPassesThatArePutOff) {
  Begin(0);
  cluster_->server(0).Stop();
  cluster_->server(1).Stop();
  cluster_->server(2).Stop();
  cluster_->scheduler().RunFor(60s);
  EXPECT_GE(Value("ebla_planner_passes_put_off_total"), 5) << "too few servers live";
  metrics_->Stop();
}

TEST_F(MasterMetricsTest, CountsTabletsThatLackPrimaryMajorityOrReplicas) {
  Begin(0);
  const auto lacking = [&] {
    return std::array{Value("ebla_master_tablets_without_majority"), Value("ebla_master_tablets_without_primary"),
                      Value("ebla_master_tablets_under_replicated")};
  };
  EXPECT_TRUE(cluster_->RunUntil([&] { return lacking() == std::array{0.0, 0.0, 0.0}; }));
  const idl::TabletInfo tablet = cluster_->Tablets().begin()->second;
  const auto stop = [&](const std::string& name) {
    for (auto& server : cluster_->servers()) {
      if (server->name() == name) server->Stop();
    }
  };
  stop(tablet.primary);
  EXPECT_TRUE(cluster_->RunUntil([&] { return lacking() == std::array{0.0, 1.0, 0.0}; }));
  EXPECT_TRUE(cluster_->RunUntil([&] { return lacking() == std::array{0.0, 0.0, 1.0}; }));
  const idl::TabletInfo now = cluster_->Tablets().begin()->second;
  stop(now.primary);
  EXPECT_TRUE(cluster_->RunUntil([&] { return lacking() == std::array{1.0, 0.0, 0.0}; }));
  metrics_->Stop();
}

}  // namespace
}  // namespace ebla::master::testing
