// A coordinator restored from an older state: what the master notices, leaves alone, and adds to the catalog on an
// operator's request. master_adopt_lineage_test.cc covers splits and merges.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "master/testing/adopt_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

TEST_F(MasterAdoptTest, WithNothingBeyondTheCatalogThereIsNothingToDo) {
  Begin({});
  Create("carts");
  const auto before = cluster().Tablets();
  const auto reply = Adopt(true);
  EXPECT_EQ(reply.header.code, idl::Code::OK);
  EXPECT_EQ(reply.reason, "");
  EXPECT_EQ(cluster().Tablets(), before);
}

TEST_F(MasterAdoptTest, ATableMadeSinceIsShownThenAdoptedAndGoesOn) {
  Begin({.servers = 4});
  Create("old");
  auto older = cluster().coordination().TakeSnapshot();
  Create("carts");
  const auto lost = cluster().Tablets();
  const int64_t next_id = cluster().NextId();
  Restore(std::move(older));
  ASSERT_EQ(cluster().Tablets().size(), 3u);
  EXPECT_THAT(SafeMode(), HasSubstr("which the catalog never assigned"));
  EXPECT_THAT(SafeMode(), HasSubstr("ebla cluster adopt"));

  const auto shown = Adopt(false);
  EXPECT_EQ(shown.header.code, idl::Code::OK);
  EXPECT_THAT(shown.problems, IsEmpty());
  ASSERT_EQ(shown.tables.size(), 1u);
  EXPECT_EQ(shown.tables[0].schema.name, "carts");
  EXPECT_FALSE(shown.tables[0].known);
  ASSERT_EQ(shown.tablets.size(), 3u);
  for (const idl::AdoptedTablet& tablet : shown.tablets) {
    const idl::TabletInfo& was = lost.at(tablet.tablet.tabletId);
    EXPECT_TRUE(tablet.led);
    EXPECT_EQ(tablet.tablet.primary, was.primary);
    EXPECT_THAT(tablet.tablet.voters, ::testing::UnorderedElementsAreArray(was.voters));
    EXPECT_EQ(tablet.tablet.range, was.range);
    EXPECT_GT(tablet.tablet.epoch, was.epoch);
  }
  EXPECT_EQ(cluster().Tablets().size(), 3u) << "nothing has been changed";
  cluster().scheduler().RunFor(20s);
  for (const auto& [id, info] : lost) EXPECT_TRUE(ServerOf(info.primary).Leads(id, info.epoch));

  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  EXPECT_GT(cluster().NextId(), next_id);
  WaitServing("carts");
  WaitServing("old");
  EXPECT_EQ(SafeMode(), "");
  const auto now = cluster().Tablets();
  for (const idl::AdoptedTablet& tablet : done.tablets) {
    const int64_t id = tablet.tablet.tabletId;
    EXPECT_EQ(now.at(id).primary, lost.at(id).primary) << "who led goes on";
  }
  Create("later");
  WaitServing("later");
}

// By it a server judges whether its disk may have forgotten a tablet.
TEST_F(MasterAdoptTest, AHeartbeatBringsTheNextIdOnceEveryServerHasReportedNothingBeyondTheCatalog) {
  Begin({.servers = 4});
  Create("old");
  auto older = cluster().coordination().TakeSnapshot();
  Create("carts");
  const auto told = [&] {
    idl::HeartbeatRequest request;
    request.clusterId = cluster().master(*cluster().Leader()).master->cluster_id();
    request.server = "ts-1";
    request.incarnation = 1;
    request.featureLevel = kFeatureLevel;
    return cluster().Call(&idl::MasterServiceCobSvIf::heartbeat, request)->nextId;
  };
  EXPECT_EQ(told(), cluster().NextId());
  Restore(std::move(older));
  EXPECT_EQ(told(), 0);
  cluster().scheduler().RunFor(2s);
  MustAdopt();
  EXPECT_EQ(told(), cluster().NextId());
  // A server that is away may hold a later id. A master with its last report knows that.
  FakeServer& away = ServerOf("ts-4");
  away.Stop();
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(told(), cluster().NextId());
  const size_t master = cluster().Leader().value();
  cluster().KillMaster(master);
  ASSERT_TRUE(cluster().WaitForLeader());
  cluster().StartMaster(master);
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(told(), 0);
  away.Start();
  cluster().scheduler().RunFor(3s);
  EXPECT_EQ(told(), cluster().NextId());
}

