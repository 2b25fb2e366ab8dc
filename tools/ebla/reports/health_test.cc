// The findings of `ebla health`: the judge alone, over clusters written down, and the verb against a fake cluster.
#include "tools/ebla/reports/health.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::StartsWith;

TabletSummary TabletOf(uint64_t id, std::vector<ServerName> voters) {
  TabletSummary tablet;
  tablet.id = TabletId{id};
  tablet.table = "carts";
  tablet.primary = voters.front();
  tablet.voters = std::move(voters);
  tablet.status = TabletStatus::kServing;
  tablet.load = TabletLoadInfo{};
  tablet.load->leading = tablet.load->barrier_applied = true;
  for (const ServerName& voter : tablet.voters) {
    ReplicaReport& replica = tablet.replicas.emplace_back();
    replica.server = voter;
    replica.reported = replica.known = true;
  }
  return tablet;
}

// Three servers, and a table of two tablets with three replicas each.
ClusterState SoundCluster() {
  ClusterState state;
  state.info.from_leader = true;
  for (const char* name : {"ts-1", "ts-2", "ts-3"}) {
    ServerSummary server;
    server.name = name;
    server.live = true;
    server.since_heartbeat = std::chrono::milliseconds(300);
    state.servers.push_back(server);
  }
  TableInfo table;
  table.name = "carts";
  table.options.replicas = 3;
  state.tables = {table};
  state.tablets = {TabletOf(7, {"ts-1", "ts-2", "ts-3"}), TabletOf(8, {"ts-2", "ts-3", "ts-1"})};
  return state;
}

// "grade: what" of each finding.
std::vector<std::string> Findings(const ClusterState& state) {
  std::vector<std::string> all;
  for (const Finding& finding : Judge(state).findings) {
    EXPECT_FALSE(finding.action.empty()) << finding.what;
    all.push_back(std::string(Name(finding.grade)) + ": " + finding.what);
  }
  return all;
}

TEST(HealthTest, ATableInMemoryThatBeganEmptyIsToldForADay) {
  ClusterState state = SoundCluster();
  state.tables[0].times_emptied = 2;
  state.tables[0].since_emptied = std::chrono::minutes(5);
  EXPECT_THAT(Judge(state).notes, ::testing::Contains(HasSubstr("table carts, which is in memory, started empty")));
  EXPECT_TRUE(Findings(state).empty()) << "it is what such a table is";
  state.tables[0].since_emptied = std::chrono::hours(25);
  EXPECT_THAT(Judge(state).notes, ::testing::Not(::testing::Contains(HasSubstr("started empty"))));
}

TEST(HealthTest, ASoundClusterHasNoFindings) {
  const Health health = Judge(SoundCluster());
  EXPECT_EQ(health.grade, Grade::kHealthy);
  EXPECT_TRUE(health.findings.empty());
  EXPECT_EQ(health.tablets, 2);
  EXPECT_EQ(health.live_servers, 3);
}

TEST(HealthTest, ALostServerTakesRedundancyAndItsLeadershipUntilTheFailover) {
  ClusterState state = SoundCluster();
  state.servers[0].live = false;
  state.servers[0].tablets = 2;
  EXPECT_THAT(Findings(state),
              ::testing::ElementsAre("failing: 1 tablet of table carts (2 in all): no primary",
                                     "degraded: server ts-1 is lost, last report 300ms ago",
                                     "degraded: 1 tablet of table carts (2 in all): fewer than 3 whole replicas"));
  state.tablets[0].primary = "ts-2";
  EXPECT_EQ(Judge(state).grade, Grade::kDegraded);
  EXPECT_EQ(Judge(state).tables[0].under_replicated, 2);
  EXPECT_THAT(Judge(state).findings[1].action, HasSubstr("this takes 3 live tablet servers; live now: 2"));
}

