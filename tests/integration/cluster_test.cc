// A cluster of real processes as its users see it: YCSB's workloads through ebla-ycsb, while processes are killed,
// restarted and asked to end. One cluster serves all the tests, in any order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <optional>
#include <set>
#include <thread>

#include "common/base/read_all.h"
#include "test_paths.h"
#include "tests/integration/test_cluster.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Read(const std::string& file) {
  std::ifstream in(file);
  return ReadAll(in);
}

class ClusterTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = TestCluster::Start();
    if (started)
      cluster_ = std::move(*started);
    else
      failure_ = started.error().ToString();
  }
  static void TearDownTestSuite() { cluster_.reset(); }
  void SetUp() override { ASSERT_NE(cluster_, nullptr) << failure_; }

  struct Outcome {
    int exit_code = -1;
    std::string summary;
    std::string errors;
  };

  // A run of ebla-ycsb.
  struct YcsbRun {
    std::string base;  // of its output files
    Result<cluster::ProcessId> process;
  };
  static YcsbRun Begin(const std::string& arguments) {
    static std::atomic<int> runs{0};
    const std::string base = cluster_->dir() + "/ycsb-" + std::to_string(++runs);
    const std::string command = "EBLA_MASTERS=" + cluster_->Masters() + " exec " + kBinaryDir + "/bin/ebla-ycsb " +
                                arguments + " >" + base + ".out 2>" + base + ".err";
    return {base, cluster::Spawn({.command = {"/bin/sh", "-c", command},
                                  .working_dir = cluster_->dir(),
                                  .output_file = base + ".shell",
                                  .die_with_parent = true})};
  }
  static Outcome End(const YcsbRun& run) {
    EXPECT_TRUE(run.process.has_value()) << run.process.error();
    const auto code = run.process ? cluster::ExitCode(*run.process, 120s) : Result<int>(-1);
    EXPECT_TRUE(code.has_value()) << code.error();
    return {code.value_or(-1), Read(run.base + ".out"), Read(run.base + ".err")};
  }
  static Outcome Ycsb(const std::string& arguments) { return End(Begin(arguments)); }
  static std::string Workload(const std::string& name) {
    return " -P " + std::string(kSourceDir) + "/conf/ycsb/workload" + name;
  }
  static void ExpectClean(const Outcome& outcome, int exit_code = 0) {
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.errors;
    EXPECT_THAT(outcome.summary, HasSubstr("[OVERALL], Throughput(ops/sec), "));
    EXPECT_THAT(outcome.summary, HasSubstr("Return=OK, "));
    EXPECT_THAT(outcome.summary, Not(HasSubstr("-FAILED")));
    EXPECT_THAT(outcome.summary, Not(::testing::ContainsRegex("Return=[A-NP-Z]")));
  }

  // Runs workload A until `harm` has done its worst and been undone; every operation must succeed.
  template <class Harm>
  static void UnderLoad(const std::string& table, Harm harm) {
    const std::string shared = Workload("a") + " -p table=" + table + " -threads 8";
    ExpectClean(Ycsb("load" + shared + " -p ebla.splits=6"));
    const YcsbRun load = Begin("run" + shared + " -p operationcount=0 -p maxexecutiontime=120");
    ASSERT_TRUE(load.process.has_value()) << load.process.error();
    harm();
    // The load finishes the operations under way.
    const Status interrupted = cluster::Signal(*load.process, SIGTERM);
    EXPECT_TRUE(interrupted.ok()) << "the load has ended before the harm: " << interrupted;
    ExpectClean(End(load), 128 + SIGINT);
  }

  // Waits until the run is under way: loading only writes, so reads are the run's.
  static Status AwaitReads(const std::string& table) {
    EBLA_ASSIGN(const Client client, cluster_->Connect());
    const auto deadline = std::chrono::steady_clock::now() + 30s;
    for (; std::chrono::steady_clock::now() < deadline; std::this_thread::sleep_for(20ms)) {
      EBLA_ASSIGN(const TableInfo info, client.DescribeTable(table));
      if (info.reads_per_second > 0) return Status::Ok();
    }
    return Error(Code::kDeadlineExceeded, "nobody reads " + table);
  }

  static std::unique_ptr<TestCluster> cluster_;
  static std::string failure_;
};

std::unique_ptr<TestCluster> ClusterTest::cluster_;
std::string ClusterTest::failure_;

