// The choice of a new primary when a primary dies, falls silent or is refused, and the time that it takes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "master/testing/replicas_fixture.h"

namespace ebla::master::testing {
namespace {

TEST_F(MasterReplicasTest, ADeadPrimarysTabletsAreLedWithinASecondAndAHalf) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(5s);
  for (int round = 0; round < 6; ++round) {
    FakeServer& victim = Primary();
    victim.Stop();
    EXPECT_LT(TimeToLead(), 1'500ms);
    EXPECT_NE(Tablet().primary, victim.name());
    cluster().scheduler().RunFor(std::chrono::milliseconds(8'000 + 130 * round));
    victim.Start();
    WaitServing();
    cluster().scheduler().RunFor(3s);
  }
}

TEST_F(MasterReplicasTest, AThousandTabletsOfADeadPrimaryAreLedAsFast) {
  Begin({});
  std::vector<std::string> points;
  for (int i = 1'001; i < 4'000; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, WithReplicas(3)).header.code, idl::Code::OK);
  cluster().scheduler().RunFor(5s);
  Primary().Stop();
  EXPECT_LT(TimeToLead(), 1'600ms);
  std::map<std::string, int> led;
  for (const auto& [id, info] : cluster().Tablets()) ++led[info.primary];
  for (const auto& [server, count] : led) EXPECT_GT(count, 1'200) << server;
}

TEST_F(MasterReplicasTest, ADeadFollowerDoesNotHoldUpTheFailoverOfADeadPrimary) {
  Begin({.servers = 5});
  MakeTable(5);
  cluster().scheduler().RunFor(5s);
  // Three of five followers' voices are a majority of the voters, whatever the fourth would say.
  FakeServer& follower = ServerOf(Tablet().voters.at(1));
  FakeServer& primary = Primary();
  follower.Stop();
  primary.Stop();
  EXPECT_LT(TimeToLead(), 1'500ms);
}

TEST_F(MasterReplicasTest, WithAFollowerAndThePrimaryOfThreeDeadItGoesOnAsSoonAsOneIsBack) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(5s);
  FakeServer& follower = ServerOf(Tablet().voters.at(1));
  FakeServer& primary = Primary();
  follower.Stop();
  primary.Stop();
  cluster().scheduler().RunFor(10s);
  EXPECT_FALSE(AllLed()) << "one of three is no majority";
  follower.Start();
  EXPECT_LT(TimeToLead(), 3'000ms);
}

TEST_F(MasterReplicasTest, APrimaryThatItsFollowersDoNotHearIsReplacedThoughItLives) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(5s);
  FakeServer& silent = Primary();
  silent.mute = true;
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().primary != silent.name() && AllLed(); }, 3s));
  silent.mute = false;
  WaitServing();
  const auto settled = cluster().Tablets();
  cluster().scheduler().RunFor(60s);
  EXPECT_EQ(cluster().Tablets(), settled);
}

TEST_F(MasterReplicasTest, OneFollowerThatDoesNotHearChangesNothing) {
  Begin({});
  MakeTable(3);
  const auto before = cluster().Tablets();
  cluster().Cut(0, 1);
  cluster().scheduler().RunFor(30s);
  EXPECT_EQ(cluster().Tablets(), before);
}

TEST_F(MasterReplicasTest, APrimaryThatWasRefusedForAHigherPromiseIsFencedAbove) {
  Begin({});
  MakeTable(3);
  // A master died between its fence and its compare-and-set.
  const idl::TabletInfo info = Tablet();
  for (const std::string& voter : info.voters) {
    if (voter != info.primary) ServerOf(voter).mutable_replicas().at(info.tabletId).promised = 9;
  }
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().epoch >= 10; }, 5s));
  WaitServing();
}

TEST_F(MasterReplicasTest, AServerThatAnswersNothingHoldsUpNobody) {
  Begin({.servers = 5});
  MakeTable(5);
  cluster().scheduler().RunFor(5s);
  const idl::TabletInfo info = Tablet();
  ServerOf(info.voters[1]).deaf = true;
  Primary().Stop();
  EXPECT_LT(TimeToLead(), 1'700ms);
}

TEST_F(MasterReplicasTest, AMinorityIsNotFailedOver) {
  Begin({});
  MakeTable(3);
  const auto before = cluster().Tablets();
  cluster().server(0).Stop();
  cluster().server(1).Stop();
  cluster().scheduler().RunFor(30s);
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_TRUE(info.primary == before.at(id).primary) << id;
  }
  cluster().server(1).Start();
  EXPECT_LT(TimeToLead(), 5s);
  cluster().server(0).Start();
  WaitServing();
}

TEST_F(MasterReplicasTest, AFollowerThatWasNeverMadeIsMade) {
  Begin({});
  MakeTable(3);
  const idl::TabletInfo info = Tablet();
  FakeServer& follower = ServerOf(info.voters[1]);
  follower.mutable_replicas().erase(info.tabletId);
  WaitServing();
  EXPECT_EQ(Tablet(), info);
}

TEST_F(MasterReplicasTest, AllServersAtOnceComeBack) {
  Begin({});
  MakeTable(3);
  for (auto& server : cluster().servers()) server->Stop();
  cluster().scheduler().RunFor(200ms);
  for (auto& server : cluster().servers()) server->Start();
  WaitServing();
}

// PROTOCOL 21: each has forgotten tablet time, and their median is a year ahead.
TEST_F(MasterReplicasTest, ClocksThatAreAheadOfTheMastersDoNotSetTheTime) {
  constexpr int64_t kYearMs = int64_t{365} * 86'400'000;
  Begin({});
  MakeTable(3);
  for (auto& server : cluster().servers()) server->Stop();
  cluster().scheduler().RunFor(30s);
  for (auto& server : cluster().servers()) {
    server->clock_ahead_ms = kYearMs;
    server->Start();
  }
  WaitServing();
  const int64_t tablet = Tablet().tabletId;
  ASSERT_EQ(Primary().received_tablet_times[tablet], 0);
  EXPECT_GT(Primary().received_times_of_day[tablet], 1'700'000'000'000);
  EXPECT_LT(Primary().received_times_of_day[tablet], 1'700'000'000'000 + kYearMs / 2);
  cluster().scheduler().RunFor(3s);
  const auto servers = *cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
  for (const idl::ServerSummary& server : servers.servers)
    EXPECT_NEAR(static_cast<double>(server.clockAheadMs), static_cast<double>(kYearMs), 10'000) << server.name;
}

}  // namespace
}  // namespace ebla::master::testing
