// An operator's view of a real cluster: the shell's health, check, hot and locate, while a server dies and restarts.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <optional>

#include "tests/integration/test_cluster.h"
#include "tools/cluster/probe.h"
#include "tools/cluster/removal.h"

namespace ebla::testing {
namespace {

using ::testing::AllOf;
using ::testing::EndsWith;
using ::testing::FieldsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

class OperatorTest : public ::testing::Test {
 protected:
  void SetUp() override { Start({}); }
  void Start(TestClusterOptions options) {
    cluster_.reset();
    auto started = TestCluster::Start(std::move(options));
    ASSERT_TRUE(started) << started.error();
    cluster_ = std::move(*started);
  }
  // A table of three replicas, and a client that has it open.
  Result<Table> MakeCarts() {
    const Shown made = cluster_->Ebla("table create carts --split-points g,p --replicas 3");
    if (made.code != 0) return Error(Code::kInternal, "it was not made: " + made.text);
    auto client = cluster_->Connect();
    if (!client) return Error(client.error());
    client_ = *std::move(client);
    return client_->OpenTable("carts");
  }
  bool HealthBecomes(int code) {
    return Eventually([&] {
      health_ = cluster_->Ebla("health");
      return health_.code == code;
    });
  }

  // The process's answer over HTTP, with the head; without the end of its last line.
  std::string Page(const std::string& process, const std::string& path) {
    for (const cluster::ProcessView& view : cluster_->launcher().Describe()) {
      if (view.name != process) continue;
      const auto port = static_cast<uint16_t>(std::stoi(view.http_address.substr(view.http_address.rfind(':') + 1)));
      std::string page = cluster::GetPage("127.0.0.1", port, path, std::chrono::seconds(5)).value_or("");
      if (page.ends_with('\n') && path == "/readyz") page.pop_back();
      return page;
    }
    return "there is no " + process;
  }