TEST_F(ClusterTest, YcsbsSixWorkloadsRunWithoutAFailure) {
  ExpectClean(Ycsb("load" + Workload("a") + " -threads 8 -p ebla.splits=8"));
  const auto client = cluster_->Connect();
  ASSERT_TRUE(client.has_value()) << client.error();
  const auto tablets = client->ListTablets("usertable");
  ASSERT_TRUE(tablets.has_value()) << tablets.error();
  EXPECT_EQ(tablets->size(), 8u);
  for (const char* name : {"a", "b", "c", "f", "e", "d"}) {
    SCOPED_TRACE(name);
    ExpectClean(Ycsb("run" + Workload(name) + " -threads 8"));
  }
}

TEST_F(ClusterTest, WhatYcsbCannotDoItSays) {
  EXPECT_EQ(Ycsb("run" + Workload("a") + " -thread 8").exit_code, 2);
  const Outcome missing = Ycsb("run" + Workload("a") + " -p table=nowhere");
  EXPECT_EQ(missing.exit_code, 1);
  EXPECT_THAT(missing.errors, HasSubstr("load it first"));
}

TEST_F(ClusterTest, AKilledTabletServerComesBackWithItsData) {
  const std::string shared = Workload("c") + " -p table=kept -p dataintegrity=true -threads 8";
  ExpectClean(Ycsb("load" + shared + " -p ebla.splits=6"));
  for (const char* name : {"ts-1", "ts-2", "ts-3"}) ASSERT_TRUE(cluster_->launcher().Kill(name, SIGKILL).ok());
  for (const char* name : {"ts-1", "ts-2", "ts-3"}) {
    const Status restarted = cluster_->launcher().Restart(name);
    ASSERT_TRUE(restarted.ok()) << restarted;
  }
  // Every record once, each field compared with what was written.
  const Outcome outcome = Ycsb("run" + shared + " -p requestdistribution=sequential");
  ExpectClean(outcome);
  EXPECT_THAT(outcome.summary, HasSubstr("[VERIFY], Return=OK, 1000\n"));
}

TEST_F(ClusterTest, ATabletServerThatComesBackInTimeCostsNoOperation) {
  UnderLoad("survivor", [] {
    const Status begun = AwaitReads("survivor");
    ASSERT_TRUE(begun.ok()) << begun;
    ASSERT_TRUE(cluster_->launcher().Kill("ts-2", SIGKILL).ok());
    const Status restarted = cluster_->launcher().Restart("ts-2");
    ASSERT_TRUE(restarted.ok()) << restarted;
  });
}

// Servers that are stopped and go on neither answer nor die: a partition, as others see it.
class PartitionTest : public ClusterTest {
 protected:
  void SetUp() override {
    ClusterTest::SetUp();
    auto client = cluster_->Connect(30s);
    ASSERT_TRUE(client.has_value()) << client.error();
    client_.emplace(*std::move(client));
  }
  void TearDown() override {
    for (const std::string& name : stopped_) EXPECT_TRUE(cluster_->launcher().Kill(name, SIGCONT).ok());
  }
  Table Make(const std::string& name, bool last_write_wins) {
    CreateTableOptions options;
    options.table.replicas = 3;
    options.table.last_write_wins = last_write_wins;
    const auto made = client_->CreateTable(name, options);
    EXPECT_TRUE(made.has_value()) << made.error();
    auto table = client_->OpenTable(name);
    EXPECT_TRUE(table.has_value()) << table.error();
    EXPECT_TRUE(table->Put("first", "v", {.ack = Ack::kAll}));
    return *std::move(table);
  }
  std::string PrimaryOf(const std::string& table) {
    const auto place = client_->Locate(table, "k");
    return place ? place->primary : "";
  }
  void Stop(const std::string& name) {
    ASSERT_TRUE(cluster_->launcher().Kill(name, SIGSTOP).ok());
    stopped_.insert(name);
  }
  void GoOn(const std::string& name) {
    ASSERT_TRUE(cluster_->launcher().Kill(name, SIGCONT).ok());
    stopped_.erase(name);
  }
  const std::vector<std::string> servers_ = {"ts-1", "ts-2", "ts-3"};
  std::optional<Client> client_;
  std::set<std::string> stopped_;
};

