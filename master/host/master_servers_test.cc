// Masters and tablet servers: addresses of peers, the removal of a server for good, and that too few servers, or an
// older catalog, are no reason for repairs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "master/testing/replicas_fixture.h"

namespace ebla::master::testing {
namespace {

TEST_F(MasterReplicasTest, AHeartbeatBringsWhereThePeersAre) {
  Begin({.servers = 3, .racks = 3});
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(20s);
  idl::HeartbeatRequest request;
  request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
  request.server = "ts-1";
  request.incarnation = 1;
  request.featureLevel = kFeatureLevel;
  const auto reply = cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request);
  ASSERT_EQ(reply->servers.size(), 3u);
  EXPECT_EQ(reply->servers.at("ts-2").endpoint.port, 9'010);
  EXPECT_EQ(reply->servers.at("ts-2").rack, "rack-1");
  EXPECT_TRUE(reply->servers.at("ts-2").live);
  EXPECT_FALSE(reply->servers.at("ts-3").live);
  EXPECT_EQ(reply->servers.at("ts-3").incarnation, 1);
}

TEST_F(MasterReplicasTest, AHeartbeatBringsOnlyWhatHasChangedSinceTheOneBefore) {
  Begin({.servers = 3});
  idl::HeartbeatRequest request;
  request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
  request.server = "ts-1";
  request.incarnation = 1;
  request.featureLevel = kFeatureLevel;
  const auto beat = [&] {
    const auto reply = cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request);
    request.serversTerm = reply->masterTerm;
    request.serversVersion = reply->serversVersion;
    return reply->servers;
  };
  EXPECT_EQ(beat().size(), 3u);
  EXPECT_TRUE(beat().empty());
  cluster().server(2).Stop();
  cluster().scheduler().RunFor(20s);
  const auto changed = beat();
  ASSERT_EQ(changed.size(), 1u);
  EXPECT_FALSE(changed.at("ts-3").live);
  EXPECT_TRUE(beat().empty());
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().WaitForLeader());
  EXPECT_EQ(beat().size(), 2u) << "a new master counts anew; where the third was, it cannot know";
}

TEST_F(MasterReplicasTest, AServerIsRemovedForGoodOnceItHasNothing) {
  Begin({.servers = 4});
  MakeTable(3);
  const auto remove = [&](const std::string& name) {
    idl::RemoveServerRequest request;
    request.name = name;
    return cluster().Call(&idl::MasterServiceCobSvIf::removeServer, request)->header;
  };
  EXPECT_EQ(remove("nobody").code, idl::Code::NOT_FOUND);
  FakeServer& victim = Primary();
  EXPECT_EQ(remove(victim.name()).code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(remove(victim.name()).message, ::testing::HasSubstr("is live: drain it"));
  victim.Stop();
  cluster().scheduler().RunFor(10s);
  EXPECT_THAT(remove(victim.name()).message, ::testing::HasSubstr("still has"));
  EXPECT_TRUE(cluster().RunUntil([&] { return remove(victim.name()).code == idl::Code::OK; }, 400s));
  EXPECT_FALSE(cluster().coordination().tree().Get(coordination::layout::ServerPath(victim.name())));
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest())->servers.size(), 3u);
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::clusterInfo, idl::ClusterInfoRequest())->knownServers, 3);
  EXPECT_EQ(remove(victim.name()).code, idl::Code::NOT_FOUND);
  victim.Start();  // it may join again, with nothing
  cluster().scheduler().RunFor(20s);
  WaitServing();
  EXPECT_TRUE(victim.replicas().empty());
}

// ---- safe mode ------------------------------------------------------------------------------------------------------

class MasterSafeModeTest : public MasterReplicasTest {};

TEST_F(MasterSafeModeTest, BelowHalfOfTheServersNothingIsRepaired) {
  Begin({.servers = 7});
  MakeTable(3);
  EXPECT_EQ(SafeMode(), "");
  const auto before = cluster().Tablets();
  for (size_t i = 3; i < 7; ++i) cluster().server(i).Stop();
  cluster().scheduler().RunFor(400s);
  EXPECT_EQ(SafeMode(), "of 7 known servers only 3 live");
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_THAT(info.voters, ::testing::UnorderedElementsAreArray(before.at(id).voters));
    EXPECT_TRUE(info.learners.empty());
  }
  for (size_t i = 3; i < 7; ++i) cluster().server(i).Start();
  WaitServing();
  EXPECT_EQ(SafeMode(), "");
}

TEST_F(MasterSafeModeTest, ACatalogOlderThanItsTabletsTouchesThemNot) {
  Begin({.servers = 4});
  MakeTable(3);
  auto older = cluster().coordination().TakeSnapshot();
  const int64_t id = Tablet().tabletId;
  // A voter is replaced: the older catalog knows other voters than the newer one.
  ServerOf(Tablet().voters.at(1)).Stop();
  cluster().scheduler().RunFor(320s);
  ASSERT_TRUE(AllLed());
  for (auto& server : cluster().servers()) {
    if (!server->running()) server->Start();
  }
  WaitServing();
  auto newest = cluster().coordination().TakeSnapshot();
  const idl::TabletInfo now = Tablet();
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(60s);
  EXPECT_THAT(SafeMode(), ::testing::HasSubstr("restored from an older state"));
  EXPECT_TRUE(ServerOf(now.primary).Leads(id, now.epoch)) << "who leads goes on";
  cluster().coordination().Restore(std::move(newest));
  WaitServing();
}

}  // namespace
}  // namespace ebla::master::testing
