// Masters as their clients, their servers and their operators see them: what they answer, and what they put right.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

std::vector<std::string> Points(int count) {
  std::vector<std::string> points;
  for (int i = 1; i <= count; ++i) {
    std::string number = std::to_string(i);
    points.push_back("user" + std::string(6 - number.size(), '0') + number);
  }
  return points;
}

class MasterTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(cluster_.WaitForLeader());
    ASSERT_TRUE(cluster_.WaitForServers());
    cluster_.scheduler().RunFor(2s);  // until each has reported, which creations wait for
  }
  void TearDown() override { EXPECT_THAT(cluster_.ledger().violations(), ::testing::IsEmpty()); }
  void WaitServing(const std::string& table) {
    EXPECT_TRUE(cluster_.RunUntil([&] { return cluster_.WhyNotServing(table).empty(); }))
        << cluster_.WhyNotServing(table);
  }
  void WaitGone(int64_t table_id) {
    EXPECT_TRUE(cluster_.RunUntil([&] { return cluster_.Remains(table_id).empty(); })) << cluster_.Remains(table_id);
  }
  size_t standby() { return 1 - cluster_.Leader().value(); }

  // master_replicas_test.cc covers several replicas.
  MasterRig cluster_{{.replicas_default = 1}};
};

TEST_F(MasterTest, CreatesATableThatServesWhenItAnswers) {
  const auto reply = cluster_.Create("carts", {"f", "m", "t"});
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.tablets, 4);
  EXPECT_EQ(reply.schema.name, "carts");
  EXPECT_EQ(reply.schema.schemaVersion, 1);
  EXPECT_EQ(reply.schema.options.replicas, 1);
  EXPECT_EQ(cluster_.WhyNotServing("carts"), "");
}

TEST_F(MasterTest, SpreadsTabletsEvenly) {
  ASSERT_EQ(cluster_.Create("carts", Points(8)).header.code, idl::Code::OK);
  for (const auto& server : cluster_.servers()) EXPECT_EQ(server->replicas().size(), 3u);
}