TEST_F(PartitionTest, WritesAtAnyAreTakenWithoutTheirPrimaryAndReachIt) {
  const Table table = Make("any", true);
  const std::string primary = PrimaryOf("any");
  for (const std::string& name : servers_) {
    if (name != primary) Stop(name);
  }
  // Only the primary answers, and it has no majority.
  const auto alone = table.Put("alone", "v", {.ack = Ack::kAny});
  EXPECT_TRUE(alone) << alone.error();
  Stop(primary);
  const std::string follower = primary == "ts-1" ? "ts-2" : "ts-1";
  GoOn(follower);
  const auto other = table.Put("other", "v", {.ack = Ack::kAny});
  EXPECT_TRUE(other) << other.error();
  for (const std::string& name : servers_) GoOn(name);
  for (const char* key : {"alone", "other"}) {
    EXPECT_TRUE(Eventually([&] { return table.Get(key).has_value(); }, 30s)) << key;
  }
  EXPECT_TRUE(Eventually(
      [&] {
        const auto unresolved = client_->ListUnresolved("any");
        return unresolved && unresolved->writes.empty() && unresolved->unreachable.empty();
      },
      30s));
}

TEST_F(PartitionTest, WhatAFailoverRollsBackIsAConflictRecordThatCanBeApplied) {
  const Table table = Make("undone", false);
  const std::string primary = PrimaryOf("undone");
  for (const std::string& name : servers_) {
    // A server that was merely stopped would read the messages sent to it meanwhile when it continues.
    if (name == primary) continue;
    ASSERT_TRUE(cluster_->launcher().Kill(name, SIGKILL).ok());
  }
  const auto lonely = table.Put("k", "lonely", {.ack = Ack::kPrimary});
  EXPECT_TRUE(lonely) << lonely.error();
  Stop(primary);
  for (const std::string& name : servers_) {
    if (name == primary) continue;
    ASSERT_TRUE(cluster_->launcher().Restart(name).ok());
  }
  ASSERT_TRUE(Eventually([&] { return !PrimaryOf("undone").empty() && PrimaryOf("undone") != primary; }, 30s));
  const auto lost = table.Get("k");
  EXPECT_TRUE(!lost && lost.error().code() == Code::kNotFound);
  GoOn(primary);
  std::optional<UnresolvedWrites> unresolved;
  ASSERT_TRUE(Eventually(
      [&] {
        auto listed = client_->ListUnresolved("undone");
        if (listed) unresolved = *std::move(listed);
        return unresolved && unresolved->writes.size() == 1;
      },
      30s));
  EXPECT_EQ(unresolved->writes[0].server, primary);
  EXPECT_EQ(unresolved->writes[0].effects.at(0).value, "lonely");
  const Shown applied = cluster_->Ebla("conflict apply undone --all");
  EXPECT_EQ(applied.code, 0) << applied;
  const auto record = table.Get("k");
  ASSERT_TRUE(record) << record.error();
  EXPECT_EQ(record->value, "lonely");
  EXPECT_TRUE(Eventually(
      [&] {
        const auto left = client_->ListUnresolved("undone");
        return left && left->writes.empty();
      },
      10s));
}

TEST_F(ClusterTest, TheLeadingMastersDeathCostsNoOperation) {
  UnderLoad("leaderless", [] {
    const Status begun = AwaitReads("leaderless");
    ASSERT_TRUE(begun.ok()) << begun;
    const auto leader = cluster_->LeadingMaster();
    ASSERT_TRUE(leader.has_value()) << leader.error();
    ASSERT_TRUE(cluster_->launcher().Kill(*leader, SIGKILL).ok());
    const auto next = cluster_->LeadingMaster();
    ASSERT_TRUE(next.has_value()) << next.error();
    EXPECT_NE(*next, *leader);
    const auto client = cluster_->Connect();
    const auto made = client->CreateTable("after-" + *leader);
    EXPECT_TRUE(made.has_value()) << "the successor makes tables: " << made.error();
    EXPECT_TRUE(client->DropTable("after-" + *leader).ok());
    ASSERT_TRUE(cluster_->launcher().Restart(*leader).ok());
  });
}

