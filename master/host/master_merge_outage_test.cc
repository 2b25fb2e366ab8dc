// Merges while the coordinator is away, and masters that find intents which another has written (PROTOCOL 14).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "common/base/key_range.h"
#include "common/base/planted_bug.h"
#include "common/rpc/idl_convert.h"
#include "master/testing/merge_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

class MasterMergeOutageTest : public MasterMergeTest {
 protected:
  // A server leads the key's tablet, and it is not frozen: clients find it by the key.
  bool Serves(const std::string& key) {
    return std::ranges::any_of(cluster().servers(), [&](const auto& server) {
      return server->running() && std::ranges::any_of(server->replicas(), [&](const auto& item) {
               const FakeServer::Replica& replica = item.second;
               return replica.table == left_.tableId && replica.leading != 0 && !replica.freeze &&
                      rpc::FromIdl(replica.range).Contains(key);
             });
    });
  }
  bool BothServe() { return Serves("a") && Serves("z"); }
  // The longest time for which a key had no primary.
  Duration LongestPause(Duration lasting) {
    const MonotonicTime end = cluster().scheduler().Now() + lasting;
    Duration longest{0};
    MonotonicTime served = cluster().scheduler().Now();
    while (cluster().scheduler().Now() < end) {
      cluster().scheduler().RunFor(10ms);
      if (BothServe()) served = cluster().scheduler().Now();
      longest = std::max(longest, cluster().scheduler().Now() - served);
    }
    return longest;
  }
  void Away(bool away) { cluster().coordination().SetAvailable(!away); }
  bool AllFrozen() { return Frozen(left_) && Frozen(right_); }
  // Some server has a tablet that the catalog lacks.
  std::optional<int64_t> AheadOfCatalog() {
    for (const auto& server : cluster().servers()) {
      for (const auto& [id, replica] : server->replicas()) {
        if (replica.leading != 0 && !Node(id)) return id;
      }
    }
    return std::nullopt;
  }
  // Both frozen, every server told, and the catalog without it: as the coordinator was away.
  int64_t MergeAhead() {
    EachServer([](FakeServer& server) { server.lose_freeze_answers = true; });
    AskToMerge();
    EXPECT_TRUE(cluster().RunUntil([&] { return AllFrozen(); }, 10s));
    Away(true);
    EachServer([](FakeServer& server) { server.lose_freeze_answers = false; });
    EXPECT_TRUE(cluster().RunUntil([&] { return AheadOfCatalog().has_value() && BothServe(); }, 5s));
    cluster().scheduler().RunFor(500ms);
    return AheadOfCatalog().value_or(0);
  }
};

TEST_F(MasterMergeOutageTest, AtNoMomentDoClientsWaitForTheCoordinator) {
  int merged = 0, two = 0;
  for (int ms = 0; ms <= 120; ms += 4) {
    SCOPED_TRACE("away after " + std::to_string(ms) + " ms");
    ASSERT_NO_FATAL_FAILURE(Begin());
    AskToMerge();
    cluster().scheduler().RunFor(std::chrono::milliseconds(ms));
    Away(true);
    EXPECT_LE(LongestPause(8s), 2s);
    Away(false);
    EXPECT_LE(LongestPause(10s), 2s);
    WaitServing();
    ASSERT_TRUE(cluster().RunUntil([&] { return !IntentsOpen() && !MergeUnfinished(); }, 60s));
    ++(Merged() ? merged : two);
    EXPECT_THAT(cluster().ledger().violations(), ::testing::IsEmpty());
  }
  EXPECT_GT(merged, 0);
  EXPECT_GT(two, 0) << "no outage came before the intents";
}

// One voter does not come level, so the freeze is not answered: both go on, and the catalog is told later.
TEST_F(MasterMergeOutageTest, WhatIsGivenUpGoesOnAheadOfTheCatalog) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return AllFrozen(); }, 10s));
  Away(true);
  EXPECT_LE(LongestPause(8s), 2s);
  EXPECT_TRUE(ServerOf(left_.primary).Leads(left_.tabletId, left_.epoch + 1));
  EXPECT_TRUE(ServerOf(right_.primary).Leads(right_.tabletId, right_.epoch + 1));
  EXPECT_EQ(Tablet("").epoch, left_.epoch) << "the catalog is not told yet";
  Away(false);
  EXPECT_LE(LongestPause(10s), Duration{0}) << "the catalog takes their epochs";
  EachServer([](FakeServer& server) { server.hold_freezes = false; });
  ExpectGivenUp();
  EXPECT_EQ(Tablet("").primary, left_.primary);
}

TEST_F(MasterMergeOutageTest, AnotherMasterTakesWhatServersHaveMerged) {
  Begin();
  const int64_t into = MergeAhead();
  ASSERT_GT(into, 0);
  cluster().KillMaster(*cluster().Leader());
  Away(false);
  EXPECT_LE(LongestPause(20s), Duration{0}) << "its primary leads on";
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 10s));
  EXPECT_EQ(Tablet("").tabletId, into);
  EXPECT_EQ(Tablet("").epoch, std::max(left_.epoch, right_.epoch) + 1) << "and was not fenced";
  WaitServing();
  EXPECT_FALSE(MergeUnfinished());
}

