// Tablets that are handed from one primary to another: by an operator, by the balancer, and away from a full disk.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>
#include <utility>

#include "master/testing/replicas_fixture.h"

namespace ebla::master::testing {
namespace {

class MasterTransferTest : public MasterReplicasTest {
 protected:
  idl::TransferTabletReply Transfer(const std::string& key, const std::string& to, int32_t deadline_ms = 5'000) {
    return MasterReplicasTest::Transfer(key, to, deadline_ms);
  }
};

TEST_F(MasterTransferTest, AnOperatorHandsATabletOver) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  const std::string to = before.voters.at(2);
  const auto reply = Transfer("", to);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.tablet.primary, to);
  EXPECT_EQ(reply.tablet.epoch, before.epoch + 1);
  WaitServing();
  EXPECT_EQ(Tablet().primary, to);
  const auto settled = cluster().Tablets();
  EXPECT_EQ(Transfer("", to).header.code, idl::Code::OK) << "it leads already";
  cluster().scheduler().RunFor(3s);
  EXPECT_EQ(cluster().Tablets(), settled) << "nothing was done";
}

TEST_F(MasterTransferTest, WhatCannotBeIsRefused) {
  Begin({.servers = 4});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  std::set<std::string> others = {"ts-1", "ts-2", "ts-3", "ts-4"};
  for (const std::string& voter : Tablet().voters) others.erase(voter);
  EXPECT_EQ(Transfer("", *others.begin()).header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(Transfer("", "nobody").header.code, idl::Code::INVALID_ARGUMENT);
  EXPECT_EQ(MasterReplicasTest::Transfer("", "", 0, "nothing").header.code, idl::Code::NO_SUCH_TABLE);
}

TEST_F(MasterTransferTest, ATargetThatDoesNotComeLevelLeavesThePrimaryInPlace) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  ServerOf(before.voters.at(1)).mute = true;
  const auto reply = Transfer("", before.voters.at(1), 1'000);
  EXPECT_EQ(reply.header.code, idl::Code::UNAVAILABLE);
  EXPECT_THAT(reply.header.message, ::testing::HasSubstr("does not come level"));
  EXPECT_TRUE(ServerOf(before.primary).Leads(before.tabletId, before.epoch));
  EXPECT_TRUE(cluster().RunUntil([&] { return AllLed(); })) << "what the mute one led has others to lead it by now";
  EXPECT_EQ(Tablet().primary, before.primary);
  EXPECT_EQ(Tablet().epoch, before.epoch + 2) << "taken back";
}

TEST_F(MasterTransferTest, UntilItLetsGoThePrimaryBeforeIsTheOneToAsk) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  FakeServer& primary = ServerOf(before.primary);
  cluster().Cut(before.primary, before.voters.at(1));
  EXPECT_EQ(Transfer("", before.voters.at(1), 300).header.code, idl::Code::UNAVAILABLE);
  ASSERT_EQ(Tablet().epoch, before.epoch + 1) << "it is in the catalog";
  const MonotonicTime since = cluster().scheduler().Now();
  // Longer than the master waits before it repeats a Configure to a follower that differs from the catalog.
  while (cluster().scheduler().Now() - since < 4s) {
    cluster().scheduler().RunFor(100ms);
    ASSERT_TRUE(primary.Leads(before.tabletId, before.epoch));
    for (const std::string& voter : before.voters)
      ASSERT_EQ(ServerOf(voter).replicas().at(before.tabletId).promised, before.epoch) << voter << " was told";
    const idl::TabletLocation location = cluster().Locate(before.tableId).tablets.at(0);
    ASSERT_EQ(location.primary, before.primary);
    ASSERT_EQ(location.epoch, before.epoch);
    const auto listed = cluster().Call(&idl::MasterServiceCobSvIf::listTablets, idl::ListTabletsRequest());
    ASSERT_EQ(listed->tablets.at(0).info.primary, before.primary);
    ASSERT_TRUE(listed->tablets.at(0).__isset.load);
    ASSERT_EQ(cluster().master(*cluster().Leader()).master->Stats().lacking.primary, 0u);
  }
  ASSERT_TRUE(cluster().RunUntil([&] { return primary.Leads(before.tabletId, before.epoch + 2); }, 5s));
  WaitServing();
}