TEST_F(ClusterTest, ZooKeepersRestartCostsNoOperation) {
  UnderLoad("unkept", [] {
    const Status begun = AwaitReads("unkept");
    ASSERT_TRUE(begun.ok()) << begun;
    const auto client = cluster_->Connect();
    const auto table = client->OpenTable("unkept");
    ASSERT_TRUE(table.has_value()) << table.error();
    ASSERT_TRUE(cluster_->launcher().Kill("zookeeper", SIGKILL).ok());
    for (int i = 0; i < 1'000; ++i) {
      const auto put = table->Put("while-it-is-away-" + std::to_string(i), "v");
      ASSERT_TRUE(put.has_value()) << put.error();
    }
    ASSERT_TRUE(cluster_->launcher().Restart("zookeeper").ok());
  });
  const auto client = cluster_->Connect();
  const auto made = client->CreateTable("after-zookeeper", {.deadline = 30s});
  EXPECT_TRUE(made.has_value()) << made.error();
  EXPECT_TRUE(client->DropTable("after-zookeeper").ok());
}

TEST_F(ClusterTest, WhoStartsWithoutZooKeeperWaitsForItAndSaysSo) {
  ExpectClean(Ycsb("load" + Workload("a") + " -p table=patient -threads 8"));
  cluster::Launcher& launcher = cluster_->launcher();
  const std::vector<std::string> victims = {"m-1", "m-2", "ts-1", "ts-2", "ts-3"};
  ASSERT_TRUE(launcher.Kill("zookeeper", SIGKILL).ok());
  for (const std::string& name : victims) ASSERT_TRUE(launcher.Kill(name, SIGKILL).ok());
  for (const std::string& name : victims) {
    const Status started = launcher.Restart(name, false);
    ASSERT_TRUE(started.ok()) << started;
  }
  for (const cluster::ProcessView& view : launcher.Describe()) {
    EXPECT_NE(view.state, cluster::ProcessState::kReady) << view.name;
    if (view.role == cluster::Role::kTabletServer) {
      EXPECT_THAT(view.reason, HasSubstr("ZooKeeper")) << view.name;
    }
  }
  ASSERT_TRUE(launcher.Restart("zookeeper").ok());
  const Status ready = launcher.WaitUntilReady();
  ASSERT_TRUE(ready.ok()) << ready;
  ExpectClean(Ycsb("run" + Workload("a") + " -p table=patient -threads 8"));
}

// Fifty keys among those that ycsb loads.
std::vector<std::string> KeysOf(const std::string& kind) {
  std::vector<std::string> names;
  for (int i = 0; i < 50; ++i) names.push_back("user" + std::to_string(i % 10) + "-" + kind + "-" + std::to_string(i));
  return names;
}

void PutAll(const Table& table, const std::string& kind, Ack ack = Ack::kDefault) {
  for (const std::string& key : KeysOf(kind)) {
    const auto version = table.Put(key, kind, {.ack = ack, .deadline = 30s});
    ASSERT_TRUE(version.has_value()) << key << ": " << version.error();
  }
}

// Each of them has one voter left, which is to be the first of its new ones.
void RecoverFrom(const std::string& server, const Client& client, const std::vector<TabletSummary>& tablets) {
  for (const TabletSummary& tablet : tablets) {
    const auto survey = client.RecoverTablet(tablet.id);
    ASSERT_TRUE(survey.has_value()) << survey.error();
    EXPECT_EQ(survey->refusal, "");
    EXPECT_EQ(survey->chosen, server);
    ASSERT_EQ(survey->replicas.size(), 3u);
    const auto done = client.RecoverTablet(tablet.id, {.server = server, .accept_data_loss = true});
    ASSERT_TRUE(done.has_value()) << done.error();
  }
}