// The same, and two of three that have merged them are down at first, so that no report shows it.
TEST_F(MasterMergeOutageTest, AFenceFindsWhatNoReportShows) {
  Begin();
  const int64_t into = MergeAhead();
  ASSERT_GT(into, 0);
  cluster().KillMaster(*cluster().Leader());
  EachServer([](FakeServer& server) { server.silent = true; });
  Away(false);
  ASSERT_TRUE(cluster().WaitForLeader());
  cluster().scheduler().RunFor(5s);
  EXPECT_FALSE(Merged());
  EachServer([](FakeServer& server) { server.silent = false; });
  ASSERT_TRUE(cluster().RunUntil([&] { return Merged(); }, 20s));
  EXPECT_EQ(Tablet("").tabletId, into);
  WaitServing();
}

TEST_F(MasterMergeOutageTest, WithoutTheFenceAnotherMasterGivesUpWhatServes) {
  Begin();
  const int64_t into = MergeAhead();
  ASSERT_GT(into, 0);
  PlantHere(PlantedBug::give_up_unexcluded);
  cluster().KillMaster(*cluster().Leader());
  EachServer([](FakeServer& server) { server.silent = true; });
  Away(false);
  ASSERT_TRUE(cluster().WaitForLeader());
  EXPECT_TRUE(cluster().RunUntil([&] { return Node(left_.tabletId)->merge.givenUp; }, 20s)) << "its writes are lost";
}

// No server was told of the merged tablet. The next master cannot know that, and asks a majority first.
TEST_F(MasterMergeOutageTest, AnotherMasterFencesWhatItGivesUp) {
  Begin();
  ServerOf(right_.primary).refuse_freeze = idl::Code::COME_AGAIN;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return IntentsOpen(); }, 10s));
  cluster().scheduler().RunFor(100ms);
  const int64_t into = Node(left_.tabletId)->merge.intoId, first = Node(left_.tabletId)->merge.intoEpoch;
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().RunUntil([&] { return Node(left_.tabletId)->merge.givenUp; }, 30s));
  size_t promised = 0;
  EachServer([&](FakeServer& server) { promised += server.fenced[into] > first ? 1 : 0; });
  EXPECT_GE(promised, 2u);
  ServerOf(right_.primary).refuse_freeze.reset();
  ExpectGivenUp();
  EXPECT_GT(Tablet("").epoch, first) << "a server that has merged them makes it anew";
}

// A thaw ends freezes of which another master may have the answers. An earlier master may have told servers of the
// merged tablet.
TEST_F(MasterMergeOutageTest, AThawByAnotherMasterMeetsNoFence) {
  Begin();
  PlantHere(PlantedBug::thaw_after_merge);
  ServerOf(right_.primary).refuse_freeze = idl::Code::COME_AGAIN;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return IntentsOpen(); }, 10s));
  cluster().scheduler().RunFor(100ms);
  const int64_t into = Node(left_.tabletId)->merge.intoId;
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().RunUntil([&] { return ServerOf(left_.primary).Leads(left_.tabletId, left_.epoch + 1); }, 30s));
  EachServer([&](FakeServer& server) { EXPECT_EQ(server.fenced[into], 0); });
}

// A master has thawed one of them, and died before the catalog had it.
TEST_F(MasterMergeOutageTest, AnotherMasterTakesTheEpochOfAThaw) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return AllFrozen(); }, 10s));
  Away(true);
  ASSERT_TRUE(cluster().RunUntil([&] { return BothServe(); }, 5s));
  cluster().KillMaster(*cluster().Leader());
  EachServer([](FakeServer& server) { server.hold_freezes = false; });
  Away(false);
  EXPECT_LE(LongestPause(20s), Duration{0});
  ExpectGivenUp();
  EXPECT_EQ(Tablet("").epoch, left_.epoch + 1) << "it takes the epoch that it finds";
  EXPECT_EQ(SafeMode(), "");
}

// A primary dies in the midst of it: its failover waits for the merge's fate, and no longer. Parameter: how it dies.
class MasterMergeFailoverTest : public MasterMergeOutageTest,
                                public ::testing::WithParamInterface<std::function<void(FakeServer&)>> {};
INSTANTIATE_TEST_SUITE_P(Deaths, MasterMergeFailoverTest,
                         ::testing::Values([](FakeServer& server) { server.Stop(); },
                                           [](FakeServer& server) { server.mute = server.deaf = server.silent = true; },
                                           [](FakeServer& server) { server.coordinator().Expire(); }));
