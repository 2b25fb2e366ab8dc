// The cluster's feature level, and the processes that may join at it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

class MasterLevelTest : public ::testing::Test {
 protected:
  static constexpr int kOld = kFeatureLevel, kNew = kFeatureLevel + 1;

  void Begin(int level) {
    MasterRig::Shape shape;
    shape.feature_level = level;
    cluster_ = std::make_unique<MasterRig>(shape);
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
  }
  MasterRig& cluster() { return *cluster_; }
  idl::ClusterNode Node() {
    const auto node = cluster().coordination().tree().Get(coordination::layout::kCluster);
    return *coordination::DecodeNode<idl::ClusterNode>(node->data);
  }
  int Level() { return LevelOr1(Node().featureLevel); }
  idl::ClusterVersionReply Versions() {
    return cluster()
        .Call<idl::ClusterVersionReply>(&idl::MasterServiceCobSvIf::clusterVersion, idl::ClusterVersionRequest())
        .value();
  }
  void Hold(bool hold) {
    idl::HoldLevelRequest request;
    request.hold = hold;
    EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::holdLevel, request)->header.code, idl::Code::OK);
  }
  void UpgradeMaster(size_t index) {
    cluster().SpeakLevel(kNew);
    cluster().KillMaster(index);
    cluster().StartMaster(index);
    ASSERT_TRUE(cluster().WaitForLeader());
  }
  void RestartServer(size_t index, int level) {
    cluster().server(index).Stop();
    cluster().scheduler().RunFor(10s);  // its session has ended
    cluster().server(index).feature_level = level;
    cluster().server(index).Start();
    ASSERT_TRUE(cluster().WaitForServers());
    cluster().scheduler().RunFor(2s);  // it has reported
  }
  void UpgradeServer(size_t index) { RestartServer(index, kNew); }

  std::unique_ptr<MasterRig> cluster_;
};

TEST_F(MasterLevelTest, ANewClusterIsAtTheLevelOfTheBuildThatMadeIt) {
  Begin(kNew);
  EXPECT_EQ(Level(), kNew);
  EXPECT_FALSE(Versions().held);
  EXPECT_EQ(Versions().level, kNew);
  cluster().scheduler().RunFor(5s);
  for (size_t i = 0; i < 2; ++i) EXPECT_EQ(cluster().master(i).master->options().features->cluster(), kNew) << i;
}