TEST_F(ClusterTest, TabletsThatLostTheirMajorityAreRecoveredByHand) {
  const std::string shared = Workload("c") + " -p table=lost -p dataintegrity=true -threads 8";
  ExpectClean(Ycsb("load" + shared + " -p ebla.splits=3"));
  const auto client = cluster_->Connect(30s);
  ASSERT_TRUE(client.has_value()) << client.error();
  const auto whole = [&] {
    const auto tablets = client->ListTablets("lost");
    return tablets && std::ranges::all_of(*tablets, [](const TabletSummary& tablet) {
             return tablet.voters.size() == 3 && tablet.learners.empty() && tablet.load;
           });
  };
  ASSERT_TRUE(Eventually(whole));
  const auto tablets = client->ListTablets("lost");
  ASSERT_TRUE(tablets.has_value()) << tablets.error();
  const auto refused = client->RecoverTablet(tablets->front().id, {.accept_data_loss = true});
  EXPECT_EQ(refused.error().code(), Code::kConditionFailed) << "all of its voters live";

  // Keys here and there among the loaded ones, which the last replica never receives, and keys that only it will have.
  const auto table = client->OpenTable("lost");
  ASSERT_TRUE(table.has_value()) << table.error();
  // Once it has these, it has all that was loaded before them. It is killed, because a server that was merely stopped
  // would read the messages sent to it meanwhile when it continues.
  PutAll(*table, "kept", Ack::kAll);
  ASSERT_TRUE(cluster_->launcher().Kill("ts-3", SIGKILL).ok());
  PutAll(*table, "gone");
  for (const char* name : {"ts-1", "ts-2"}) ASSERT_TRUE(cluster_->launcher().Kill(name, SIGKILL).ok());
  const Status alone = cluster_->launcher().Restart("ts-3");
  ASSERT_TRUE(alone.ok()) << alone;
  ASSERT_TRUE(Eventually([&] {
    // Silent ones may come back: a tablet is recovered without servers whose sessions are over.
    const auto servers = client->ListServers();
    return servers && std::ranges::count_if(
                          *servers, [](const ServerSummary& server) { return server.live || server.silent; }) == 1;
  }));
  ASSERT_NO_FATAL_FAILURE(RecoverFrom("ts-3", *client, *tablets));
  std::vector<std::string> gone = KeysOf("gone");
  std::erase_if(gone, [&](const std::string& key) { return table->Get(key, {.deadline = 30s}).has_value(); });
  EXPECT_GT(gone.size(), 25U);
  // Every record once, from the last replica; then again once the remaining servers have returned, were dropped and
  // copied again.
  const std::string verify = "run" + shared + " -p requestdistribution=sequential";
  Outcome outcome = Ycsb(verify);
  ExpectClean(outcome);
  EXPECT_THAT(outcome.summary, HasSubstr("[VERIFY], Return=OK, 1000\n"));
  // The histories diverge: at positions where lost replicas applied lost entries, the last one now has different
  // entries.
  PutAll(*table, "new");
  for (const char* name : {"ts-1", "ts-2"}) {
    const Status restarted = cluster_->launcher().Restart(name);
    ASSERT_TRUE(restarted.ok()) << restarted;
  }
  ASSERT_TRUE(Eventually(whole));
  outcome = Ycsb(verify);
  ExpectClean(outcome);
  EXPECT_THAT(outcome.summary, HasSubstr("[VERIFY], Return=OK, 1000\n"));
  // They were counted for what they have: without the one that led all is there.
  ASSERT_TRUE(cluster_->launcher().Kill("ts-3", SIGKILL).ok());
  for (const char* kind : {"kept", "new"}) {
    for (const std::string& key : KeysOf(kind)) {
      const auto record = table->Get(key, {.deadline = 30s});
      ASSERT_TRUE(record.has_value()) << key << ": " << record.error();
      EXPECT_EQ(record->value, kind);
    }
  }
  for (const std::string& key : gone) EXPECT_EQ(table->Get(key).error().code(), Code::kNotFound) << key;
  const Status restarted = cluster_->launcher().Restart("ts-3");
  ASSERT_TRUE(restarted.ok()) << restarted;
}

TEST_F(ClusterTest, SigtermUnderLoadEndsCleanlyWithinTenSeconds) {
  // A tablet server, a standby, then the leader that hands over.
  UnderLoad("leaving", [] {
    const Status begun = AwaitReads("leaving");
    ASSERT_TRUE(begun.ok()) << begun;
    const auto standby = cluster_->StandbyMaster(), leader = cluster_->LeadingMaster();
    ASSERT_TRUE(standby.has_value() && leader.has_value());
    for (const std::string& name : {std::string("ts-3"), *standby, *leader}) {
      SCOPED_TRACE(name);
      const auto process = cluster_->launcher().Process(name);
      ASSERT_TRUE(cluster_->launcher().Kill(name, SIGTERM).ok());
      const Result<int> code = cluster::ExitCode(*process, 10s);
      ASSERT_TRUE(code.has_value()) << code.error();
      EXPECT_EQ(*code, 0);
      const Status restarted = cluster_->launcher().Restart(name);
      ASSERT_TRUE(restarted.ok()) << restarted;
    }
  });
}

}  // namespace
}  // namespace ebla::testing