// The targets die, or the primary does, before it has let go.
TEST_F(MasterTransferTest, WhoeverDiesWhileATabletIsHandedOverItIsLed) {
  for (const bool target_dies : {true, false}) {
    Begin({});
    MakeTable(3);
    cluster().scheduler().RunFor(3s);
    const idl::TabletInfo before = Tablet();
    cluster().Cut(before.primary, before.voters.at(1));
    EXPECT_EQ(Transfer("", before.voters.at(1), 300).header.code, idl::Code::UNAVAILABLE);
    ASSERT_EQ(Tablet().epoch, before.epoch + 1);
    cluster().Mend();
    ServerOf(target_dies ? before.voters.at(1) : before.primary).Stop();
    EXPECT_LE(TimeToLead(), target_dies ? Duration(8s) : Duration(2s));
    EXPECT_EQ(Tablet().primary == before.primary, target_dies);
    EXPECT_THAT(cluster().ledger().violations(), ::testing::IsEmpty());
  }
}

// It led once, and does not know that its epoch is over. Its log lacks what was acknowledged since (EpochLedger).
TEST_F(MasterTransferTest, ATargetThatLeadsAnOlderEpochIsFencedLikeOthers) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo first = Tablet();
  ASSERT_EQ(Transfer("", first.voters.at(1)).header.code, idl::Code::OK);
  WaitServing();
  cluster().scheduler().RunFor(2s);
  const idl::TabletInfo second = Tablet();
  cluster().Cut(first.primary, second.primary);
  EXPECT_EQ(Transfer("", first.primary, 300).header.code, idl::Code::UNAVAILABLE);
  ASSERT_EQ(Tablet().epoch, second.epoch + 1);
  FakeServer::Replica& stale = ServerOf(first.primary).mutable_replicas().at(first.tabletId);
  stale.leading = stale.epoch = stale.promised = first.epoch;
  stale.voters = first.voters;
  stale.barrier_committed = true;
  cluster().scheduler().RunFor(1'500ms);
  ServerOf(second.primary).Stop();
  EXPECT_LE(TimeToLead(), 10s);
  EXPECT_NE(Tablet().primary, first.primary);
}