  std::unique_ptr<TestCluster> cluster_;
  std::optional<Client> client_;
  Shown health_;  // as it was last asked for
};

TEST_F(OperatorTest, SeesAServerDieAndComeBackAndThatTheReplicasAgree) {
  // The followers of a new table have not answered their primary yet.
  for (int i = 0; i < 5; ++i) {
    const std::string name = "new-" + std::to_string(i);
    EXPECT_EQ(cluster_->Ebla("table create " + name).code, 0);
    EXPECT_THAT(cluster_->Ebla("health"), FieldsAre(0, StartsWith("healthy")));
    EXPECT_EQ(cluster_->Ebla("table drop " + name + " --yes").code, 0);
  }
  const auto table = MakeCarts();
  ASSERT_TRUE(table) << table.error();
  for (int i = 0; i < 600; ++i) {
    const std::string key(1, static_cast<char>('a' + i % 26));
    ASSERT_TRUE(table->Put(key + std::to_string(i), std::string(1000, 'v')));
  }
  ASSERT_TRUE(HealthBecomes(0)) << health_;
  EXPECT_THAT(health_.text, StartsWith("healthy  3 of 3 servers live, 1 table, 3 tablets"));
  EXPECT_THAT(cluster_->Ebla("check"), FieldsAre(0, HasSubstr("OK  1 table, 3 tablets, 9 replicas; 600 records")));
  EXPECT_THAT(cluster_->Ebla("locate carts h1").text, AllOf(HasSubstr("[\"g\",\"p\")"), HasSubstr("primary")));
  EXPECT_THAT(cluster_->Ebla("hot carts").text, HasSubstr("OF_SERVER"));

  ASSERT_TRUE(cluster_->launcher().Kill("ts-2", SIGKILL).ok());
  const auto killed = std::chrono::steady_clock::now();
  Shown watched;
  ASSERT_TRUE(Eventually([&] {
    watched = cluster_->Ebla("cluster watch --once");
    return watched.text.contains("2 of 3 servers live, 1 silent");
  })) << watched;
  EXPECT_THAT(watched.text, AllOf(HasSubstr("ts-2    silent("), Not(HasSubstr("a copy is being made at ts-2"))));
  std::optional<ServerSummary> silent;
  ASSERT_TRUE(Eventually([&] {
    const auto servers = client_->ListServers();
    if (!servers) return false;
    const auto found = std::ranges::find(*servers, "ts-2", &ServerSummary::name);
    if (found != servers->end() && !found->live) silent = *found;
    return silent.has_value();
  }));
  EXPECT_LT(std::chrono::steady_clock::now() - killed, std::chrono::seconds(5)) << "though its session lasts longer";
  EXPECT_TRUE(silent->silent);
  EXPECT_EQ(silent->leading, 0);
  health_ = cluster_->Ebla("health");
  EXPECT_THAT(health_.text, HasSubstr("  2 of 3 servers live")) << "it is not degraded and all there at once";
  ASSERT_TRUE(Eventually([&] {
    health_ = cluster_->Ebla("health");
    return health_.code == 1 && health_.text.contains("server ts-2 is lost");
  })) << health_;
  EXPECT_THAT(health_.text, HasSubstr("3 tablets of table carts (3 in all): fewer than 3 whole replicas"));
  EXPECT_THAT(cluster_->Ebla("check --tries 1"), FieldsAre(1, HasSubstr("server ts-2: lost")));
  ASSERT_TRUE(cluster_->launcher().Restart("ts-2").ok());
  ASSERT_TRUE(HealthBecomes(0)) << health_;
  EXPECT_THAT(cluster_->Ebla("check carts"), FieldsAre(0, HasSubstr("9 replicas; 600 records")));
}

TEST_F(OperatorTest, ATabletThatDoesNotExistIsNotRecovered) {
  for (const char* verb : {"tablet recover 9999", "tablet recover 9999 --yes"}) {
    EXPECT_THAT(cluster_->Ebla(verb), FieldsAre(1, HasSubstr("no tablet 9999"))) << verb;
  }
}

// Serving tablets continue to serve, and every process reports what cannot happen meanwhile.
TEST_F(OperatorTest, SaysThatZooKeeperIsAwayAndWhatThatMeans) {
  const auto table = MakeCarts();
  ASSERT_TRUE(table) << table.error();
  ASSERT_TRUE(HealthBecomes(0)) << health_;
  EXPECT_THAT(Page("m-1", "/readyz"), EndsWith("\r\n\r\nready"));
  EXPECT_THAT(Page("ts-1", "/metrics"), HasSubstr("\nebla_coordinator_connected 1\n"));

  ASSERT_TRUE(cluster_->launcher().Kill("zookeeper", SIGKILL).ok());
  ASSERT_TRUE(HealthBecomes(1)) << health_;
  EXPECT_THAT(health_.text, HasSubstr("the coordinator (ZooKeeper) has been away for"));
  EXPECT_THAT(health_.text, HasSubstr("no failover"));
  EXPECT_THAT(cluster_->Ebla("cluster info").text, HasSubstr("coordinator  away for"));
  for (const char* process : {"m-1", "ts-1"}) {
    EXPECT_THAT(Page(process, "/readyz"),
                AllOf(StartsWith("HTTP/1.0 200"), HasSubstr("ready, degraded: the coordinator (ZooKeeper) has been")));
    EXPECT_THAT(Page(process, "/metrics"), HasSubstr("\nebla_coordinator_connected 0\n"));
  }
  EXPECT_TRUE(table->Put("a", "served all the same"));

  ASSERT_TRUE(cluster_->launcher().Kill("ts-2", SIGKILL).ok());
  ASSERT_TRUE(HealthBecomes(3)) << health_;
  EXPECT_THAT(health_.text, AllOf(StartsWith("failing  2 of 3 servers live"), HasSubstr("no primary"),
                                  HasSubstr("no failover happens while the coordinator is away")));
  EXPECT_THAT(cluster_->Ebla("server list").text, HasSubstr("silent"));

  ASSERT_TRUE(cluster_->launcher().Restart("zookeeper").ok());
  ASSERT_TRUE(cluster_->launcher().Restart("ts-2").ok());
  ASSERT_TRUE(HealthBecomes(0)) << health_;
  EXPECT_THAT(Page("m-1", "/readyz"), EndsWith("\r\n\r\nready"));
  const Shown versions = cluster_->Ebla("cluster version");
  EXPECT_EQ(versions.code, 0) << versions;
  for (const char* name : {"m-1", "m-2", "ts-1", "ts-2", "ts-3"}) EXPECT_THAT(versions.text, HasSubstr(name));
  EXPECT_THAT(versions.text, Not(HasSubstr("side by side")));
}

// A server is added and another removed. The replicas move to the new one, and no client notices.
TEST_F(OperatorTest, AServerIsAddedAndAnotherRemoved) {
  const auto table = MakeCarts();
  ASSERT_TRUE(table) << table.error();
  for (const char* key : {"a", "h", "z"}) ASSERT_TRUE(table->Put(key, "value"));
  ASSERT_TRUE(HealthBecomes(0)) << health_;
  std::vector<std::string> said;
  cluster::RemovalOptions removal{.masters = cluster_->launcher().Masters(),
                                  .server = "ts-1",
                                  .timeout = std::chrono::seconds(100),
                                  .say = [&](const std::string& text) { said.push_back(text); }};
  const auto refused = cluster::Empty(removal);
  ASSERT_FALSE(refused) << "nobody can take its replicas";
  EXPECT_EQ(refused.error().code(), Code::kConditionFailed);
  EXPECT_THAT(refused.error().message(), HasSubstr("server ts-1 cannot be drained: tablet"));

  const auto added = cluster_->launcher().AddServer();
  ASSERT_TRUE(added) << added.error();
  EXPECT_EQ(*added, "ts-4");
  std::optional<Result<size_t>> emptied;
  ASSERT_TRUE(Eventually([&] {  // until the master knows the new one
    emptied = cluster::Empty(removal);
    return emptied->has_value() || emptied->error().code() != Code::kConditionFailed;
  }));
  ASSERT_TRUE(*emptied) << emptied->error();
  EXPECT_EQ(**emptied, 3u);
  EXPECT_THAT(said, ::testing::Contains(StartsWith("ts-1 has ")));
  ASSERT_TRUE(cluster_->launcher().End("ts-1").ok());
  const Status forgotten = cluster::Forget(removal);
  ASSERT_TRUE(forgotten.ok()) << forgotten;
  ASSERT_TRUE(cluster_->launcher().Remove("ts-1").ok());
  for (const char* key : {"a", "h", "z"}) EXPECT_TRUE(table->Get(key)) << key;
  ASSERT_TRUE(HealthBecomes(0)) << health_;
  EXPECT_THAT(health_.text, StartsWith("healthy  3 of 3 servers live"));
  EXPECT_EQ(cluster::Empty(removal).value_or(99), 0u) << "asked again";
}

// Cut by hand, looked at, moved so slowly that it can be thought better of, and compacted.
TEST_F(OperatorTest, SteersWhatIsUnderWay) {
  Start({.servers = 4, .server_flags = {"--copy_bytes_per_second=20000"}});
  const auto table = MakeCarts();
  ASSERT_TRUE(table) << table.error();
  for (int i = 0; i < 600; ++i) {
    ASSERT_TRUE(table->Put("h" + std::to_string(1'000 + i), std::string(1'000, 'v')));
  }
  EXPECT_THAT(cluster_->Ebla("table presplit carts --at c,g,t"), FieldsAre(0, HasSubstr("OK  2 splits, 5 tablets")));
  EXPECT_THAT(cluster_->Ebla("procedure list").text, StartsWith("no procedure is under way"));

  const auto place = client_->Locate("carts", "h1000");
  ASSERT_TRUE(place) << place.error();
  const std::string id = std::to_string(place->id.value);
  EXPECT_THAT(cluster_->Ebla("tablet stats " + id).text,
              AllOf(HasSubstr("SEEN BY " + place->primary), HasSubstr("primary"), HasSubstr("follower")));
  std::string from, to = "ts-4";
  for (const ReplicaPlace& replica : place->replicas) {
    if (replica.server != place->primary) from = replica.server;
  }
  for (const char* name : {"ts-1", "ts-2", "ts-3", "ts-4"}) {
    const bool holds =
        std::ranges::any_of(place->replicas, [&](const ReplicaPlace& replica) { return replica.server == name; });
    to = holds ? to : name;
  }
  const Shown moved = cluster_->Ebla("--deadline 2s tablet move carts --key h1000 --from " + from + " --to " + to);
  EXPECT_EQ(moved.code, 4) << "600 KB at 20 KB/s take half a minute: " << moved;
  EXPECT_THAT(cluster_->Ebla("--json procedure show move-" + id).text,
              AllOf(HasSubstr("\"asked_by\":\"operator\""), HasSubstr("\"from_server\":\"" + from + "\""),
                    HasSubstr("2 of 4: copies to " + to), HasSubstr("\"cancellable\":true")));
  EXPECT_THAT(cluster_->Ebla("procedure cancel move-" + id).text,
              StartsWith("OK  cancelled: what was copied to " + to + " is discarded"));
  EXPECT_TRUE(Eventually([&] {
    return cluster_->Ebla("procedure list").text.starts_with("no procedure is under way");
  })) << cluster_->Ebla("procedure list");
  const auto after = client_->Locate("carts", "h1000");
  ASSERT_TRUE(after) << after.error();
  EXPECT_TRUE(
      std::ranges::any_of(after->replicas, [&](const ReplicaPlace& replica) { return replica.server == from; }));
  ASSERT_TRUE(HealthBecomes(0)) << health_;

  EXPECT_THAT(cluster_->Ebla("table compact carts --limit 30s"),
              FieldsAre(0, AllOf(HasSubstr("ts-1"), HasSubstr("done"))));
}

}  // namespace
}  // namespace ebla::testing