TEST_P(MasterMergeFailoverTest, APrimaryThatDiesIsFailedOverAtOnce) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return AllFrozen(); }, 10s));
  FakeServer& primary = ServerOf(left_.primary);
  GetParam()(primary);
  EXPECT_LE(LongestPause(15s), 1'600ms);
  EXPECT_GT(Tablet("").epoch, left_.epoch);
  primary.mute = primary.deaf = primary.silent = false;
  if (!primary.running()) primary.Start();
  EachServer([](FakeServer& server) { server.hold_freezes = false; });
  ExpectGivenUp();
}

// The exclusion is repeated for as long as too few voters live, and raises no epoch meanwhile.
TEST_F(MasterMergeOutageTest, AFenceThatIsRepeatedRaisesNoEpoch) {
  Begin();
  EachServer([](FakeServer& server) { server.hold_freezes = true; });
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return AllFrozen(); }, 10s));
  const int64_t into = Node(left_.tabletId)->merge.intoId, first = Node(left_.tabletId)->merge.intoEpoch;
  for (const std::string& voter : left_.voters) {
    if (voter != left_.primary) ServerOf(voter).deaf = true;
  }
  cluster().KillMaster(*cluster().Leader());
  cluster().scheduler().RunFor(300s);
  EXPECT_EQ(ServerOf(left_.primary).fenced[into], first + 1);
  EachServer([](FakeServer& server) { server.deaf = server.hold_freezes = false; });
  WaitServing();
}

TEST_F(MasterMergeOutageTest, AFailoverInAnOpenMergeDecidesNothing) {
  Begin();
  PlantHere(PlantedBug::failover_in_open_merge);
  const int64_t into = MergeAhead();
  ASSERT_GT(into, 0);
  cluster().KillMaster(*cluster().Leader());
  Away(false);
  cluster().scheduler().RunFor(20s);
  const bool fenced = std::ranges::any_of(cluster().servers(), [&](const auto& server) {
    return server->fenced[left_.tabletId] > 0 || server->fenced[right_.tabletId] > 0;
  });
  EXPECT_TRUE(fenced) << "a part of what serves is fenced, as if it were a tablet without a primary";
}

// PROTOCOL 24: the coordinator is restored to open intents. The merge was given up since, and one server alone had
// merged the two: what it has is not completed, and not adopted, because the two have entries after their FREEZEs.
// Parameter: both have gone further than an open intent allows.
class MasterMergeRestoredTest : public MasterMergeOutageTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(FurtherThanTheIntent, MasterMergeRestoredTest, ::testing::Bool());
TEST_P(MasterMergeRestoredTest, AnOlderCatalogDoesNotCompleteWhatWasGivenUp) {
  Begin();
  ServerOf(left_.primary).lose_freeze_answers = true;
  AskToMerge();
  ASSERT_TRUE(cluster().RunUntil([&] { return AllFrozen(); }, 10s));
  auto older = cluster().coordination().TakeSnapshot();
  const idl::TabletNode left = *Node(left_.tabletId), right = *Node(right_.tabletId);
  idl::Merged merged;
  for (const auto& [node, part] : {std::pair(&left, &merged.left), std::pair(&right, &merged.right)}) {
    part->tabletId = node->info.tabletId;
    part->range = node->info.range;
    part->freeze = ServerOf(node->info.primary).replicas().at(node->info.tabletId).freeze->position;
    merged.position.lsn = std::max(merged.position.lsn, part->freeze.lsn + 1);
  }
  merged.position.epoch = left.merge.intoEpoch;
  ExpectGivenUp();
  ServerOf(left_.primary).lose_freeze_answers = false;
  FakeServer& alone = OtherThan({Tablet("").primary, Tablet("m").primary});
  if (GetParam()) {
    const std::string from = Tablet("").primary;
    ASSERT_EQ(Transfer("", OtherThan({from, alone.name()}).name()).header.code, idl::Code::OK);
    WaitServing();
  }
  auto& replicas = alone.mutable_replicas();
  FakeServer::Replica whole = replicas.at(left_.tabletId);
  whole.range.endKey = right_.range.endKey;
  whole.merged = merged;
  whole.last = merged.position;
  whole.epoch = whole.promised = merged.position.epoch;
  replicas.erase(left_.tabletId);
  replicas.erase(right_.tabletId);
  replicas[left.merge.intoId] = whole;
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(15s);
  ASSERT_TRUE(cluster().WaitForLeader());
  cluster().scheduler().RunFor(5s);
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  if (GetParam()) {
    EXPECT_THAT(SafeMode(), HasSubstr("restored from an older state"));
  }
  idl::AdoptRequest request;
  request.confirm = true;
  const auto reply = cluster().Call<idl::AdoptReply>(&idl::MasterServiceCobSvIf::adopt, request, 60s);
  ASSERT_TRUE(reply.has_value());
  EXPECT_EQ(reply->header.code, idl::Code::OK) << reply->header.message;
  ASSERT_TRUE(cluster().RunUntil([&] { return !IntentsOpen(); }, 60s));
  WaitServing();
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  EXPECT_EQ(Tablet("").tabletId, left_.tabletId);
}

}  // namespace
}  // namespace ebla::master::testing