TEST_F(MasterAdoptTest, EpochsAndVotersOfAnOlderCatalogAreBroughtUpToDate) {
  Begin({.servers = 5});
  Create("carts");
  auto older = cluster().coordination().TakeSnapshot();
  // A voter is replaced, and tablets are failed over.
  const std::string victim = cluster().Tablets().begin()->second.primary;
  FakeServer& server = ServerOf(victim);
  server.Stop();
  cluster().scheduler().RunFor(320s);
  server.Start();
  WaitServing("carts");
  cluster().scheduler().RunFor(3s);
  const auto newest = cluster().Tablets();
  Restore(std::move(older));
  EXPECT_THAT(SafeMode(), HasSubstr("that the catalog never reached"));
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  WaitServing("carts");
  cluster().scheduler().RunFor(10s);
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_GE(info.epoch, newest.at(id).epoch);
    EXPECT_THAT(info.voters, ::testing::UnorderedElementsAreArray(newest.at(id).voters));
  }
  WaitServing("carts");
  EXPECT_EQ(SafeMode(), "");
}

TEST_F(MasterAdoptTest, EpochsOfServersThatHaveBeenRestartedAreBeyondTheCatalogToo) {
  Begin({.servers = 3});
  Create("carts");
  auto older = cluster().coordination().TakeSnapshot();
  cluster().server(0).Stop();
  cluster().scheduler().RunFor(10s);
  cluster().server(0).Start();
  WaitServing("carts");
  cluster().scheduler().RunFor(3s);
  RestartServers();
  WaitServing("carts");
  for (auto& server : cluster().servers()) server->Stop();
  cluster().coordination().Restore(std::move(older));
  for (auto& server : cluster().servers()) server->Start();
  cluster().scheduler().RunFor(15s);
  EXPECT_THAT(SafeMode(), HasSubstr("that the catalog never reached"));
  ASSERT_EQ(Adopt(true).header.code, idl::Code::OK);
  WaitServing("carts");
  EXPECT_EQ(SafeMode(), "");
}

TEST_F(MasterAdoptTest, WhatNobodyLeadsBeginsWithTheLongestLog) {
  Begin({.servers = 4});
  auto older = cluster().coordination().TakeSnapshot();
  Create("carts");
  Restore(std::move(older));
  RestartServers();
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  for (const idl::AdoptedTablet& tablet : done.tablets) {
    EXPECT_FALSE(tablet.led);
    EXPECT_EQ(tablet.tablet.voters.size(), 1u);
    EXPECT_EQ(tablet.tablet.learners.size(), 2u);
  }
  WaitServing("carts");
  for (const auto& [id, info] : cluster().Tablets()) EXPECT_EQ(info.voters.size(), 3u);
}

