// The rows of `server list` and `tablet list`: exceptional states show, and unknown figures are no numbers.
#include "tools/ebla/reports/listing.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tools/ebla/cli/shell_fixture.h"

namespace ebla::shell {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

ServerSummary ServerOf(const ServerName& name) {
  ServerSummary server;
  server.name = name;
  server.live = true;
  server.since_heartbeat = std::chrono::milliseconds(900);
  server.tablets = 3;
  server.leading = 2;
  server.size_bytes = 2048;
  server.reads_per_second = 7;
  return server;
}

TabletSummary TabletOf(std::vector<ServerName> voters) {
  TabletSummary tablet;
  tablet.id = TabletId{7};
  tablet.primary = voters.front();
  tablet.voters = std::move(voters);
  tablet.status = TabletStatus::kServing;
  tablet.load = TabletLoadInfo{};
  tablet.load->leading = true;
  return tablet;
}

TEST(ListingTest, AServerShowsAllThatIsOutOfTheOrdinary) {
  ServerSummary server = ServerOf("ts-1");
  EXPECT_EQ(StateOf(server), "live");
  server.draining = server.maintenance = true;
  EXPECT_EQ(StateOf(server), "draining,maintenance");
  server.tablets = 0;
  server.writes_refused = true;
  EXPECT_EQ(StateOf(server), "disk-full,drained,maintenance");
  server.writes_refused = false;
  server.disk.failure = "cannot sync";
  EXPECT_EQ(StateOf(server), "store-failed,drained,maintenance");
  server.live = false;
  EXPECT_EQ(StateOf(server), "lost,drained,maintenance");
}

TEST(ListingTest, AServerThatIsLostLeadsNothing) {
  ServerSummary server = ServerOf("ts-1");
  server.rack = "r1";
  EXPECT_THAT(ServerRows({server}).back(),
              ElementsAre("ts-1", "live", "r1", "", "", "3", "2", "2.0KiB", "0B", "7", "0", "900ms ago"));
  server.live = false;
  EXPECT_THAT(ServerRows({server}).back(),
              ElementsAre("ts-1", "lost", "r1", "", "", "3", "-", "-", "-", "-", "-", "900ms ago"));
  server.live = true;
  server.since_heartbeat.reset();
  EXPECT_THAT(ServerRows({server}).back(),
              ElementsAre("ts-1", "live", "r1", "", "", "3", "-", "-", "-", "-", "-", "never"));
}

// It was killed a moment ago: the master counts it as live for some seconds more.
TEST(ListingTest, AServerThatDoesNotReportIsSilentAndHowLong) {
  using std::chrono::milliseconds;
  ServerSummary server = ServerOf("ts-1");
  EXPECT_EQ(SilentFor(server), std::nullopt);
  server.since_heartbeat = milliseconds(1'640);
  EXPECT_EQ(StateOf(server), "silent(1.6s)");
  EXPECT_THAT(ServerRows({server}).back(),
              ElementsAre("ts-1", "silent(1.6s)", "(none)", "", "", "3", "-", "-", "-", "-", "-", "1s ago"));
  EXPECT_EQ(LiveServers({server, ServerOf("ts-2")}), "1 of 2 servers live, 1 silent");
  server.live = false;
  server.silent = true;
  server.since_heartbeat = milliseconds(12'300);
  EXPECT_EQ(StateOf(server), "silent(12s)") << "as the master says, too, from three seconds on";
  server.silent = false;
  EXPECT_EQ(StateOf(server), "lost");
  server.live = true;
  server.since_heartbeat.reset();
  EXPECT_EQ(StateOf(server), "live") << "a new leader has not heard of it yet";
}

TEST(ListingTest, ACopyToAServerThatDoesNotAnswerIsNotBeingMade) {
  std::vector<ServerSummary> servers = {ServerOf("ts-1"), ServerOf("ts-2"), ServerOf("ts-3")};
  std::vector<TabletSummary> tablets = {TabletOf({"ts-1", "ts-2"})};
  TabletSummary& tablet = tablets.front();
  tablet.learners = {"ts-3"};
  tablet.incomplete = {"ts-2", "ts-3"};
  const auto made = [&] {
    std::vector<ServerName> targets;
    for (const Copy& copy : CopiesOf(tablets, servers)) {
      if (copy.answers) targets.push_back(copy.target);
    }
    return targets;
  };
  EXPECT_THAT(made(), ElementsAre("ts-3", "ts-2"));
  tablet.silent = {"ts-2"};
  EXPECT_THAT(made(), ElementsAre("ts-3")) << "by its primary's report";
  servers[2].since_heartbeat = std::chrono::milliseconds(1'700);
  EXPECT_THAT(made(), ElementsAre()) << "by its own silence";
}

TEST(ListingTest, AReplicaWhoseServerIsLostIsMarked) {
  std::vector<ServerSummary> servers = {ServerOf("ts-1"), ServerOf("ts-2"), ServerOf("ts-3")};
  servers[1].live = false;
  servers[2].rack = "r3";
  TabletSummary tablet = TabletOf({"ts-1", "ts-2", "ts-3"});
  EXPECT_EQ(Joined(tablet.voters, servers), "ts-1,ts-2(lost),ts-3/r3");
  EXPECT_EQ(StateOf(tablet, servers), "serving");
  servers[2].since_heartbeat = std::chrono::milliseconds(1'700);
  EXPECT_EQ(Joined(tablet.voters, servers), "ts-1,ts-2(lost),ts-3/r3(silent)");
  EXPECT_EQ(StateOf(tablet, servers), "serving") << "a majority lives";
  tablet.primary = "ts-3";
  EXPECT_EQ(StateOf(tablet, servers), "no-primary") << "nobody has heard of it";
  tablet.primary = "ts-2";
  EXPECT_EQ(StateOf(tablet, servers), "no-primary") << "until the failover";
  EXPECT_EQ(TabletRows({tablet}, servers).back()[4], "ts-2(lost)");
  tablet.primary = "ts-1";
  tablet.load.reset();
  EXPECT_EQ(StateOf(tablet, servers), "unreported");
  servers[0].live = false;
  EXPECT_EQ(StateOf(tablet, servers), "lost");
  tablet.status = TabletStatus::kCreating;
  EXPECT_EQ(StateOf(tablet, servers), "creating");
}

TEST(ListingTest, WhatIsNotReportedOrNotCountedIsNoNumber) {
  const std::vector<ServerSummary> servers = {ServerOf("ts-1")};
  TabletSummary tablet = TabletOf({"ts-1"});
  const auto measured = [&] {
    const auto row = TabletRows({tablet}, servers).back();
    return std::vector<std::string>(row.end() - 4, row.end());
  };
  EXPECT_THAT(measured(), ElementsAre("-", "-", "0", "0")) << "loads are measured, and there are none";
  tablet.load->records = 3;
  tablet.load->size_bytes = 4096;
  EXPECT_THAT(measured(), ElementsAre("~3", "4.0KiB", "0", "0"));
  tablet.load.reset();
  EXPECT_THAT(measured(), ElementsAre("-", "-", "-", "-"));
}

TEST(ListingTest, AgesHaveAUnit) {
  using std::chrono::milliseconds;
  EXPECT_EQ(AgeText(milliseconds(0)), "0s ago");
  EXPECT_EQ(AgeText(milliseconds(12)), "12ms ago");
  EXPECT_EQ(AgeText(milliseconds(61'900)), "1m1s ago");
}

TEST_F(ShellTest, ListsShowServersThatAreLost) {
  servers_.cluster().tables()->Add("carts", {}, 3);
  servers_.cluster().faults()->away.insert("ts-2");
  EXPECT_THAT(Run("tablet list"), AllOf(HasSubstr("ts-1,ts-2(lost),ts-3"), HasSubstr("serving")));
  EXPECT_THAT(Run("server list"), AllOf(HasSubstr("HEARD"), HasSubstr("12ms ago"), HasSubstr("ts-2    lost ")));
  EXPECT_THAT(Run("tablet list --server ts-9"),
              HasSubstr("NOT_FOUND: no server \"ts-9\"; there are ts-1, ts-2, ts-3 [1]"));
  EXPECT_THAT(Run("help tablet list"), HasSubstr("nothing counted yet"));
  EXPECT_THAT(Run("tablet list"), Not(HasSubstr("0B")));
}

}  // namespace
}  // namespace ebla::shell