TEST_F(MasterTest, CreatesAThousandTabletsInSeveralMultis) {
  const auto reply = cluster_.Create("big", Points(2'500));
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(cluster_.WhyNotServing("big"), "");
  EXPECT_EQ(cluster_.Tablets().size(), 2'501u);
}

TEST_F(MasterTest, RefusesWhatCannotBe) {
  ASSERT_EQ(cluster_.Create("carts").header.code, idl::Code::OK);
  EXPECT_EQ(cluster_.Create("carts").header.code, idl::Code::TABLE_EXISTS);
  EXPECT_EQ(cluster_.Create("no/such").header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(cluster_.Create("x", {"b", "a"}).header.code, idl::Code::INVALID_ARGUMENT);
  idl::TableOptions options;
  options.__set_replicas(8);
  const auto reply = cluster_.Create("x", {}, options);
  EXPECT_EQ(reply.header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_NE(reply.header.message.find("replicas must be 1 to 7"), std::string::npos);
  EXPECT_EQ(cluster_.Drop("x").header.code, idl::Code::NO_SUCH_TABLE);
  EXPECT_EQ(cluster_.Alter("x", {}).header.code, idl::Code::NO_SUCH_TABLE);
  EXPECT_EQ(cluster_.Describe("x").header.code, idl::Code::NO_SUCH_TABLE);
  EXPECT_EQ(cluster_.Locate(99).header.code, idl::Code::NO_SUCH_TABLE);
}

TEST_F(MasterTest, RefusesALaterProtocol) {
  idl::ListTablesRequest request;
  request.protocolVersion = 99;
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::listTables, request)->header.code, idl::Code::INVALID_ARGUMENT);
}

TEST_F(MasterTest, LocatesByRangeInPages) {
  const int64_t id = cluster_.Create("carts", {"f", "m", "t"}).schema.tableId;
  auto reply = cluster_.Locate(id);
  ASSERT_EQ(reply.tablets.size(), 4u);
  EXPECT_FALSE(reply.more);
  for (const auto& tablet : reply.tablets) {
    EXPECT_EQ(tablet.replicas.size(), 1u);
    EXPECT_EQ(tablet.replicas.at(0).server, tablet.primary);
    EXPECT_GE(tablet.replicas.at(0).endpoint.port, 9'000);
    EXPECT_EQ(tablet.epoch, 1);
  }
  reply = cluster_.Locate(id, "g", "h");
  ASSERT_EQ(reply.tablets.size(), 1u);
  EXPECT_EQ(reply.tablets[0].range.startKey, "f");
  reply = cluster_.Locate(id, "g", "m");
  ASSERT_EQ(reply.tablets.size(), 1u);
  reply = cluster_.Locate(id, "g", "m1");
  ASSERT_EQ(reply.tablets.size(), 2u);
  reply = cluster_.Locate(id, "", "", 3);
  ASSERT_EQ(reply.tablets.size(), 3u);
  EXPECT_TRUE(reply.more);
  reply = cluster_.Locate(id, "t");
  ASSERT_EQ(reply.tablets.size(), 1u);
  EXPECT_FALSE(reply.more);
  EXPECT_EQ(cluster_.Locate(id, "z", "a").header.code, idl::Code::INVALID_ARGUMENT);
}

TEST_F(MasterTest, LocateBringsEachTabletsOwnTimeAndTheLeast) {
  const int64_t id = cluster_.Create("carts", {"m"}).schema.tableId;
  cluster_.scheduler().RunFor(3s);  // a heartbeat of each server
  const auto reply = cluster_.Locate(id);
  ASSERT_EQ(reply.tablets.size(), 2u);
  for (const auto& tablet : reply.tablets) {
    ASSERT_TRUE(tablet.__isset.tabletTimeMs);
    EXPECT_EQ(tablet.tabletTimeMs, 1'700'000'000'000 + tablet.tabletId);
  }
  ASSERT_TRUE(reply.__isset.tabletTimeMs);
  EXPECT_EQ(reply.tabletTimeMs, 1'700'000'000'000 + std::min(reply.tablets[0].tabletId, reply.tablets[1].tabletId));
  for (auto& server : cluster_.servers()) server->Stop();
  cluster_.scheduler().RunFor(4s);
  const auto unheard = cluster_.Locate(id);
  EXPECT_FALSE(unheard.__isset.tabletTimeMs);
  for (const auto& tablet : unheard.tablets) EXPECT_FALSE(tablet.__isset.tabletTimeMs);
}

TEST_F(MasterTest, ListsAndDescribesWithLoad) {
  ASSERT_EQ(cluster_.Create("carts", {"m"}).header.code, idl::Code::OK);
  ASSERT_EQ(cluster_.Create("users").header.code, idl::Code::OK);
  cluster_.scheduler().RunFor(2s);
  const auto tables = cluster_.Call(&idl::MasterServiceCobSvIf::listTables, idl::ListTablesRequest());
  ASSERT_EQ(tables->tables.size(), 2u);
  EXPECT_EQ(tables->tables[0].schema.name, "carts");
  EXPECT_EQ(tables->tables[0].tablets, 2);
  EXPECT_EQ(tables->tables[0].tabletsServing, 2);
  EXPECT_EQ(tables->tables[0].sizeBytes, 2'000);
  EXPECT_EQ(tables->tables[0].records, 20);
  EXPECT_EQ(tables->tables[0].readsPerSecond, 4);
  EXPECT_EQ(cluster_.Describe("users").table.tablets, 1);
  idl::DescribeTableRequest by_id;
  by_id.tableId = tables->tables[0].schema.tableId;
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::describeTable, by_id)->table.schema.name, "carts");

  const auto servers = cluster_.Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
  ASSERT_EQ(servers->servers.size(), 3u);
  for (const auto& server : servers->servers) {
    EXPECT_EQ(server.state, idl::ServerState::LIVE);
    EXPECT_EQ(server.tablets, 1);
    EXPECT_EQ(server.leading, 1);
    EXPECT_EQ(server.uuid, "uuid-" + server.name);
    EXPECT_LE(server.sinceHeartbeatMs, 1'100);
  }
  idl::ListTabletsRequest list;
  list.limit = 2;
  auto tablets = cluster_.Call(&idl::MasterServiceCobSvIf::listTablets, list);
  ASSERT_EQ(tablets->tablets.size(), 2u);
  EXPECT_TRUE(tablets->more);
  EXPECT_EQ(tablets->tablets[0].table, "carts");
  EXPECT_TRUE(tablets->tablets[0].__isset.load);
  list.afterTabletId = tablets->tablets[1].info.tabletId;
  tablets = cluster_.Call(&idl::MasterServiceCobSvIf::listTablets, list);
  ASSERT_EQ(tablets->tablets.size(), 1u);
  EXPECT_FALSE(tablets->more);
  list = {};
  list.server = "ts-1";
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::listTablets, list)->tablets.size(), 1u);
  EXPECT_TRUE(cluster_.Call(&idl::MasterServiceCobSvIf::listTablets, list)->tablets[0].replicas.empty());
  list.replicas = true;
  const auto held = cluster_.Call(&idl::MasterServiceCobSvIf::listTablets, list)->tablets[0].replicas;
  ASSERT_EQ(held.size(), 1u);
  EXPECT_EQ(held[0].server, "ts-1");
  EXPECT_TRUE(held[0].reported);
  EXPECT_TRUE(held[0].load.leading);
  list.server = "nobody";
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::listTablets, list)->header.code, idl::Code::NOT_FOUND);
}