// A line for each of a hundred tables would be too long to read.
TEST(HealthTest, TablesThatLackTheSameAreOneFinding) {
  ClusterState state = SoundCluster();
  const std::vector<TabletSummary> tablets = state.tablets;
  const TableInfo carts = state.tables[0];
  for (int i = 1; i < 100; ++i) {
    TableInfo& table = state.tables.emplace_back(carts);
    table.name = "t" + std::to_string(100 + i);
    for (TabletSummary tablet : tablets) {
      tablet.table = table.name;
      state.tablets.push_back(tablet);
    }
  }
  EXPECT_TRUE(Findings(state).empty());
  state.servers[0].live = false;
  EXPECT_THAT(
      Findings(state),
      ::testing::ElementsAre("failing: 100 tablets of 100 tables (carts, t101, t102 and 97 more): no primary",
                             "degraded: server ts-1 is lost, last report 300ms ago",
                             "degraded: 100 tablets of 100 tables (carts, t101, t102 and 97 more): fewer than 3 whole "
                             "replicas"));
  EXPECT_EQ(Judge(state).tables.size(), 100u);
  state.tables[0].options.replicas = 4;
  EXPECT_THAT(Findings(state).back(), HasSubstr("fewer whole replicas than their tables ask for"));
}

TEST(HealthTest, ALostMajorityNamesATabletToRecover) {
  ClusterState state = SoundCluster();
  state.servers[0].live = state.servers[1].live = false;
  const Health health = Judge(state);
  EXPECT_EQ(health.grade, Grade::kFailing);
  EXPECT_EQ(health.tables[0].without_majority, 2);
  EXPECT_EQ(health.tables[0].without_primary, 0) << "a tablet counts once";
  EXPECT_THAT(health.findings[0].action, HasSubstr("ebla tablet recover 8"));
}

TEST(HealthTest, AReplicaThatIsBeingFilledIsNotWhole) {
  ClusterState state = SoundCluster();
  state.tablets[1].incomplete = {"ts-3"};
  state.info.copies = 1;
  EXPECT_THAT(Findings(state),
              ::testing::ElementsAre("degraded: 1 tablet of table carts (2 in all): fewer than 3 whole replicas"));
  EXPECT_EQ(Judge(state).copies, 1);
}

TEST(HealthTest, ALeaderWithoutItsBarrierServesNothing) {
  ClusterState state = SoundCluster();
  state.tablets[1].load->barrier_applied = false;
  EXPECT_THAT(
      Findings(state),
      ::testing::ElementsAre("failing: 1 tablet of table carts (2 in all): the primary serves no STRONG read yet"));
}

TEST(HealthTest, AFailedReplicaCountsForNothingThoughItsServerLives) {
  ClusterState state = SoundCluster();
  state.tablets[1].replicas[2].failed = true;
  EXPECT_THAT(Findings(state),
              ::testing::ElementsAre("degraded: 1 replica of table carts failed: ts-1 (tablet 8)",
                                     "degraded: 1 tablet of table carts (2 in all): fewer than 3 whole replicas"));
  state.tablets[1].replicas[0].failed = true;
  EXPECT_THAT(Findings(state),
              ::testing::ElementsAre(
                  "failing: 1 tablet of table carts (2 in all): no majority of the voters is live and healthy",
                  "degraded: 2 replicas of table carts failed: ts-2 (tablet 8), ts-1 (tablet 8)"));
}

TEST(HealthTest, AFullDiskFailsOnlyWhereItLeads) {
  ClusterState state = SoundCluster();
  state.servers[2].writes_refused = true;
  EXPECT_EQ(Judge(state).grade, Grade::kDegraded);
  state.servers[2].leading = 1;
  EXPECT_EQ(Judge(state).grade, Grade::kFailing);
}

// "what | action" of the only finding.
std::string OnlyFinding(const ClusterState& state) {
  const Health health = Judge(state);
  if (health.findings.size() != 1) return std::to_string(health.findings.size()) + " findings";
  return std::string(Name(health.grade)) + ": " + health.findings[0].what + " | " + health.findings[0].action;
}

