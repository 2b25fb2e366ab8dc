// The planner in the master. Load splits and moves tablets, the operator's switch holds for every master, a new master
// continues, steady load is left alone, and the number of servers follows the load.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/balancer/planner/view_json.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::Field;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

constexpr int kCells = 100;  // of the keys "00" to "99"

std::string Key(int cell) { return std::string(cell < 10 ? "0" : "") + std::to_string(cell); }

class MasterBalanceTest : public ::testing::Test {
 protected:
  void Begin(MasterRig::Shape shape, int64_t split_operations = 1'000, std::vector<std::string> points = {}) {
    shape.balance = true;
    cluster_ = std::make_unique<MasterRig>(shape);
    for (auto& server : cluster_->servers()) {
      server->measure = [this](idl::TabletLoad& load, const FakeServer::Replica& replica) { Measure(load, replica); };
    }
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
    cluster_->scheduler().RunFor(2s);
    idl::TableOptions options;
    options.__set_replicas(3);
    options.__set_splitOpsPerSecond(split_operations);
    ASSERT_EQ(cluster_->Create("carts", std::move(points), options).header.code, idl::Code::OK);
    WaitWhole();
  }
  void TearDown() override {
    if (!cluster_) return;
    EXPECT_THAT(cluster_->ledger().violations(), IsEmpty());
    WaitWhole();
  }
  MasterRig& cluster() { return *cluster_; }
  void WaitWhole() {
    EXPECT_TRUE(cluster().RunUntil([&] { return cluster().WhyNotServing("carts").empty(); }, 120s))
        << cluster().WhyNotServing("carts");
  }

  double Operations(const idl::KeyRange& range) const {
    double sum = 0;
    for (int cell = 0; cell < kCells; ++cell) {
      const std::string key = Key(cell);
      if (key >= range.startKey && (range.endKey.empty() || key < range.endKey)) sum += rate_(cell);
    }
    return sum;
  }
  // Measures like a server: a cut is good if the halves differ by less than a quarter.
  void Measure(idl::TabletLoad& load, const FakeServer::Replica& replica) const {
    load.readsPerSecond = 0;
    if (!load.leading) return;
    const double all = Operations(replica.range);
    load.readsPerSecond = all * 0.7;
    load.writesPerSecond = all * 0.3;
    if (peaks_) {
      idl::LoadPeaks peaks;
      peaks.operationsPerSecond = all;
      peaks.coveredMs = 300'000;
      load.__set_peaks(peaks);
    }
    idl::SplitFinding finding;
    finding.kind = idl::SplitFindingKind::POPULAR_KEY;
    double best = all / 4;
    for (int cell = 1; cell < kCells; ++cell) {
      if (Key(cell) <= replica.range.startKey || (!replica.range.endKey.empty() && Key(cell) >= replica.range.endKey))
        continue;
      idl::KeyRange half = replica.range;
      half.endKey = Key(cell);
      const double difference = std::abs(all - 2 * Operations(half));
      if (difference >= best) continue;
      best = difference;
      finding.kind = idl::SplitFindingKind::KEY;
      finding.key = half.endKey;
    }
    load.__set_splitFinding(finding);
  }

  std::vector<std::string> Starts() const {
    std::vector<std::string> starts;
    for (const auto& [id, info] : cluster_->Tablets()) starts.push_back(info.range.startKey);
    std::ranges::sort(starts);
    return starts;
  }
  std::map<std::string, double> Led() const {
    std::map<std::string, double> led;
    for (const auto& server : cluster_->servers()) {
      if (server->running()) led[server->name()] = 0;
    }
    for (const auto& [id, info] : cluster_->Tablets()) led[info.primary] += Operations(info.range);
    return led;
  }
  double WorstOverMean() const {
    double sum = 0, worst = 0;
    const auto led = Led();
    for (const auto& [server, operations] : led) {
      sum += operations;
      worst = std::max(worst, operations);
    }
    return worst / (sum / static_cast<double>(led.size()));
  }
  idl::BalanceReply Balance(std::optional<bool> enabled = std::nullopt, bool now = false, bool view = false) {
    idl::BalanceRequest request;
    if (enabled) request.__set_enabled(*enabled);
    request.now = now;
    request.view = view;
    return cluster().Call(&idl::MasterServiceCobSvIf::balance, request).value();
  }
  bool Splits() {
    return cluster().RunUntil([&] { return cluster().Tablets().size() > 1; }, 120s);
  }

  bool peaks_ = false;  // are told, of five minutes
  std::function<double(int cell)> rate_ = [](int) { return 0; };
  std::unique_ptr<MasterRig> cluster_;
};