TEST_F(MasterTest, AStandbyNamesTheLeader) {
  idl::LocateRequest request;
  const auto reply = cluster_.CallMaster(standby(), &idl::MasterServiceCobSvIf::locate, request);
  EXPECT_EQ(reply->header.code, idl::Code::NOT_PRIMARY);
  EXPECT_EQ(reply->header.leader.port, 7'400 + 10 * static_cast<int>(cluster_.Leader().value()));
  cluster_.scheduler().RunFor(3s);
  const auto info = cluster_.CallMaster(standby(), &idl::MasterServiceCobSvIf::clusterInfo, idl::ClusterInfoRequest());
  EXPECT_EQ(info->header.code, idl::Code::OK);
  EXPECT_EQ(info->masters.size(), 2u);
  EXPECT_EQ(info->clusterId.size(), 32u);
}

TEST_F(MasterTest, AltersATableAndTellsEveryHolder) {
  ASSERT_EQ(cluster_.Create("carts", Points(5)).header.code, idl::Code::OK);
  idl::TableOptions options;
  options.__set_defaultTtlMs(60'000);
  const auto reply = cluster_.Alter("carts", options);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.schema.schemaVersion, 2);
  EXPECT_EQ(reply.schema.options.defaultTtlMs, 60'000);
  EXPECT_EQ(cluster_.WhyNotServing("carts"), "");                       // holders have schema version 2
  EXPECT_EQ(cluster_.Alter("carts", options).schema.schemaVersion, 2);  // nothing changed
  options.__set_compression(idl::Compression::ZLIB);
  EXPECT_EQ(cluster_.Alter("carts", options).header.code, idl::Code::INVALID_ARGUMENT);
}

TEST_F(MasterTest, AServerThatWasAwayLearnsTheSchema) {
  ASSERT_EQ(cluster_.Create("carts", Points(5)).header.code, idl::Code::OK);
  for (auto& [id, replica] : cluster_.server(1).mutable_replicas()) replica.schema_version = 0;
  cluster_.server(1).Stop();
  cluster_.scheduler().RunFor(10s);
  idl::TableOptions options;
  options.__set_defaultTtlMs(60'000);
  ASSERT_EQ(cluster_.Alter("carts", options).header.code, idl::Code::OK);
  cluster_.server(1).Start();
  WaitServing("carts");
}

TEST_F(MasterTest, DropsATableEverywhere) {
  const int64_t id = cluster_.Create("carts", Points(20)).schema.tableId;
  ASSERT_EQ(cluster_.Drop("carts").header.code, idl::Code::OK);
  WaitGone(id);
  EXPECT_EQ(cluster_.Describe("carts").header.code, idl::Code::NO_SUCH_TABLE);
  const auto again = cluster_.Create("carts");
  EXPECT_EQ(again.header.code, idl::Code::OK);
  EXPECT_GT(again.schema.tableId, id);
}

TEST_F(MasterTest, AServerThatWasAwayDropsWhatWasDropped) {
  const int64_t id = cluster_.Create("carts", Points(20)).schema.tableId;
  cluster_.server(0).Stop();
  cluster_.scheduler().RunFor(10s);
  ASSERT_EQ(cluster_.Drop("carts").header.code, idl::Code::OK);
  EXPECT_FALSE(cluster_.server(0).replicas().empty());
  cluster_.server(0).Start();
  WaitGone(id);
}

TEST_F(MasterTest, AReplicaOfAnIdNeverDrawnIsLeftAlone) {
  FakeServer::Replica replica;
  replica.table = 4'000;
  cluster_.server(0).mutable_replicas()[5'000] = replica;
  cluster_.scheduler().RunFor(20s);
  EXPECT_TRUE(cluster_.server(0).replicas().contains(5'000));
  EXPECT_EQ(cluster_.master(*cluster_.Leader()).master->Stats().unknown_ids, 1u);
}

TEST_F(MasterTest, AnOlderCoordinatorDrawsNoIdThatIsInUse) {
  idl::CreateTableRequest request;
  request.name = "later";
  request.deadlineMs = 8'000;
  auto older = cluster_.coordination().TakeSnapshot();
  ASSERT_EQ(cluster_.Create("carts", Points(20)).header.code, idl::Code::OK);
  const auto tablets = [&] {
    std::vector<size_t> counts;
    for (const auto& server : cluster_.servers()) counts.push_back(server->replicas().size());
    return counts;
  };
  const std::vector<size_t> before = tablets();
  auto newest = cluster_.coordination().TakeSnapshot();

  cluster_.coordination().Restore(std::move(older));
  cluster_.scheduler().RunFor(10s);
  const auto refused = cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request);
  ASSERT_TRUE(refused.has_value());
  EXPECT_EQ(refused->header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(refused->header.message, ::testing::HasSubstr("restored from an older state"));
  // A server that is away has them all the same.
  cluster_.server(0).Stop();
  cluster_.server(1).Stop();
  cluster_.scheduler().RunFor(10s);
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request)->header.code, idl::Code::UNAVAILABLE);
  cluster_.server(0).Start();
  cluster_.server(1).Start();
  EXPECT_FALSE(cluster_.TableNode("later"));
  EXPECT_EQ(tablets(), before) << "nothing is adopted, nothing dropped";

  cluster_.coordination().Restore(std::move(newest));
  cluster_.scheduler().RunFor(10s);
  const auto made = cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(made->header.code, idl::Code::OK) << made->header.message;
  WaitServing("carts");
}

TEST_F(MasterTest, NothingIsCreatedBeforeEveryServerHasReported) {
  // A server reports within a second of its registration; its replicas decide.
  FakeServer::Replica replica;
  replica.table = 4'000;
  cluster_.server(0).Stop();
  cluster_.scheduler().RunFor(10s);
  cluster_.server(0).mutable_replicas()[5'000] = replica;
  cluster_.server(0).Start();
  ASSERT_TRUE(cluster_.WaitForServers());
  idl::CreateTableRequest request;
  request.name = "carts";
  request.deadlineMs = 1'000;
  const auto reply = cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(reply->header.code, idl::Code::UNAVAILABLE) << reply->header.message;
  EXPECT_TRUE(cluster_.server(0).replicas().contains(5'000));
}

TEST_F(MasterTest, ARestartedServerLeadsAgainInAHigherEpoch) {
  ASSERT_EQ(cluster_.Create("carts", Points(600)).header.code, idl::Code::OK);
  cluster_.server(2).Stop();
  cluster_.server(2).Start();
  WaitServing("carts");
  for (const auto& [id, info] : cluster_.Tablets()) EXPECT_EQ(info.epoch, info.primary == "ts-3" ? 2 : 1);
  EXPECT_EQ(cluster_.server(2).replicas().size(), 200u);
}

TEST_F(MasterTest, ATabletWithOneReplicaIsNeverReassigned) {
  ASSERT_EQ(cluster_.Create("carts", Points(5)).header.code, idl::Code::OK);
  const auto before = cluster_.Tablets();
  cluster_.server(0).Stop();
  cluster_.scheduler().RunFor(600s);
  EXPECT_EQ(cluster_.Tablets(), before);
}

TEST_F(MasterTest, AReplicaThatLostItsLeadIsGivenItAgain) {
  ASSERT_EQ(cluster_.Create("carts").header.code, idl::Code::OK);
  cluster_.scheduler().RunFor(5s);
  for (auto& server : cluster_.servers()) {
    for (auto& [id, replica] : server->mutable_replicas()) replica.leading = 0;  // gave its epoch up for good
  }
  WaitServing("carts");
  EXPECT_EQ(cluster_.Tablets().begin()->second.epoch, 2);
}

TEST_F(MasterTest, AReplicaThatVanishedIsNotMadeAnew) {
  ASSERT_EQ(cluster_.Create("carts", {"m"}).header.code, idl::Code::OK);
  FakeServer& holder = **std::ranges::find_if(cluster_.servers(), [](auto& s) { return !s->replicas().empty(); });
  holder.mutable_replicas().clear();
  cluster_.scheduler().RunFor(30s);
  EXPECT_TRUE(holder.replicas().empty());
  EXPECT_EQ(cluster_.master(*cluster_.Leader()).master->Stats().unsettled_tablets, 1u);
}

TEST_F(MasterTest, AHealthyTabletIsLeftInPeace) {
  ASSERT_EQ(cluster_.Create("carts", Points(50)).header.code, idl::Code::OK);
  const auto before = cluster_.Tablets();
  cluster_.scheduler().RunFor(120s);
  EXPECT_EQ(cluster_.Tablets(), before);
}

TEST_F(MasterTest, APromiseThatNobodyRemembersIsFencedPast) {
  ASSERT_EQ(cluster_.Create("carts").header.code, idl::Code::OK);
  FakeServer& holder = **std::ranges::find_if(cluster_.servers(), [](auto& s) { return !s->replicas().empty(); });
  holder.mutable_replicas().begin()->second.promised = 7;
  holder.mutable_replicas().begin()->second.leading = 0;
  cluster_.scheduler().RunFor(3s);
  WaitServing("carts");
  EXPECT_EQ(cluster_.Tablets().begin()->second.epoch, 8);
}

TEST_F(MasterTest, ATableWaitsForAServerToLive) {
  for (auto& server : cluster_.servers()) server->Stop();
  cluster_.scheduler().RunFor(10s);
  idl::CreateTableRequest request;
  request.name = "carts";
  request.deadlineMs = 1'000;
  auto reply = cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(reply->header.code, idl::Code::UNAVAILABLE);
  EXPECT_NE(reply->header.message.find("3 not live"), std::string::npos) << reply->header.message;
  EXPECT_FALSE(cluster_.TableNode("carts"));
  cluster_.server(1).Start();
  request.deadlineMs = 20'000;
  reply = cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
}

TEST_F(MasterTest, ACreationOutlivesItsCallersDeadline) {
  for (int64_t id = 1; id < 20; ++id) cluster_.server(0).refuse_configure[id] = idl::Code::UNAVAILABLE;
  idl::CreateTableRequest request;
  request.name = "carts";
  request.splitPoints = Points(2);
  request.deadlineMs = 500;
  const auto reply = cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request);
  EXPECT_EQ(reply->header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_NE(reply->header.message.find("2 of 3 tablets serve"), std::string::npos) << reply->header.message;
  EXPECT_EQ(cluster_.Create("carts").header.code, idl::Code::TABLE_EXISTS);
  cluster_.server(0).refuse_configure.clear();
  WaitServing("carts");
}

// It may have served already, for all that this master was told.
TEST_F(MasterTest, ATabletBeingCreatedWaitsForItsServer) {
  for (int64_t id = 1; id < 20; ++id) cluster_.server(0).refuse_configure[id] = idl::Code::UNAVAILABLE;
  idl::CreateTableRequest request;
  request.name = "carts";
  request.splitPoints = Points(2);
  request.deadlineMs = 500;
  ASSERT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request)->header.code, idl::Code::UNKNOWN_OUTCOME);
  const auto before = cluster_.Tablets();
  cluster_.server(0).Stop();
  cluster_.server(0).refuse_configure.clear();
  cluster_.scheduler().RunFor(600s);
  EXPECT_EQ(cluster_.Tablets(), before);
  const auto listed =
      cluster_.Call(&idl::MasterServiceCobSvIf::listProcedures, idl::ListProceduresRequest())->procedures;
  ASSERT_EQ(listed.size(), 1u);
  EXPECT_NE(listed[0].waitsFor.find(" waits for " + cluster_.server(0).name() + " (away)"), std::string::npos)
      << listed[0].waitsFor;
  cluster_.server(0).Start();
  WaitServing("carts");
}

TEST_F(MasterTest, DroppingATableInCreationEndsBoth) {
  for (int64_t id = 1; id < 20; ++id) cluster_.server(0).refuse_configure[id] = idl::Code::UNAVAILABLE;
  idl::CreateTableRequest request;
  request.name = "carts";
  request.splitPoints = Points(5);
  request.deadlineMs = 500;
  ASSERT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::createTable, request)->header.code, idl::Code::UNKNOWN_OUTCOME);
  const int64_t id = cluster_.TableNode("carts")->schema.tableId;
  ASSERT_EQ(cluster_.Drop("carts").header.code, idl::Code::OK);
  cluster_.server(0).refuse_configure.clear();
  WaitGone(id);
  cluster_.scheduler().RunFor(30s);
  EXPECT_EQ(cluster_.Remains(id), "");
}

TEST_F(MasterTest, ADeposedMasterChangesNothing) {
  const size_t old = cluster_.Leader().value();
  // Cut off from the coordinator, it does not know that its session is over and another leads.
  cluster_.master(old).coordinator->inner().HoldOff(true);
  cluster_.master(old).coordinator->inner().Disconnect();
  ASSERT_TRUE(cluster_.RunUntil([&] {
    auto& other = cluster_.master(1 - old).master;
    return other->Stats().ready;
  }));
  idl::CreateTableRequest request;
  request.name = "ghost";
  request.deadlineMs = 3'000;
  auto reply = cluster_.CallMaster(old, &idl::MasterServiceCobSvIf::createTable, request);
  ASSERT_TRUE(reply);
  EXPECT_NE(reply->header.code, idl::Code::OK);
  cluster_.master(old).coordinator->inner().HoldOff(false);
  ASSERT_TRUE(cluster_.RunUntil([&] { return !cluster_.master(old).master->leading(); }));
  cluster_.scheduler().RunFor(10s);
  EXPECT_FALSE(cluster_.TableNode("ghost"));
  EXPECT_EQ(cluster_.Create("carts").header.code, idl::Code::OK);
}

TEST_F(MasterTest, AChangeUnderATermThatIsOverFails) {
  const size_t old = cluster_.Leader().value();
  // Its session and its node in the election stand, but another has raised the term.
  ebla::testing::SimExecutor executor(cluster_.scheduler());
  auto usurper = cluster_.coordination().NewClient(executor);
  bool raised = false;
  const std::string term = coordination::layout::kTerm;
  const std::string data = cluster_.coordination().tree().Get(term)->data;
  usurper->Multi({coordination::Op::Set(term, data, coordination::kAnyVersion)}, [&](auto) { raised = true; });
  ASSERT_TRUE(cluster_.RunUntil([&] { return raised; }));
  idl::CreateTableRequest request;
  request.name = "ghost";
  request.deadlineMs = 3'000;
  const auto reply = cluster_.CallMaster(old, &idl::MasterServiceCobSvIf::createTable, request);
  ASSERT_TRUE(reply);
  EXPECT_NE(reply->header.code, idl::Code::OK);
  EXPECT_FALSE(cluster_.TableNode("ghost"));
}

TEST_F(MasterTest, ABrokenConnectionDoesNotEndALeaderTerm) {
  const size_t leader = cluster_.Leader().value();
  const int64_t id = cluster_.Create("carts").schema.tableId;
  cluster_.coordination().SetAvailable(false);
  cluster_.scheduler().RunFor(60s);
  EXPECT_EQ(cluster_
                .CallMaster(leader, &idl::MasterServiceCobSvIf::locate,
                            [&] {
                              idl::LocateRequest request;
                              request.tableId = id;
                              return request;
                            }())
                ->tablets.size(),
            1u);
  cluster_.coordination().SetAvailable(true);
  ASSERT_TRUE(cluster_.RunUntil([&] { return !cluster_.master(leader).master->Stats().coordinator_away; }));
  EXPECT_EQ(cluster_.Create("users").header.code, idl::Code::OK);
  WaitServing("users");
}

TEST_F(MasterTest, ResigningHandsOverAtOnce) {
  const size_t old = cluster_.Leader().value();
  bool done = false;
  cluster_.master(old).executor->Post([&] { cluster_.master(old).master->Resign([&] { done = true; }); });
  EXPECT_TRUE(cluster_.RunUntil([&] { return done && cluster_.Leader() == 1 - old; }, 1s));
}

TEST_F(MasterTest, RefusesHeartbeatsOfOthers) {
  idl::HeartbeatRequest request;
  request.clusterId = "another";
  request.server = "ts-1";
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::heartbeat, request)->header.code, idl::Code::INVALID_ARGUMENT);
  request.clusterId = cluster_.master(*cluster_.Leader()).master->cluster_id();
  request.incarnation = 0;
  request.featureLevel = kFeatureLevel;
  EXPECT_EQ(cluster_.Call(&idl::MasterServiceCobSvIf::heartbeat, request)->header.code, idl::Code::STALE_EPOCH);
}

TEST_F(MasterTest, SaysSinceWhenTheCoordinatorIsAway) {
  const auto info = [&] {
    return cluster_.Call<idl::ClusterInfoReply>(&idl::MasterServiceCobSvIf::clusterInfo, idl::ClusterInfoRequest());
  };
  EXPECT_FALSE(info()->__isset.coordinatorAwayMs);
  Master& leader = *cluster_.master(*cluster_.Leader()).master;
  cluster_.coordination().SetAvailable(false);
  for (size_t i = 0; i < 2; ++i) cluster_.master(i).coordinator->inner().Disconnect();
  cluster_.scheduler().RunFor(40s);
  const auto away = info();
  ASSERT_TRUE(away && away->__isset.coordinatorAwayMs);
  EXPECT_GE(away->coordinatorAwayMs, 39'000);
  EXPECT_TRUE(away->leading) << "who serves goes on serving";
  EXPECT_NE(leader.coordinator_watch().Describe().find("no failover happens"), std::string::npos);
  const MonotonicTime asked = cluster_.scheduler().Now();
  const idl::CreateTableReply refused = cluster_.Create("late");
  EXPECT_EQ(refused.header.code, idl::Code::UNAVAILABLE);
  EXPECT_NE(refused.header.message.find("the coordinator (ZooKeeper) has been away for 4"), std::string::npos)
      << refused.header.message;
  EXPECT_LT(cluster_.scheduler().Now() - asked, 100ms) << "nobody waits for what cannot happen";
  cluster_.coordination().SetAvailable(true);
  EXPECT_TRUE(cluster_.RunUntil([&] { return !leader.Stats().coordinator_away; }));
}

TEST_F(MasterTest, AServerThatDoesNotReportIsSilentAndLeadsNothing) {
  ASSERT_EQ(cluster_.Create("carts").header.code, idl::Code::OK);
  const auto find = [&](const std::string& name) {
    const auto reply =
        cluster_.Call<idl::ListServersReply>(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
    return *std::ranges::find(reply->servers, name, &idl::ServerSummary::name);
  };
  cluster_.scheduler().RunFor(2s);  // until each has reported what it leads
  std::string leads;
  for (const auto& server : cluster_.servers()) {
    ASSERT_EQ(find(server->name()).state, idl::ServerState::LIVE);
    if (find(server->name()).leading > 0) leads = server->name();
  }
  ASSERT_FALSE(leads.empty());
  const auto victim = std::ranges::find_if(cluster_.servers(), [&](const auto& one) { return one->name() == leads; });
  (*victim)->Stop();
  cluster_.scheduler().RunFor(4s);
  const idl::ServerSummary silent = find(leads);
  EXPECT_EQ(silent.state, idl::ServerState::SILENT) << "its session lasts six seconds";
  EXPECT_EQ(silent.leading, 0);
  EXPECT_EQ(cluster_.master(*cluster_.Leader()).master->Stats().live_servers, cluster_.servers().size() - 1);
  cluster_.scheduler().RunFor(6s);
  EXPECT_EQ(find(leads).state, idl::ServerState::LOST);
}

TEST_F(MasterTest, TellsWhatEveryProcessRuns) {
  const auto reply =
      cluster_.Call<idl::ClusterVersionReply>(&idl::MasterServiceCobSvIf::clusterVersion, idl::ClusterVersionRequest());
  ASSERT_EQ(reply->header.code, idl::Code::OK);
  ASSERT_EQ(reply->processes.size(), 2 + cluster_.servers().size());
  EXPECT_EQ(reply->processes[0].name, "master-1");
  EXPECT_EQ(reply->processes[0].role, idl::ProcessRole::MASTER);
  EXPECT_EQ(reply->processes[0].protocol, 1);
  EXPECT_NE(reply->processes[0].leader, reply->processes[1].leader);
  const idl::ProcessVersion& server = reply->processes.back();
  EXPECT_EQ(server.role, idl::ProcessRole::TABLET_SERVER);
  EXPECT_TRUE(server.live);
  EXPECT_EQ(server.protocol, 1);
}

TEST_F(MasterTest, AProcessThatHasJustStartedIsAmongThem) {
  const auto versions = [&] {
    return cluster_
        .Call<idl::ClusterVersionReply>(&idl::MasterServiceCobSvIf::clusterVersion, idl::ClusterVersionRequest())
        ->processes;
  };
  const size_t index = standby(), all = versions().size();
  cluster_.KillMaster(index);
  EXPECT_TRUE(cluster_.RunUntil([&] { return versions().size() == all - 1; }));
  cluster_.StartMaster(index);
  cluster_.scheduler().RunFor(200ms);
  EXPECT_EQ(versions().size(), all);
}

TEST_F(MasterTest, AForgedNameIsRefusedAndShownWithoutItsControlCharacters) {
  idl::HeartbeatRequest heartbeat;
  heartbeat.server = "ts-1\x1b[31m\nE1 all is lost";
  const auto reply = cluster_.Call<idl::HeartbeatReply>(&idl::MasterServiceCobSvIf::heartbeat, heartbeat);
  EXPECT_EQ(reply->header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_NE(reply->header.message.find("\\x1b[31m\\x0a"), std::string::npos) << reply->header.message;
  EXPECT_EQ(reply->header.message.find('\x1b'), std::string::npos);
}

}  // namespace
}  // namespace ebla::master::testing