ClusterState Standalone() {
  ClusterState state = SoundCluster();
  state.servers.resize(1);
  state.tables[0].options.replicas = 1;
  state.tablets = {TabletOf(7, std::vector<ServerName>{"ts-1"})};
  return state;
}

TEST(HealthTest, AFullDiskAndAFailedStoreAreToldApart) {
  ClusterState state = SoundCluster();
  state.servers[2].writes_refused = true;
  EXPECT_THAT(OnlyFinding(state), AllOf(StartsWith("degraded: server ts-3 refuses writes: its disk reserve is reached"),
                                        HasSubstr("or add a server; deletes pass")));
  state.servers[2].writes_refused = false;
  state.servers[2].disk.failure = "cannot sync /data/log/1: Input/output error";
  EXPECT_THAT(
      OnlyFinding(state),
      AllOf(StartsWith("degraded: server ts-3: its store has failed: cannot sync /data/log/1: Input/output error"),
            HasSubstr("only a restart brings it back"), EndsWith("ebla server drain ts-3"),
            ::testing::Not(HasSubstr("give it more disk"))));
  state.servers[2].disk.failure = "cannot write /data/log/1: No space left on device";
  EXPECT_THAT(OnlyFinding(state), AllOf(HasSubstr("make room on its disk; only a restart brings it back"),
                                        ::testing::Not(HasSubstr("its disk is bad"))));
}

TEST(HealthTest, TheOnlyServerIsToldToDeleteAndNotToAddAServer) {
  ClusterState state = Standalone();
  state.servers[0].writes_refused = true;
  state.servers[0].leading = 1;
  EXPECT_THAT(OnlyFinding(state), AllOf(StartsWith("failing: "), HasSubstr("delete records"),
                                        HasSubstr("ebla table compact"), ::testing::Not(HasSubstr("add a server"))));
  state.servers[0].writes_refused = false;
  state.servers[0].disk.failure = "cannot sync";
  EXPECT_THAT(OnlyFinding(state),
              AllOf(StartsWith("failing: "), HasSubstr("restart ts-1"), ::testing::Not(HasSubstr("server drain"))));
}

