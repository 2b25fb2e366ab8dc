// A cluster of real processes follows its load by itself: one table of one tablet is split and spread over five
// servers, and servers come and go, while clients read and write it, and none of them sees an error.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <set>

#include "test_paths.h"
#include "tests/integration/load_fixture.h"

namespace ebla::testing {
namespace {

using namespace std::chrono_literals;

constexpr int kKeys = 2'000;

std::string Key(int i) {
  const std::string digits = std::to_string(i);
  return "user" + std::string(6 - digits.size(), '0') + digits;
}

class ElasticTest : public LoadFixture {
 protected:
  ElasticTest() : LoadFixture(kKeys, Key) {}

  // With the planner's patience shortened.
  void StartImpatient(TestClusterOptions options) {
    for (const char* flag : {"--plan_every_ms=500", "--split_sustained_ms=2000", "--split_again_ms=3000",
                             "--balance_sustained_ms=2000", "--balance_cool_down_ms=5000"}) {
      options.master_flags.emplace_back(flag);
    }
    Start(std::move(options));
  }
};

TEST_F(ElasticTest, OneTabletUnderLoadIsSplitAndSpreadWithNoFailedOperation) {
  StartImpatient({.servers = 5});
  CreateTableOptions options;
  options.table.replicas = 3;
  options.table.split_ops_per_second = 200;
  ASSERT_TRUE(client_->CreateTable("carts", options));
  BeginLoad(6);
  std::set<ServerName> leading, holding;
  size_t tablets = 0;
  const bool spread = Eventually(
      [&] {
        const auto list = client_->ListTablets("carts");
        if (!list) return false;
        leading.clear();
        holding.clear();
        tablets = list->size();
        for (const TabletSummary& tablet : *list) {
          leading.insert(tablet.primary);
          holding.insert(tablet.voters.begin(), tablet.voters.end());
        }
        return !failures().empty() || (tablets >= 4 && leading.size() >= 3 && holding.size() >= 4);
      },
      150s);
  EXPECT_THAT(failures(), ::testing::IsEmpty());
  const auto state = client_->Planner();
  ASSERT_TRUE(state) << state.error();
  for (const PlannedAction& action : state->done) {
    std::cout << action.rule << ": " << action.what << ": " << action.outcome << "\n  " << action.reason << "\n";
  }
  for (const RefusedAction& refused : state->refused) {
    std::cout << "not done: " << refused.rule << ", " << refused.cause << ": " << refused.detail << "\n";
  }
  EXPECT_TRUE(spread) << tablets << " tablets, led by " << leading.size() << " servers, held by " << holding.size();
  EXPECT_TRUE(GoesOn(1'000)) << "and goes on";
  EndLoad();
  EXPECT_THAT(failures(), ::testing::IsEmpty());
}

// With the launcher's own commands as the master's.
class LongAutoscaleTest : public ElasticTest {
 protected:
  static constexpr int kServersMin = 3, kServersMax = 5;

  void SetUp() override {
    const std::string launcher = std::string(kBinaryDir) + "/bin/ebla-cluster ";
    StartImpatient(
        {.servers = kServersMin,
         .master_flags = {"--autoscale", "--scale_out_command=" + launcher + "add-server --dir \"$EBLA_TEST_CLUSTER\"",
                          "--scale_in_command=" + launcher + "remove-server \"$1\" --dir \"$EBLA_TEST_CLUSTER\"",
                          "--servers_min=" + std::to_string(kServersMin),
                          "--servers_max=" + std::to_string(kServersMax), "--operations_per_server=100",
                          "--disk_per_server=0", "--scale_out_sustained_ms=2000", "--scale_in_sustained_ms=4000",
                          "--scale_out_rest_ms=3000", "--scale_in_rest_ms=3000", "--replace_after_s=3"},
         .prepare =
             [](const std::string& dir) {
               ::setenv("EBLA_TEST_CLUSTER", dir.c_str(), 1);
               return Status::Ok();
             },
         .shared = true});
    if (HasFatalFailure()) return;
    cluster_->Release();
    CreateTableOptions options;
    options.table.replicas = 3;
    for (int i = 1; i < kTablets; ++i) options.split_points.push_back(Key(i * kKeys / kTablets));
    ASSERT_TRUE(client_->CreateTable("carts", options));
  }
  std::vector<ServerSummary> Live() {
    auto servers = client_->ListServers();
    if (!servers) return {};
    std::erase_if(*servers, [](const ServerSummary& server) { return !server.live; });
    return *std::move(servers);
  }
  // At least half the mean of the operations, which the planner evens out. Its floor is a tenth of
  // --operations_per_server, so the primary of one tablet of twelve gets a second one. Such a small number of replicas
  // may be anywhere.
  bool EachHasItsShare() {
    const auto servers = Live();
    const auto operations = [](const ServerSummary& server) {
      return server.reads_per_second + server.writes_per_second;
    };
    double all = 0;
    for (const ServerSummary& server : servers) all += operations(server);
    return servers.size() == kServersMax && std::ranges::all_of(servers, [&](const ServerSummary& server) {
             return server.leading > 0 && operations(server) * 2 * kServersMax >= all;
           });
  }
  std::string Describe() {
    std::string text;
    for (const ServerSummary& server : Live()) {
      text += server.name + (server.draining ? " drains" : "") + ": " + std::to_string(server.tablets) +
              " replicas, leads " + std::to_string(server.leading) + ", " +
              std::to_string(std::lround(server.reads_per_second + server.writes_per_second)) + " operations/s; ";
    }
    const auto state = client_->Planner();
    for (size_t i = 0; state && i < std::min<size_t>(state->done.size(), 10); ++i) {
      text += "\n" + state->done[i].what + ": " + state->done[i].outcome + ": " + state->done[i].reason;
    }
    for (size_t i = 0; state && i < std::min<size_t>(state->refused.size(), 10); ++i) {
      text += "\nnot " + state->refused[i].rule + ", " + state->refused[i].cause + ": " + state->refused[i].detail;
    }
    return text;
  }
  // Every tablet has three voters, all of which live and have all of it.
  bool Whole() {
    const auto tablets = client_->ListReplicas("carts");
    const auto servers = Live();
    return tablets && std::ranges::all_of(*tablets, [&](const TabletSummary& tablet) {
             return tablet.voters.size() == 3 && tablet.learners.empty() &&
                    std::ranges::all_of(tablet.replicas, [&](const auto& replica) {
                      return replica.known && !replica.incomplete &&
                             std::ranges::find(servers, replica.server, &ServerSummary::name) != servers.end();
                    });
           });
  }
  void ExpectGoesOn(const std::string& when) {
    ASSERT_TRUE(GoesOn(100)) << when;
    EXPECT_THAT(failures(), ::testing::IsEmpty()) << when;
    std::cout << when << ": " << Describe() << "\n";
  }

  static constexpr int kTablets = 12;
};

TEST_F(LongAutoscaleTest, ServersComeAndGoWithTheLoadAndOneThatDiesIsReplaced) {
  BeginLoad(6);
  ASSERT_TRUE(Eventually([&] { return Live().size() == kServersMax; }, 90s)) << Describe();
  EXPECT_TRUE(Eventually([&] { return EachHasItsShare(); }, 90s)) << Describe();
  ExpectGoesOn("five servers");

  const auto leader = cluster_->LeadingMaster();
  ASSERT_TRUE(leader) << leader.error();
  ASSERT_TRUE(cluster_->launcher().Kill(*leader, SIGKILL).ok());
  const auto next = cluster_->LeadingMaster();
  ASSERT_TRUE(next) << next.error();
  EXPECT_NE(*next, *leader);
  ASSERT_TRUE(cluster_->launcher().Restart(*leader).ok());
  ExpectGoesOn("another master");

  // By hand, under load: it empties.
  const auto drained = client_->SetServer("ts-1", {.draining = true, .maintenance = std::nullopt});
  ASSERT_TRUE(drained) << drained.error();
  EXPECT_TRUE(Eventually(
      [&] {
        const auto servers = Live();
        const auto server = std::ranges::find(servers, "ts-1", &ServerSummary::name);
        return server != servers.end() && server->tablets == 0;
      },
      90s))
      << Describe();
  ASSERT_TRUE(client_->SetServer("ts-1", {.draining = false, .maintenance = std::nullopt}));
  ExpectGoesOn("one drained");

  ASSERT_TRUE(cluster_->launcher().Kill("ts-2", SIGKILL).ok());
  cluster_->Release();  // the process that replaces it launches
  ASSERT_TRUE(Eventually([&] { return Live().size() == kServersMax - 1; }, 30s)) << Describe();
  EXPECT_TRUE(Eventually([&] { return Live().size() == kServersMax; }, 90s)) << Describe();
  EXPECT_TRUE(Eventually([&] { return Whole(); }, 90s)) << Describe();
  ExpectGoesOn("one replaced");

  rest_ms_ = 400;
  ASSERT_TRUE(Eventually([&] { return Live().size() == kServersMin; }, 120s)) << Describe();
  EXPECT_TRUE(Eventually([&] { return Whole(); }, 60s)) << Describe();
  ExpectGoesOn("three again");
  EndLoad();
  EXPECT_THAT(failures(), ::testing::IsEmpty());
}

}  // namespace
}  // namespace ebla::testing