TEST_F(MasterAdoptTest, AServerThatIsAwayIsWaitedForUnlessItIsGivenUp) {
  Begin({.servers = 4});
  Create("old");
  auto older = cluster().coordination().TakeSnapshot();
  Create("carts");
  Restore(std::move(older));
  cluster().server(1).Stop();
  cluster().scheduler().RunFor(15s);
  const auto refused = Adopt(true);
  EXPECT_EQ(refused.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(refused.header.message, HasSubstr("server ts-2 is not live: start it"));
  EXPECT_THAT(refused.header.message, HasSubstr("--without ts-2"));
  EXPECT_FALSE(cluster().TableNode("carts"));
  const auto without_another = Adopt(true, {"ts-1"});
  EXPECT_EQ(without_another.header.code, idl::Code::CONDITION_FAILED);
  const auto done = Adopt(true, {"ts-2"});
  EXPECT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  EXPECT_THAT(done.notes, ::testing::Contains(HasSubstr("ts-2 is left out")));
  EXPECT_EQ(SafeMode(), "") << "what ts-2 reported last counts no longer";
  Create("later");
  cluster().server(1).Start();
  WaitServing("carts");
  EXPECT_EQ(SafeMode(), "");
}

// Ids and epochs that only this server had are not assigned again, because they would exceed the catalog's when it
// returns.
TEST_F(MasterAdoptTest, EpochsAndIdsOfAServerThatIsGivenUpAreOutbidAllTheSame) {
  Begin({.servers = 4});
  Create("carts");
  auto older = cluster().coordination().TakeSnapshot();
  Restore(std::move(older));
  const auto [id, info] = *cluster().Tablets().begin();
  FakeServer& server = ServerOf(info.voters[1]);
  server.mutable_replicas().at(id).epoch = server.mutable_replicas().at(id).promised = info.epoch + 70;
  const int64_t orphan = cluster().NextId() + 9;
  server.mutable_replicas()[orphan] = server.replicas().at(id);
  server.mute = true;  // it follows no primary meanwhile
  ASSERT_TRUE(cluster().RunUntil([&] { return !SafeMode().empty(); }));
  server.Stop();
  cluster().scheduler().RunFor(10s);
  const auto done = Adopt(true, {server.name()});
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  EXPECT_GT(cluster().NextId(), orphan);
  EXPECT_GT(cluster().Tablets().at(id).epoch, info.epoch + 70);
  server.mute = false;
  server.Start();
  WaitServing("carts");
  EXPECT_EQ(SafeMode(), "");
}

// A later epoch that a replica merely follows ends no primary's service, so its acknowledged writes must not be lost.
TEST_F(MasterAdoptTest, WhoServesGoesOnThoughALaterEpochIsFollowedSomewhere) {
  Begin({.servers = 4});
  auto older = cluster().coordination().TakeSnapshot();
  Create("carts", {});
  Restore(std::move(older));
  FakeServer* primary = nullptr;
  FakeServer* follower = nullptr;
  for (auto& server : cluster().servers()) {
    for (auto& [id, replica] : server->mutable_replicas()) (replica.leading ? primary : follower) = server.get();
  }
  ASSERT_TRUE(primary && follower);
  const int64_t id = primary->replicas().begin()->first;
  FakeServer::Replica& replica = follower->mutable_replicas().at(id);
  replica.epoch = replica.promised = primary->replicas().at(id).epoch + 1;
  cluster().scheduler().RunFor(3s);
  ASSERT_TRUE(primary->Leads(id, primary->replicas().at(id).epoch));
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  ASSERT_EQ(done.tablets.size(), 1u);
  EXPECT_TRUE(done.tablets[0].led);
  EXPECT_EQ(done.tablets[0].tablet.primary, primary->name());
  EXPECT_EQ(done.tablets[0].tablet.voters.size(), 3u);
  WaitServing("carts");
}

// A master that had gone mad might have made them promise so.
TEST_F(MasterAdoptTest, PromisesThatNoMasterWouldOutbidAreOutbidByAnOperator) {
  Begin({.servers = 3});
  Create("carts", {});
  const auto [id, info] = *cluster().Tablets().begin();
  const int64_t driven_up = int64_t{1} << 30;
  for (const std::string& voter : {info.primary, info.voters[1] == info.primary ? info.voters[0] : info.voters[1]}) {
    FakeServer::Replica& replica = ServerOf(voter).mutable_replicas().at(id);
    replica.promised = driven_up;
    replica.leading = 0;
  }
  cluster().scheduler().RunFor(30s);
  for (auto& server : cluster().servers()) ASSERT_FALSE(server->Leads(id, cluster().Tablets().at(id).epoch));
  EXPECT_EQ(SafeMode(), "") << "one server's word stops nobody's repairs";

  const auto shown = Adopt(false);
  EXPECT_THAT(shown.problems, IsEmpty());
  ASSERT_EQ(shown.tablets.size(), 1u);
  ASSERT_EQ(Adopt(true).header.code, idl::Code::OK);
  WaitServing("carts");
  EXPECT_GT(cluster().Tablets().at(id).epoch, driven_up);
  cluster().scheduler().RunFor(30s);
  EXPECT_EQ(cluster().Tablets().at(id).voters.size(), 3u) << "the one that had promised little is a voter again, too";
  WaitServing("carts");
}

TEST_F(MasterAdoptTest, ATableOfTheSameNameIsAProblemUntilTheOldOneIsDroppedAgain) {
  Begin({});
  Create("carts");
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_EQ(cluster().Drop("carts").header.code, idl::Code::OK);
  cluster().scheduler().RunFor(10s);
  Create("carts");
  Restore(std::move(older));
  auto reply = Adopt(true);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("drop it again: ebla table drop carts"));
  ASSERT_EQ(cluster().Drop("carts").header.code, idl::Code::OK);
  reply = Adopt(true);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  WaitServing("carts");
}

TEST_F(MasterAdoptTest, ATableDroppedSinceIsNamed) {
  Begin({});
  Create("old");
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_EQ(cluster().Drop("old").header.code, idl::Code::OK);
  cluster().scheduler().RunFor(10s);
  Create("carts");
  Restore(std::move(older));
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  EXPECT_THAT(done.notes, ::testing::ElementsAre(HasSubstr("ebla table drop old")));
  WaitServing("carts");
  EXPECT_EQ(cluster().Drop("old").header.code, idl::Code::OK);
}