TEST_F(MasterBalanceTest, AHotTabletIsSplitAtTheReportedKeyUntilNoneIsHot) {
  rate_ = [](int) { return 30; };
  Begin({});
  cluster().scheduler().RunFor(20s);
  EXPECT_THAT(Starts(), SizeIs(1)) << "not before it has lasted";
  ASSERT_TRUE(Splits());
  EXPECT_EQ(Starts(), (std::vector<std::string>{"", "50"}));
  EXPECT_TRUE(cluster().RunUntil([&] { return Starts().size() == 4; }, 180s));
  cluster().scheduler().RunFor(10min);
  EXPECT_EQ(Starts(), (std::vector<std::string>{"", "25", "50", "75"})) << "750 operations/s each: enough";
  const idl::BalanceReply reply = Balance();
  EXPECT_TRUE(reply.enabled);
  EXPECT_THAT(reply.done,
              Contains(AllOf(Field(&idl::PlannedAction::what, HasSubstr("at \"50\"")),
                             Field(&idl::PlannedAction::rule, "split"),
                             Field(&idl::PlannedAction::reason, HasSubstr("3,000 operations/s, over 1,000")),
                             Field(&idl::PlannedAction::outcome, "done"))));
}

TEST_F(MasterBalanceTest, LoadIsSpreadOverOldServersAndNewOnes) {
  rate_ = [](int cell) { return cell < 40 ? 100 : 10; };
  Begin({.servers = 5, .asleep = 2}, 1'000'000, {"10", "20", "30", "40", "50", "60", "70", "80", "90"});
  EXPECT_TRUE(cluster().RunUntil([&] { return WorstOverMean() <= 1.6; }, 300s)) << "four hot tablets on three servers";
  for (const size_t server : {3u, 4u}) cluster().server(server).Start();
  ASSERT_TRUE(cluster().WaitForServers());
  const auto moved = [&] {
    return std::ranges::any_of(Balance().done, [](const idl::PlannedAction& action) {
      return action.what.starts_with("move tablet") && action.outcome == "done";
    });
  };
  EXPECT_TRUE(cluster().RunUntil([&] { return WorstOverMean() <= 1.25 && moved(); }, 1'800s)) << WorstOverMean();
  size_t on_new = 0;
  for (const auto& [id, info] : cluster().Tablets()) {
    on_new += static_cast<size_t>(
        std::ranges::count_if(info.voters, [](const std::string& v) { return v == "ts-4" || v == "ts-5"; }));
  }
  EXPECT_GT(on_new, 0u);
}

TEST_F(MasterBalanceTest, SwitchedOffItPlansAndDoesNothingUnderEveryMaster) {
  rate_ = [](int) { return 30; };
  Begin({});
  ASSERT_EQ(Balance(false).header.code, idl::Code::OK);
  const auto node = cluster().coordination().tree().Get(coordination::layout::kPlanner);
  ASSERT_TRUE(node);
  EXPECT_FALSE(coordination::DecodeNode<idl::PlannerNode>(node->data)->enabled);
  cluster().scheduler().RunFor(90s);
  for (int pass = 0; pass < 3; ++pass) {
    EXPECT_THAT(Balance(std::nullopt, true).planned,
                Contains(Field(&idl::PlannedAction::what, HasSubstr("split tablet"))))
        << pass;
    cluster().scheduler().RunFor(5s);
  }
  const idl::BalanceReply off = Balance();
  EXPECT_FALSE(off.enabled);
  EXPECT_THAT(off.underWay, IsEmpty());
  EXPECT_THAT(off.done, IsEmpty());
  cluster().KillMaster(*cluster().Leader());
  cluster().scheduler().RunFor(120s);
  EXPECT_THAT(Starts(), SizeIs(1));
  EXPECT_FALSE(Balance().enabled) << "the next master has read it";
  EXPECT_TRUE(Balance(true).enabled);
  EXPECT_TRUE(Splits());
}

TEST_F(MasterBalanceTest, ANewMasterGoesOn) {
  rate_ = [](int) { return 30; };
  Begin({});
  // The order never arrives: what the first master leaves behind is an intent.
  cluster().faults().StrikeAt(Fault::kDieAfter, 1);
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().faults().struck(); }, 120s));
  EXPECT_TRUE(Splits());
  EXPECT_TRUE(cluster().RunUntil([&] { return Starts().size() == 4; }, 300s)) << "and splits on by itself";
}