// An older follower would apply some entries of their logs differently, so no older process may be in the cluster, or
// join later.
TEST_F(MasterLevelTest, TablesInMemoryWaitForEveryProcess) {
  Begin(kFeatureLevelFirst);
  idl::TableOptions options;
  options.__set_memory(true);
  const auto early = cluster().Create("cache", {}, options);
  EXPECT_EQ(early.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(early.header.message, HasSubstr("ebla cluster version"));
  cluster().SpeakLevel(kMemoryTables.level);
  for (size_t i = 0; i < 2; ++i) {
    cluster().KillMaster(i);
    cluster().StartMaster(i);
    ASSERT_TRUE(cluster().WaitForLeader());
  }
  for (size_t i = 0; i < 2; ++i) RestartServer(i, kMemoryTables.level);
  cluster().scheduler().RunFor(3min);
  EXPECT_EQ(cluster().Create("cache", {}, options).header.code, idl::Code::CONDITION_FAILED) << "one is old";
  RestartServer(2, kMemoryTables.level);
  cluster().scheduler().RunFor(3min);
  EXPECT_EQ(cluster().Create("cache", {}, options).header.code, idl::Code::OK);
}

// An older master would split it.
TEST_F(MasterLevelTest, TablesThatAreOneGroupWaitForEveryProcess) {
  Begin(kGroupFunctions.level - 1);
  idl::TableOptions options;
  options.keyGroup.__set_all(true);
  options.__isset.keyGroup = true;
  const auto early = cluster().Create("space", {}, options);
  EXPECT_EQ(early.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(early.header.message, HasSubstr("ebla cluster version"));
}

TEST_F(MasterLevelTest, AClusterOfTheFirstLevelSaysNothingOfIt) {
  Begin(kFeatureLevelFirst);
  EXPECT_FALSE(Node().__isset.featureLevel);
  EXPECT_EQ(Versions().level, kFeatureLevelFirst);
}

TEST_F(MasterLevelTest, ItRisesOnceEveryProcessHasSpokenMoreForAWhile) {
  Begin(kOld);
  for (size_t i = 0; i < 2; ++i) UpgradeMaster(i);
  for (size_t i = 0; i < 2; ++i) UpgradeServer(i);
  cluster().scheduler().RunFor(3min);
  EXPECT_EQ(Level(), kOld) << "ts-3 speaks less";
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(3min);
  EXPECT_EQ(Level(), kOld) << "it may come back as it was";
  for (const idl::ProcessVersion& process : Versions().processes)
    EXPECT_EQ(process.featureLevel, process.name == "ts-3" ? kOld : kNew) << process.name;
  cluster().server(2).feature_level = kNew;
  cluster().server(2).Start();
  ASSERT_TRUE(cluster().WaitForServers());
  cluster().scheduler().RunFor(30s);
  EXPECT_EQ(Level(), kOld) << "not at once";
  cluster().scheduler().RunFor(1min);
  EXPECT_EQ(Level(), kNew);
  const auto reply = [&] {
    idl::HeartbeatRequest request;
    request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
    request.server = "ts-1";
    request.incarnation = 2;
    request.featureLevel = kNew;
    return cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request);
  };
  EXPECT_EQ(reply()->clusterLevel, kNew) << "servers are told";
  cluster().scheduler().RunFor(5s);
  for (size_t i = 0; i < 2; ++i)
    EXPECT_EQ(cluster().master(i).master->options().features->cluster(), kNew) << "who stands by goes by it, too";
}

TEST_F(MasterLevelTest, AStandbyThatSpeaksLessHoldsItBack) {
  Begin(kOld);
  for (size_t i = 0; i < 3; ++i) UpgradeServer(i);
  UpgradeMaster(0);
  UpgradeMaster(1);
  cluster().SpeakLevel(kOld);
  cluster().KillMaster(0);
  cluster().StartMaster(0);
  ASSERT_TRUE(cluster().WaitForLeader());
  cluster().scheduler().RunFor(3min);
  EXPECT_EQ(Level(), kOld);
}

TEST_F(MasterLevelTest, AServerThatFallsBackWithinTheTimeBeginsItAnew) {
  Begin(kOld);
  for (size_t i = 0; i < 2; ++i) UpgradeMaster(i);
  for (size_t i = 0; i < 3; ++i) UpgradeServer(i);
  cluster().scheduler().RunFor(40s);
  RestartServer(0, kOld);
  UpgradeServer(0);
  cluster().scheduler().RunFor(40s);
  EXPECT_EQ(Level(), kOld);
  cluster().scheduler().RunFor(40s);
  EXPECT_EQ(Level(), kNew);
}

TEST_F(MasterLevelTest, AnOperatorHoldsItThroughElectionsAndReleasesIt) {
  Begin(kOld);
  Hold(true);
  for (size_t i = 0; i < 2; ++i) UpgradeMaster(i);
  for (size_t i = 0; i < 3; ++i) UpgradeServer(i);
  cluster().scheduler().RunFor(5min);
  EXPECT_EQ(Level(), kOld);
  EXPECT_TRUE(Versions().held);
  Hold(false);
  cluster().scheduler().RunFor(2min);
  EXPECT_EQ(Level(), kNew);
}

TEST_F(MasterLevelTest, AMasterBelowItTakesNoPart) {
  Begin(kNew);
  cluster().SpeakLevel(kOld);
  cluster().KillMaster(0);
  cluster().KillMaster(1);
  cluster().StartMaster(0);  // alone, so that it is elected
  ASSERT_TRUE(cluster().RunUntil([&] { return !cluster().Refused(0).ok(); }));
  EXPECT_THAT(cluster().Refused(0).message(), HasSubstr("is at level " + std::to_string(kNew)));
  EXPECT_FALSE(cluster().Leader());
  cluster().SpeakLevel(kNew);
  cluster().StartMaster(1);
  EXPECT_TRUE(cluster().RunUntil([&] { return cluster().Leader() == 1; }));
  EXPECT_EQ(Level(), kNew);
}

TEST_F(MasterLevelTest, ABuildThatKnowsNoLevelsCannotReadTheClustersNodeFromTheSecondOn) {
  const auto format = [&] { return cluster().coordination().tree().Get(coordination::layout::kCluster)->data[0]; };
  Begin(kFeatureLevelFirst);
  Hold(true);
  EXPECT_EQ(format(), coordination::kNodeFormat);
  cluster().SpeakLevel(kNew);
  for (size_t i = 0; i < 2; ++i) UpgradeMaster(i);
  for (size_t i = 0; i < 3; ++i) UpgradeServer(i);
  cluster().scheduler().RunFor(3min);
  EXPECT_EQ(format(), coordination::kNodeFormat) << "held";
  Hold(false);
  cluster().scheduler().RunFor(3min);
  EXPECT_EQ(Level(), kNew);
  EXPECT_EQ(format(), coordination::kLevelledFormat);
}

TEST_F(MasterLevelTest, AReportOfABuildThatKnowsNoLevelsIsRefused) {
  Begin(kNew);
  idl::HeartbeatRequest request;
  request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
  request.server = "ts-1";
  request.incarnation = 1;
  const auto reply = cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request);
  EXPECT_EQ(reply->header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_THAT(reply->header.message, HasSubstr("speaks feature level 1"));
}

}  // namespace
}  // namespace ebla::master::testing