TEST_F(MasterTransferTest, OneThatWasGivenUpIsNotSpokenOfForEver) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  cluster().Cut(before.primary, before.voters.at(1));
  EXPECT_EQ(Transfer("", before.voters.at(1), 1'000).header.code, idl::Code::UNAVAILABLE);
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(Tablet().primary, before.primary);
  const auto listed = cluster().Call(&idl::MasterServiceCobSvIf::listProcedures, idl::ListProceduresRequest());
  EXPECT_THAT(listed->procedures, ::testing::IsEmpty()) << listed->procedures.front().kind;
}

TEST_F(MasterTransferTest, WritesAreRefusedForNoLongerThanItTakes) {
  Begin({});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const idl::TabletInfo before = Tablet();
  FakeServer& primary = ServerOf(before.primary);
  cluster().Cut(before.primary, before.voters.at(1));
  EXPECT_EQ(Transfer("", before.voters.at(1), 3'000).header.code, idl::Code::UNAVAILABLE);
  const std::vector<int64_t> told = std::exchange(primary.received_patience[before.tabletId], {});
  ASSERT_GE(told.size(), 3u);
  EXPECT_EQ(told[0], 25);
  for (size_t i = 1; i < told.size(); ++i) EXPECT_EQ(told[i], std::min<int64_t>(2 * told[i - 1], 1'000));
  cluster().Mend();
  FakeServer& target = ServerOf(before.voters.at(1));
  for (int i = 0; i < 5; ++i) {
    ASSERT_EQ(Transfer("", before.voters.at(1)).header.code, idl::Code::OK);
    WaitServing();
    ASSERT_EQ(Transfer("", before.primary).header.code, idl::Code::OK);
    WaitServing();
    EXPECT_EQ(target.received_patience[before.tabletId].back(), 25) << "to another target";
  }
  const std::vector<int64_t>& later = primary.received_patience[before.tabletId];
  EXPECT_GT(later.front(), 25) << "what the first hand-overs needed, the next will need";
  EXPECT_TRUE(std::ranges::is_sorted(later, std::greater()));
  EXPECT_EQ(later.back(), 25) << "which is forgotten by and by";
}

TEST_F(MasterTransferTest, PrimariesAreSpreadAgainAfterAFailover) {
  Begin({.balance = true});
  std::vector<std::string> points;
  for (int i = 101; i < 124; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, WithReplicas(3)).header.code, idl::Code::OK);
  cluster().server(0).Stop();
  cluster().scheduler().RunFor(10s);
  cluster().server(0).Start();
  WaitServing();
  EXPECT_TRUE(cluster().RunUntil(
      [&] {
        std::map<std::string, int> led;
        for (const auto& [id, info] : cluster().Tablets()) ++led[info.primary];
        // The mean is 8; numbers alone count from two above it on, and until one above it.
        return led["ts-1"] >= 6 && led["ts-2"] <= 9 && led["ts-3"] <= 9;
      },
      120s));
  cluster().scheduler().RunFor(3s);
  const auto settled = cluster().Tablets();
  cluster().scheduler().RunFor(120s);
  EXPECT_EQ(cluster().Tablets(), settled) << "and then they stay";
  EXPECT_EQ(cluster().WhyNotServing("carts"), "");
}

TEST_F(MasterTransferTest, WhatAnOperatorHandedOverTheBalancerLeavesAlone) {
  Begin({.balance = true});
  std::vector<std::string> points;
  for (int i = 101; i < 107; ++i) points.push_back(std::to_string(i));
  ASSERT_EQ(cluster().Create("carts", points, WithReplicas(3)).header.code, idl::Code::OK);
  cluster().scheduler().RunFor(40s);  // long enough for the balancer to be at work
  // All to one.
  for (const auto& [id, info] : cluster().Tablets()) {
    ASSERT_EQ(Transfer(info.range.startKey, "ts-1").header.code, idl::Code::OK);
  }
  const auto led = [&] {
    return std::ranges::count_if(cluster().Tablets(), [](const auto& item) { return item.second.primary == "ts-1"; });
  };
  cluster().scheduler().RunFor(9min);
  EXPECT_EQ(led(), 7);
  EXPECT_TRUE(cluster().RunUntil([&] { return led() <= 4; }, 300s)) << "then it evens them out";
}

TEST_F(MasterTransferTest, WhatAServerLedWhoseDiskIsFullIsHandedToOthers) {
  Begin({.servers = 4});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const auto before = cluster().Tablets();
  FakeServer& full = Primary();
  const auto led = [&] {
    return std::ranges::count_if(cluster().Tablets(),
                                 [&](const auto& item) { return item.second.primary == full.name(); });
  };
  const auto of_old = led();
  full.disk_full = true;
  ASSERT_TRUE(cluster().RunUntil([&] { return led() == 0 && AllLed(); }, 5s));
  int64_t moved = 0;
  for (const auto& [id, info] : cluster().Tablets()) {
    EXPECT_EQ(info.voters, before.at(id).voters);
    moved += info.epoch - before.at(id).epoch;
  }
  EXPECT_EQ(moved, of_old) << "each transferred once, the others left alone";
  ASSERT_EQ(cluster().Create("new", {"b", "d", "f", "h"}, WithReplicas(3)).header.code, idl::Code::OK);
  for (const auto& [id, info] : cluster().Tablets()) {
    if (!before.contains(id)) {
      EXPECT_THAT(info.voters, ::testing::Not(::testing::Contains(full.name())));
    }
  }
  // With room again it may lead, and keeps what it is given.
  full.disk_full = false;
  cluster().scheduler().RunFor(3s);
  for (const auto& [id, info] : before) {
    if (info.primary != full.name()) continue;
    EXPECT_EQ(Transfer(info.range.startKey, full.name()).header.code, idl::Code::OK);
  }
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(led(), of_old);
}

TEST_F(MasterTransferTest, WhereEveryVotersDiskIsFullTheTabletStays) {
  Begin({.servers = 3});
  MakeTable(3);
  cluster().scheduler().RunFor(3s);
  const auto before = cluster().Tablets();
  for (auto& server : cluster().servers()) server->disk_full = true;
  cluster().scheduler().RunFor(20s);
  EXPECT_EQ(cluster().Tablets(), before);
  FakeServer& roomy = ServerOf(Tablet().voters.at(1));
  roomy.disk_full = false;
  EXPECT_TRUE(cluster().RunUntil(
      [&] {
        return std::ranges::all_of(cluster().Tablets(),
                                   [&](const auto& item) { return item.second.primary == roomy.name(); });
      },
      10s));
  WaitServing();
}

}  // namespace
}  // namespace ebla::master::testing