// Not before it is sure that none of them was split within the hour.
TEST_F(MasterBalanceTest, QuietNeighboursAreMergedUntilNoneAreSmall) {
  rate_ = [](int cell) { return cell < 25 ? 30 : 1; };
  peaks_ = true;
  Begin({}, 1'000, {"25", "40", "50", "75"});
  cluster().scheduler().RunFor(50min);
  EXPECT_EQ(cluster().Tablets().size(), 5u);
  EXPECT_THAT(Balance(std::nullopt, true).refused,
              Contains(AllOf(Field(&idl::RefusedAction::rule, "merge"),
                             Field(&idl::RefusedAction::detail, HasSubstr("merges wait 60 min after a split")))));
  EXPECT_TRUE(cluster().RunUntil([&] { return cluster().Tablets().size() == 2; }, 20min));
  WaitWhole();
  cluster().scheduler().RunFor(10min);
  EXPECT_EQ(Starts(), (std::vector<std::string>{"", "25"})) << "the peaks of all together leave no room";
  EXPECT_THAT(Balance().done, Contains(AllOf(Field(&idl::PlannedAction::what, HasSubstr("merge tablet")),
                                             Field(&idl::PlannedAction::outcome, "done"))));
}

TEST_F(MasterBalanceTest, SteadyLoadIsLeftAlone) {
  rate_ = [](int cell) { return 20 + cell % 3; };
  Begin({.servers = 4}, 1'000, {"25", "50", "75"});
  cluster().scheduler().RunFor(3min);
  const auto settled = cluster().Tablets();
  const size_t done = Balance().done.size();
  cluster().scheduler().RunFor(30min);
  EXPECT_EQ(cluster().Tablets(), settled);
  EXPECT_EQ(Balance().done.size(), done);
}

TEST_F(MasterBalanceTest, AServerDrainsUnderLoad) {
  rate_ = [](int) { return 30; };
  Begin({.servers = 4}, 1'000, {"50"});
  idl::SetServerRequest drain;
  drain.name = "ts-1";
  drain.__set_draining(true);
  ASSERT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::setServer, drain)->header.code, idl::Code::OK);
  const auto empty = [&] {
    return std::ranges::none_of(cluster().Tablets(), [](const auto& item) {
      return std::ranges::count(item.second.voters, "ts-1") + std::ranges::count(item.second.learners, "ts-1") > 0;
    });
  };
  EXPECT_TRUE(cluster().RunUntil([&] { return empty() && Starts().size() == 4; }, 300s));
  cluster().scheduler().RunFor(5min);
  EXPECT_TRUE(empty()) << "and gets nothing back";
}

TEST_F(MasterBalanceTest, WhatFailsRestsAndIsTold) {
  rate_ = [](int) { return 30; };
  Begin({});
  for (auto& server : cluster().servers()) server->refuse_split = idl::Code::INVALID_ARGUMENT;
  const auto failed = [&] {
    return std::ranges::any_of(Balance().done,
                               [](const idl::PlannedAction& action) { return action.outcome != "done"; });
  };
  ASSERT_TRUE(cluster().RunUntil([&] { return failed(); }, 180s));
  cluster().scheduler().RunFor(60s);
  const idl::BalanceReply reply = Balance(std::nullopt, true);
  EXPECT_THAT(reply.done, SizeIs(1)) << "not tried again for five minutes";
  EXPECT_THAT(reply.refused, Contains(AllOf(Field(&idl::RefusedAction::cause, "cool-down"),
                                            Field(&idl::RefusedAction::detail, HasSubstr("an action on it failed")))));
  for (auto& server : cluster().servers()) server->refuse_split.reset();
  EXPECT_TRUE(cluster().RunUntil([&] { return Starts().size() > 1; }, 400s));
}

TEST_F(MasterBalanceTest, WhatItSeesCanBePlannedElsewhere) {
  rate_ = [](int) { return 30; };
  Begin({});
  cluster().scheduler().RunFor(10s);
  const idl::BalanceReply reply = Balance(std::nullopt, true, true);
  std::istringstream text(reply.view);
  const Result<SavedView> saved = LoadView(text);
  ASSERT_TRUE(saved) << saved.error();
  ASSERT_THAT(saved->view.tablets, SizeIs(1));
  EXPECT_EQ(saved->view.tablets[0].split_key, "50");
  EXPECT_NEAR(saved->view.tablets[0].led.operations(), 3'000, 1);
  EXPECT_EQ(saved->view.tables[0].split_operations, 1'000);
  ASSERT_TRUE(saved->options) << "and what it goes by";
  EXPECT_TRUE(saved->options->balances);
  EXPECT_EQ(reply.viewBytes, static_cast<int64_t>(reply.view.size()));
  EXPECT_THAT(saved->memory.tablets, SizeIs(1)) << "it is over, and that is remembered";
  EXPECT_THAT(reply.refused, Contains(Field(&idl::RefusedAction::cause, "not yet")));
}

TEST_F(MasterBalanceTest, NothingIsPlannedWhileAServerThatLivesIsSilent) {
  rate_ = [](int) { return 30; };
  Begin({});
  cluster().KillMaster(*cluster().Leader());
  cluster().server(2).silent = true;
  cluster().scheduler().RunFor(120s);
  const idl::BalanceReply reply = Balance(std::nullopt, true);
  EXPECT_EQ(reply.passAgeMs, -1);
  EXPECT_THAT(reply.refused, Each(Field(&idl::RefusedAction::detail, HasSubstr("has not reported yet"))));
  EXPECT_THAT(Starts(), SizeIs(1));
  cluster().server(2).silent = false;
  EXPECT_TRUE(Splits());
}

TEST_F(MasterBalanceTest, NothingIsPlannedWhileTheCoordinatorIsSilent) {
  rate_ = [](int) { return 30; };
  Begin({});
  cluster().coordination().SetAvailable(false);
  cluster().scheduler().RunFor(120s);
  const idl::BalanceReply reply = Balance(std::nullopt, true);
  EXPECT_THAT(reply.refused, Contains(Field(&idl::RefusedAction::detail, HasSubstr("the coordinator (ZooKeeper)"))));
  EXPECT_THAT(reply.underWay, IsEmpty());
  cluster().coordination().SetAvailable(true);
  EXPECT_TRUE(Splits());
}

// Commands that start and end servers at once, noted in `ran`.
class MasterScaleTest : public MasterBalanceTest {
 protected:
  Autoscaling Scaling() {
    Autoscaling autoscaling;
    autoscaling.options = {.enabled = true,
                           .operations_per_server = 1'000,
                           .over_sustained = 30s,
                           .under_sustained = 60s,
                           .after_growth = 60s,
                           .after_release = 60s,
                           .servers_min = 3,
                           .servers_max = 4};
    autoscaling.run = [this](const std::string& command, const ServerName& server, std::function<void(Status)> done) {
      ran.push_back(command + " " + server);
      for (auto& one : cluster().servers()) {
        if (command == "start one" && !one->running()) one->Start();
        if (command == "end one" && one->name() == server) one->Stop();
      }
      done({});
    };
    return autoscaling;
  }
  std::vector<idl::ServerSummary> Servers() {
    return cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest()).value().servers;
  }
  std::string Draining() {
    for (const idl::ServerSummary& server : Servers()) {
      if (server.draining) return server.name;
    }
    return "";
  }
  // A fourth server that the load does not need is being drained, as the master sees fit.
  void DrainOne() {
    rate_ = [](int) { return 1; };
    Begin({.masters = 3, .servers = 4, .autoscaling = Scaling()}, 1'000'000, {"25", "50", "75"});
    ASSERT_TRUE(cluster().RunUntil([&] { return !Draining().empty(); }, 600s));
    ASSERT_THAT(ran, IsEmpty());
  }

  std::vector<std::string> ran;
};

TEST_F(MasterScaleTest, AServerDrainedAsSurplusIsReleasedByTheNextMaster) {
  DrainOne();
  const std::string name = Draining();
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().WaitForLeader());
  EXPECT_EQ(Draining(), name);
  EXPECT_THAT(ran, IsEmpty()) << "it died between the drain and the release";
  EXPECT_TRUE(cluster().RunUntil([&] { return !ran.empty(); }, 600s));
  EXPECT_EQ(ran, (std::vector<std::string>{"end one " + name}));
  cluster().KillMaster(*cluster().Leader());
  EXPECT_TRUE(cluster().RunUntil([&] { return Servers().size() == 3; }, 600s))
      << "ended by the second, forgotten by the third";
  EXPECT_THAT(ran, SizeIs(1));
}

TEST_F(MasterScaleTest, AServerThatAnOperatorDrainsTooStays) {
  DrainOne();
  idl::SetServerRequest request;
  request.name = Draining();
  request.__set_draining(true);
  ASSERT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::setServer, request)->header.code, idl::Code::OK);
  cluster().KillMaster(*cluster().Leader());
  cluster().scheduler().RunFor(20min);
  EXPECT_THAT(ran, IsEmpty());
  EXPECT_EQ(Draining(), request.name);
}

TEST_F(MasterScaleTest, ServersComeAndGoWithTheLoad) {
  const Autoscaling autoscaling = Scaling();
  rate_ = [](int) { return 45; };
  Begin({.servers = 4, .asleep = 1, .autoscaling = autoscaling}, 1'000'000, {"25", "50", "75"});
  EXPECT_TRUE(cluster().RunUntil([&] { return Servers().size() == 4; }, 300s))
      << "4,500 operations/s are too much for three";
  cluster().scheduler().RunFor(5min);
  EXPECT_EQ(ran, (std::vector<std::string>{"start one "})) << "and five are not allowed";
  rate_ = [](int) { return 1; };
  EXPECT_TRUE(cluster().RunUntil([&] { return ran.size() > 1 && Servers().size() == 3; }, 900s));
  EXPECT_THAT(ran.back(), HasSubstr("end one ts-"));
  cluster().scheduler().RunFor(10min);
  EXPECT_THAT(ran, SizeIs(2)) << "three are the least allowed";
}

}  // namespace
}  // namespace ebla::master::testing