TEST(HealthTest, ASlowDiskIsNamedFromASecondOn) {
  using std::chrono::milliseconds;
  ClusterState state = SoundCluster();
  DiskInfo& disk = state.servers[1].disk;
  disk.slowest_sync = milliseconds(999);
  EXPECT_EQ(Judge(state).grade, Grade::kHealthy);
  disk.slowest_sync = milliseconds(5'040);
  EXPECT_THAT(OnlyFinding(state),
              AllOf(StartsWith("degraded: server ts-2: its disk is slow: a sync of the log took 5.0 s"),
                    HasSubstr("iostat"), EndsWith("ebla server drain ts-2")));
  disk.slowest_sync = milliseconds(3);
  disk.sync_under_way = milliseconds(6'100);
  EXPECT_THAT(OnlyFinding(state), HasSubstr("a sync of the log has lasted 6.1 s"));
  state.servers[1].leading = 1;
  EXPECT_EQ(Judge(state).grade, Grade::kFailing) << "its primaries take no write";
}

TEST(HealthTest, AClockThatIsDoubtedOrApartFromTheMastersIsAFinding) {
  using std::chrono::hours, std::chrono::milliseconds;
  ClusterState state = SoundCluster();
  ClockInfo& clock = state.servers[0].clock.emplace();
  for (const int ms : {9'999, 0, -9'999}) {
    clock.ahead_of_master = milliseconds(ms);
    EXPECT_EQ(Judge(state).grade, Grade::kHealthy) << ms;
  }
  clock.ahead_of_master = milliseconds(10'000);
  EXPECT_THAT(
      OnlyFinding(state),
      AllOf(StartsWith("degraded: server ts-1: its clock is 10s ahead of the leading master's"), HasSubstr("NTP")));
  clock.ahead_of_master = -hours(5);
  EXPECT_THAT(OnlyFinding(state), HasSubstr("its clock is 5h behind the leading master's"));
  clock.ahead_of_master = milliseconds(3);
  clock.doubt = hours(24 * 365);
  clock.waiting = 7;
  EXPECT_THAT(OnlyFinding(state),
              AllOf(StartsWith("degraded: server ts-1: its clock is 365 days ahead of the last time "
                               "that was sure: the records of 7 tablets expire late"),
                    EndsWith("set it (NTP); if it is right: ebla server clock ts-1 --accept")));
  clock.waiting = 0;
  clock.doubt = -hours(3);
  EXPECT_THAT(OnlyFinding(state),
              HasSubstr("3h behind the last time that was sure, so the server does not believe it"));
  state.servers[0].live = false;
  EXPECT_THAT(Findings(state), ::testing::Each(::testing::Not(HasSubstr("its clock")))) << "it is not known any more";
}

TEST(HealthTest, ALostPartOfALogIsAFindingUntilItsReplicasAreWhole) {
  ClusterState state = SoundCluster();
  DiskInfo& disk = state.servers[0].disk;
  disk.loss = "/data/log/2 ends at byte 4096";
  disk.lost_replicas = 2;
  EXPECT_THAT(
      OnlyFinding(state),
      AllOf(StartsWith("degraded: server ts-1 has lost part of its log: /data/log/2 ends at byte 4096; 2 replicas"),
            HasSubstr("ebla tablet recover"), EndsWith("ebla server drain ts-1")));
  disk.lost_replicas = 0;
  const Health health = Judge(state);
  EXPECT_EQ(health.grade, Grade::kHealthy);
  EXPECT_THAT(health.notes, ::testing::ElementsAre(HasSubstr("ends at byte 4096; no lost replica is left on it")));
}

TEST(HealthTest, ADamagedCatalogOfAStandaloneDegrades) {
  ClusterState state = SoundCluster();
  state.servers[0].disk.catalog_damage = "/data/coordinator/nodes.wt is damaged at byte 4096";
  EXPECT_THAT(OnlyFinding(state), AllOf(StartsWith("degraded: server ts-1: its catalog is damaged on the disk"),
                                        HasSubstr("nodes.wt is damaged at byte 4096"), HasSubstr("--rebuild_catalog")));
}

TEST(HealthTest, SafeModeAndSilenceDegrade) {
  ClusterState state = SoundCluster();
  state.info.safe_mode = "1 of 3 servers live";
  state.servers[1].since_heartbeat = std::chrono::milliseconds(9'000);
  EXPECT_THAT(Findings(state),
              ::testing::UnorderedElementsAre("degraded: safe mode, nothing is repaired: 1 of 3 servers live",
                                              "degraded: server ts-2 does not report, last report 9s ago"));
}

// It was killed, and its session with the coordinator lasts some seconds more.
TEST(HealthTest, ASilentServerIsNotLiveAndLeadsNothing) {
  ClusterState state = SoundCluster();
  state.servers[0].live = false;
  state.servers[0].silent = true;
  state.servers[0].since_heartbeat = std::chrono::milliseconds(4'000);
  EXPECT_THAT(Findings(state),
              ::testing::ElementsAre("failing: 1 tablet of table carts (2 in all): no primary",
                                     "degraded: server ts-1 does not report, last report 4s ago",
                                     "degraded: 1 tablet of table carts (2 in all): fewer than 3 whole replicas"));
  EXPECT_EQ(Judge(state).live_servers, 2);
}

// The master counts it as live for three seconds.
TEST(HealthTest, AServerThatHasJustFallenSilentIsANote) {
  ClusterState state = SoundCluster();
  state.servers[1].since_heartbeat = std::chrono::milliseconds(1'640);
  const Health health = Judge(state);
  EXPECT_EQ(health.grade, Grade::kHealthy) << "a busy server reports late, too";
  EXPECT_EQ(health.live_servers, 3);
  EXPECT_THAT(health.notes, ::testing::ElementsAre(StartsWith("server ts-2 has been silent for 1.6s: ")));
}

ReplicaProgressInfo PeerOf(const ServerName& server, std::optional<std::chrono::milliseconds> silent) {
  ReplicaProgressInfo peer;
  peer.server = server;
  peer.voter = true;
  peer.silent = silent;
  return peer;
}

TEST(HealthTest, ATabletHasJustBegunUntilItsPrimaryCountsTheVotersThatAreComplete) {
  using std::chrono::milliseconds;
  ClusterState state = SoundCluster();
  state.tablets[0].incomplete = {"ts-2", "ts-3"};
  auto& replicas = state.tablets[0].replicas;
  auto& peers = replicas[0].peers;
  peers = {PeerOf("ts-2", milliseconds(20)), PeerOf("ts-3", milliseconds(20))};
  peers[0].incomplete = true;
  const std::set<TabletId> begun = {TabletId{7}};
  EXPECT_EQ(JustBegun(state), begun);
  peers[0].silent.reset();
  EXPECT_EQ(JustBegun(state), begun) << "the voter has not answered at all";
  replicas[1].known = false;
  EXPECT_EQ(JustBegun(state), begun) << "the voter's last report is older than the tablet";
  replicas[1].known = replicas[1].incomplete = true;
  EXPECT_TRUE(JustBegun(state).empty()) << "its records are lost, and repair copies them";
  replicas[1].incomplete = false;
  peers[0].copying = true;
  EXPECT_TRUE(JustBegun(state).empty());
  peers[0].copying = false;
  state.servers[1].since_heartbeat = milliseconds(2'000);
  EXPECT_TRUE(JustBegun(state).empty()) << "nothing will be heard of a server that is gone";
  state.servers[1].since_heartbeat = milliseconds(200);
  peers[0].incomplete = false;
  EXPECT_TRUE(JustBegun(state).empty());
}

TEST(HealthTest, WithoutACoordinatorNothingFailsOver) {
  ClusterState state = SoundCluster();
  state.info.coordinator_away = std::chrono::milliseconds(40'000);
  const Health away = Judge(state);
  EXPECT_EQ(away.grade, Grade::kDegraded);
  ASSERT_EQ(away.findings.size(), 1u);
  EXPECT_THAT(away.findings[0].what,
              StartsWith("the coordinator (ZooKeeper) has been away for 40s: no failover, no split"));
  state.servers[0].live = false;
  state.servers[0].silent = true;
  const Health unserved = Judge(state);
  EXPECT_EQ(unserved.grade, Grade::kFailing);
  EXPECT_EQ(unserved.findings[0].action, "no failover happens while the coordinator is away: start ZooKeeper");
}

TEST(HealthTest, TabletsThatAreDroppedAndTablesThatAreGoneDoNotCount) {
  ClusterState state = SoundCluster();
  state.tablets[0].status = TabletStatus::kDropping;
  state.tablets[0].load.reset();
  state.tablets[1].table = "gone";
  EXPECT_EQ(Judge(state).grade, Grade::kHealthy);
  EXPECT_EQ(Judge(state).tablets, 0);
}

ProcedureInfo ProcedureOf(const std::string& kind, uint64_t tablet, std::chrono::milliseconds age) {
  ProcedureInfo one;
  one.id = kind + "-" + std::to_string(tablet);
  one.kind = kind;
  one.tablet = TabletId{tablet};
  one.age = age;
  return one;
}

TEST(HealthTest, ATransferThatWasBegunLatelyIsANote) {
  using std::chrono::milliseconds;
  ClusterState state = SoundCluster();
  state.tablets[0].load->leading = false;
  state.procedures = {ProcedureOf("transfer", 7, milliseconds(900)), ProcedureOf("move", 8, milliseconds(900))};
  EXPECT_TRUE(Unserved(state).empty());
  const Health health = Judge(state);
  EXPECT_EQ(health.grade, Grade::kHealthy);
  EXPECT_EQ(health.tables[0].changing, 1);
  EXPECT_THAT(health.notes, ::testing::ElementsAre("1 tablet of table carts is not served for a moment: transfer-7"));
  state.tablets[1].load->barrier_applied = false;
  EXPECT_THAT(Judge(state).notes,
              ::testing::ElementsAre("2 tablets of table carts are not served for a moment: move-8, transfer-7"));
}

TEST(HealthTest, ATransferThatLastsAndAFailoverAreFailuresOnceTheyHaveLasted) {
  ClusterState state = SoundCluster();
  state.tablets[0].load->leading = false;
  for (const ProcedureInfo& one :
       {ProcedureOf("transfer", 7, std::chrono::seconds(20)), ProcedureOf("lead", 7, std::chrono::seconds(1)),
        ProcedureOf("transfer", 8, std::chrono::seconds(1))}) {
    state.procedures = {one};
    EXPECT_EQ(Unserved(state), std::set<TabletId>{TabletId{7}}) << one.id;
    EXPECT_EQ(Judge(state).grade, Grade::kFailing) << one.id;
  }
  state.procedures = {ProcedureOf("move", 7, std::chrono::minutes(20))};
  const Health passing = Judge(state, {TabletId{7}});
  EXPECT_EQ(passing.grade, Grade::kHealthy) << "it was served a moment ago";
  EXPECT_THAT(passing.notes, ::testing::ElementsAre(HasSubstr("is not served for a moment: move-7")));
  state.procedures.clear();
  EXPECT_THAT(Judge(state, {TabletId{7}}).notes, ::testing::ElementsAre(HasSubstr("for a moment: a failover")));
  state.servers[0].live = state.servers[1].live = false;
  EXPECT_EQ(Judge(state, {TabletId{7}}).grade, Grade::kFailing) << "without a majority nothing passes by itself";
}

TEST(HealthTest, ATableThatIsBeingMadeIsANoteUnlessItsMakingIsHeldUp) {
  ClusterState state = SoundCluster();
  state.tablets[0].status = TabletStatus::kCreating;
  state.tablets[0].load.reset();
  ProcedureInfo create;
  create.id = "create-carts";
  create.kind = "create";
  create.table = "carts";
  create.age = std::chrono::minutes(1);
  state.procedures = {create};
  EXPECT_EQ(Judge(state).grade, Grade::kHealthy);
  EXPECT_THAT(Judge(state).notes, ::testing::ElementsAre(HasSubstr("create-carts")));
  state.procedures[0].waits_for = "server ts-1 answers nothing";
  EXPECT_EQ(Judge(state).grade, Grade::kFailing);
}

ReplicaReport Reported(const ServerName& server) {
  ReplicaReport report;
  report.server = server;
  report.reported = report.known = true;
  return report;
}

TEST(HealthTest, DamagedReplicasAreNamedAndWhatBecomesOfThem) {
  ClusterState state = SoundCluster();
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) state.tablets[0].replicas.push_back(Reported(server));
  state.tablets[0].replicas[1].damaged = true;
  EXPECT_THAT(Findings(state), ::testing::ElementsAre("degraded: 1 replica damaged: ts-2 (tablet 7)"));
  EXPECT_THAT(Judge(state).findings[0].action, HasSubstr("the master replaces each"));
  for (ReplicaReport& replica : state.tablets[0].replicas) replica.damaged = true;
  EXPECT_THAT(Judge(state).findings.at(0).action, HasSubstr("tablet 7 has no whole replica"));
}

TEST(HealthTest, ReplicasThatDifferAreNamedTogether) {
  ClusterState state = SoundCluster();
  for (const char* server : {"ts-1", "ts-2", "ts-3"}) state.tablets[0].replicas.push_back(Reported(server));
  state.tablets[0].replicas[0].differs_from = {"ts-2"};
  state.tablets[0].replicas[1].differs_from = {"ts-1"};
  EXPECT_THAT(Findings(state),
              ::testing::ElementsAre("degraded: replicas differ, and no majority shows which are right: "
                                     "tablet 7 of table carts on ts-1, ts-2"));
  EXPECT_THAT(Judge(state).findings[0].action, HasSubstr("--replicas 3"));
}

TEST(HealthTest, DamageOfLatelyAndASearchThatDoesNotEndAreNotes) {
  using namespace std::chrono_literals;
  ClusterState state = SoundCluster();
  state.servers[0].scrub = ScrubInfo{.period = 24h, .age = 30h, .since_damage = {}};
  EXPECT_TRUE(Judge(state).notes.empty());
  state.servers[0].scrub->since_damage = 2h;
  state.servers[1].scrub = ScrubInfo{.period = 24h, .age = 80h, .since_damage = 24h * 30};
  state.servers[2].scrub = ScrubInfo{.period = 0ms, .age = 24h * 365, .since_damage = {}};
  const Health health = Judge(state);
  EXPECT_EQ(health.grade, Grade::kHealthy);
  EXPECT_THAT(health.notes, ::testing::ElementsAre(HasSubstr("damage was found lately and is repaired: ts-1 ("),
                                                   HasSubstr("no scrub has finished for three periods on ts-2:")));
}

TEST(HealthTest, WhatIsSwitchedOffOrDrainsIsANote) {
  ClusterState state = SoundCluster();
  state.planner_on = false;
  state.servers[0].maintenance = true;
  state.servers[1].draining = state.servers[2].draining = true;
  state.servers[1].tablets = 1;
  const Health health = Judge(state);
  EXPECT_EQ(health.grade, Grade::kHealthy);
  EXPECT_THAT(health.notes,
              ::testing::UnorderedElementsAre(HasSubstr("the planner is off"), HasSubstr("ebla server resume ts-1"),
                                              HasSubstr("server ts-2 is draining, 1 replica to go"),
                                              HasSubstr("server ts-3 is drained")));
}

TEST(HealthTest, ServersThatTrustEverybodyAreANote) {
  ClusterState state = SoundCluster();
  state.servers[0].insecure = state.servers[2].insecure = true;
  const Health health = Judge(state);
  EXPECT_EQ(health.grade, Grade::kHealthy);
  EXPECT_THAT(health.notes, ::testing::ElementsAre(HasSubstr("--insecure: every machine that reaches ts-1, ts-3")));
}

TEST_F(ShellTest, HealthSaysThatThePlannerIsOff) {
  servers_.cluster().tables()->Add("carts", {}, 3);
  Run("balance off");
  EXPECT_THAT(Run("health"),
              AllOf(StartsWith("healthy"), HasSubstr("note: the planner is off"), ::testing::Not(EndsWith("]"))));
  EXPECT_THAT(Run("--json health"), HasSubstr(R"("notes":["the planner is off)"));
  Run("balance on");
  EXPECT_THAT(Run("health"), ::testing::Not(HasSubstr("note:")));
}

TEST_F(ShellTest, HealthIsTheExitCode) {
  servers_.cluster().tables()->Add("carts", {"m"}, 3);
  EXPECT_EQ(Run("health"), "healthy  3 of 3 servers live, 1 table, 2 tablets, 0 copies under way");
  EXPECT_THAT(Run("--json health"), StartsWith(R"({"health":"healthy","exit_code":0,"live_servers":3,)"));
  servers_.cluster().faults()->away.insert("ts-3");
  const std::string degraded = Run("health");
  EXPECT_THAT(degraded, AllOf(StartsWith("degraded  2 of 3 servers live"), EndsWith("[1]")));
  EXPECT_THAT(degraded, HasSubstr("degraded: server ts-3 is lost, last report 12ms ago\n  -> start it again"));
  EXPECT_THAT(degraded,
              HasSubstr("carts        2         3                 0                0          0                 2"));
  servers_.cluster().faults()->serving = false;
  EXPECT_THAT(Run("health --deadline 1s"),
              AllOf(HasSubstr("failing: 2 tablets of table carts (2 in all): no primary"), EndsWith("[3]")));
  EXPECT_THAT(Run("--json health --deadline 1s"), HasSubstr(R"("without_primary":2)"));
  servers_.cluster().faults()->serving = true;
  servers_.cluster().faults()->barriers_applied = false;
  EXPECT_THAT(Run("health --deadline 1s"),
              AllOf(HasSubstr("failing: 2 tablets of table carts (2 in all): the primary serves no STRONG read"),
                    EndsWith("[3]")));
}

// A tablet that has just changed its leader or its members, by reports of a second ago.
TEST_F(ShellTest, HealthLooksAgainBeforeItSaysThatNobodyLeads) {
  servers_.cluster().tables()->Add("carts", {"m"}, 3);
  servers_.cluster().faults()->ServeAfter(3);
  EXPECT_THAT(Run("health"), StartsWith("healthy  3 of 3 servers live"));
  servers_.cluster().faults()->ServeAfter(30);
  EXPECT_THAT(Run("health"), EndsWith("[3]"));
}

// The first report of a new tablet's primary lists its followers before they have answered.
TEST_F(ShellTest, HealthOfATableThatWasJustMadeIsHealthy) {
  servers_.cluster().tables()->Add("carts", {"m"}, 3);
  servers_.cluster().faults()->HearAfter(2);
  EXPECT_EQ(Run("health"), "healthy  3 of 3 servers live, 1 table, 2 tablets, 0 copies under way");
  servers_.cluster().faults()->HearAfter(100);
  EXPECT_THAT(Run("health --deadline 1s"), AllOf(HasSubstr("fewer than 3 whole replicas"), EndsWith("[1]")));
}

TEST_F(ShellTest, HealthShowsWhatHasFailed) {
  servers_.cluster().tables()->Add("carts", {}, 3);
  servers_.cluster().faults()->failed.insert("ts-2");
  EXPECT_THAT(Run("health"), AllOf(StartsWith("degraded  3 of 3 servers live"),
                                   HasSubstr("1 replica of table carts failed: ts-2 (tablet"), EndsWith("[1]")));
  EXPECT_THAT(Run("--json health"), HasSubstr(R"("failed":["ts-2 (tablet )"));
}

TEST_F(ShellTest, HealthOfManyTablesFitsAScreen) {
  for (int i = 0; i < 40; ++i) servers_.cluster().tables()->Add("t" + std::to_string(100 + i), {}, 3);
  servers_.cluster().faults()->failed.insert("ts-2");
  const std::string shown = Run("health");
  EXPECT_THAT(shown, AllOf(HasSubstr("40 replicas of 40 tables failed: ts-2 (tablet"), HasSubstr("and 37 more"),
                           HasSubstr("and 30 more tables: ebla --json health lists all"), EndsWith("[1]")));
  EXPECT_LT(std::ranges::count(shown, '\n'), 20);
}

TEST_F(ShellTest, HealthWithoutALeadingMasterFails) {
  servers_.cluster().masters()->leader = -1;
  EXPECT_THAT(Run("health --deadline 2s"), AllOf(HasSubstr("none of 2 masters is the leader"), EndsWith("[3]")));
  EXPECT_THAT(Run("health --masters 127.0.0.1:1 --deadline 300ms"),
              AllOf(HasSubstr("no leading master answers"), EndsWith("[3]")));
  EXPECT_THAT(Run("health now"), AllOf(HasSubstr("INVALID_ARGUMENT"), EndsWith("[2]")));
  EXPECT_THAT(Run("help health"), HasSubstr("Example:"));
}

}  // namespace
}  // namespace ebla::shell