TEST_F(MasterAdoptTest, ANewerSchemaIsTakenOver) {
  Begin({});
  Create("carts");
  auto older = cluster().coordination().TakeSnapshot();
  idl::TableOptions options;
  options.__set_defaultTtlMs(60'000);
  ASSERT_EQ(cluster().Alter("carts", options).header.code, idl::Code::OK);
  Restore(std::move(older));
  EXPECT_THAT(SafeMode(), HasSubstr("a schema of table "));
  ASSERT_EQ(Adopt(true).header.code, idl::Code::OK);
  EXPECT_EQ(cluster().Describe("carts").table.schema.schemaVersion, 2);
  EXPECT_EQ(cluster().Describe("carts").table.schema.options.defaultTtlMs, 60'000);
  WaitServing("carts");
}

TEST_F(MasterAdoptTest, TabletsOfAnIntentThatServedAreNotCreatedAgain) {
  Begin({.servers = 4});
  // A copy of the coordinator between the intent and its tablets.
  std::optional<coordination::ZnodeTree::Snapshot> older;
  idl::CreateTableRequest request;
  request.name = "carts";
  request.splitPoints = {"m"};
  TestMaster& leader = cluster().master(*cluster().Leader());
  leader.executor->Post(
      [service = leader.master->service(), request] { service->createTable([](const auto&) {}, request); });
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().TableNode("carts").has_value(); }));
  ASSERT_TRUE(cluster().Tablets().empty());
  older = cluster().coordination().TakeSnapshot();
  WaitServing("carts");
  cluster().scheduler().RunFor(3s);
  const auto served = cluster().Tablets();
  Restore(std::move(*older));
  EXPECT_THAT(SafeMode(), HasSubstr("ebla cluster adopt"));
  EXPECT_TRUE(cluster().Tablets().empty());
  ASSERT_EQ(Adopt(true).header.code, idl::Code::OK);
  WaitServing("carts");
  for (const auto& [id, info] : cluster().Tablets()) EXPECT_EQ(info.primary, served.at(id).primary);
}

// Before the first reports, an old catalog alone names the primary. It must not cost the real primary its epoch.
TEST_F(MasterAdoptTest, AnOlderCatalogDeposesNobodyBeforeAllHaveReported) {
  Begin({.servers = 5});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const auto [id, before] = *cluster().Tablets().begin();
  const auto led_after = [&](int64_t epoch) {
    const idl::TabletInfo info = cluster().Tablets().at(id);
    return info.epoch > epoch && ServerOf(info.primary).Leads(id, info.epoch);
  };
  ServerOf(before.primary).Stop();
  ASSERT_TRUE(cluster().RunUntil([&] { return led_after(before.epoch); }));
  ServerOf(before.primary).Start();
  cluster().scheduler().RunFor(3s);
  for (int failover = 0; failover < 2; ++failover) {
    const idl::TabletInfo info = cluster().Tablets().at(id);
    ServerOf(info.primary).mute = true;
    ASSERT_TRUE(cluster().RunUntil([&] { return led_after(info.epoch); }));
    ServerOf(info.primary).mute = false;
    cluster().scheduler().RunFor(3s);
  }
  const idl::TabletInfo newest = cluster().Tablets().at(id);
  ASSERT_GT(newest.epoch, before.epoch + 1);
  ASSERT_TRUE(ServerOf(newest.primary).Leads(id, newest.epoch));
  ASSERT_NE(newest.primary, before.primary);
  ServerOf(before.primary).Stop();
  cluster().scheduler().RunFor(10s);
  for (auto& server : cluster().servers()) server->silent = true;
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(9s);
  EXPECT_TRUE(ServerOf(newest.primary).Leads(id, newest.epoch));
  for (auto& server : cluster().servers()) server->silent = false;
  cluster().scheduler().RunFor(10s);
  EXPECT_TRUE(ServerOf(newest.primary).Leads(id, newest.epoch));
  EXPECT_THAT(SafeMode(), HasSubstr("that the catalog never reached"));
}

TEST_F(MasterAdoptTest, ATermBelowWhatServersHaveHeardOfIsOutgrown) {
  Begin({});
  auto older = cluster().coordination().TakeSnapshot();
  for (int election = 0; election < 6; ++election) {
    const size_t leader = cluster().Leader().value();
    cluster().KillMaster(leader);
    ASSERT_TRUE(cluster().WaitForLeader());
    cluster().StartMaster(leader);
    cluster().scheduler().RunFor(3s);
  }
  Create("carts");  // every server knows the latest term
  const uint64_t term = cluster().master(*cluster().Leader()).master->Stats().term;
  ASSERT_GT(term, 6u);
  Restore(std::move(older));
  EXPECT_TRUE(cluster().RunUntil([&] {
    const auto leader = cluster().Leader();
    return leader && cluster().master(*leader).master->Stats().term > term;
  }));
  cluster().scheduler().RunFor(3s);  // until each has reported to that one
  ASSERT_EQ(Adopt(true).header.code, idl::Code::OK);
  WaitServing("carts");
  Create("later");
}

}  // namespace
}  // namespace ebla::master::testing
