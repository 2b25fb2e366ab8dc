// A coordinator restored from an older state: what the master notices, leaves alone, and takes into the catalog when an
// operator says so.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

class MasterAdoptTest : public ::testing::Test {
 protected:
  void Begin(MasterRig::Shape shape) {
    cluster_ = std::make_unique<MasterRig>(shape);
    ASSERT_TRUE(cluster().WaitForLeader() && cluster().WaitForServers());
    cluster().scheduler().RunFor(2s);
  }
  void TearDown() override { EXPECT_THAT(cluster().ledger().violations(), IsEmpty()); }
  MasterRig& cluster() { return *cluster_; }

  void Create(const std::string& name, std::vector<std::string> points = {"f", "m"}) {
    const auto reply = cluster().Create(name, std::move(points));
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    cluster().scheduler().RunFor(3s);
  }
  void Restore(coordination::ZnodeTree::Snapshot snapshot) {
    cluster().coordination().Restore(std::move(snapshot));
    cluster().scheduler().RunFor(15s);
  }
  idl::AdoptReply Adopt(bool confirm, std::vector<std::string> without = {}) {
    idl::AdoptRequest request;
    request.confirm = confirm;
    request.without = std::move(without);
    return cluster().Call(&idl::MasterServiceCobSvIf::adopt, request).value();
  }
  std::string SafeMode() {
    return cluster().Call(&idl::MasterServiceCobSvIf::clusterInfo, idl::ClusterInfoRequest())->safeMode;
  }
  idl::SplitTabletReply Split(const std::string& key, int32_t deadline_ms = 0) {
    return cluster().Split("carts", key, deadline_ms);
  }
  // The child's id.
  int64_t MustSplit(const std::string& key) {
    const auto reply = Split(key);
    EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    WaitServing("carts");
    cluster().scheduler().RunFor(2s);
    return reply.child.tabletId;
  }
  idl::TabletNode Node(int64_t tablet) {
    const auto node =
        cluster().coordination().tree().Get(coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(tablet)}));
    EXPECT_TRUE(node) << tablet;
    return node ? *coordination::DecodeNode<idl::TabletNode>(node->data) : idl::TabletNode();
  }
  std::string Ranges() {
    std::string text;
    for (const auto& [id, info] : cluster().Tablets()) {
      text += std::to_string(id) + "[" + info.range.startKey + "," + info.range.endKey + ") ";
    }
    return text;
  }
  void WaitServing(const std::string& table) {
    EXPECT_TRUE(cluster().RunUntil([&] { return cluster().WhyNotServing(table).empty(); }, 120s))
        << cluster().WhyNotServing(table);
  }
  idl::MergeTabletsReply Merge(const std::string& key, int32_t deadline_ms = 0) {
    idl::MergeTabletsRequest request;
    request.table = "carts";
    request.key = key;
    request.deadlineMs = deadline_ms;
    return cluster().Call(&idl::MasterServiceCobSvIf::mergeTablets, request, 120s).value_or(idl::MergeTabletsReply());
  }
  void MustAdopt() {
    const auto done = Adopt(true);
    ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
    WaitServing("carts");
  }
  void RestartServers() {
    for (auto& server : cluster().servers()) server->Stop();
    for (auto& server : cluster().servers()) server->Start();
    cluster().scheduler().RunFor(15s);
  }

  std::unique_ptr<MasterRig> cluster_;
};

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
  for (const auto& [id, info] : lost)
    EXPECT_TRUE(cluster().server(static_cast<size_t>(info.primary.back() - '1')).Leads(id, info.epoch));

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

TEST_F(MasterAdoptTest, EpochsAndVotersOfAnOlderCatalogAreBroughtUpToDate) {
  Begin({.servers = 5});
  Create("carts");
  auto older = cluster().coordination().TakeSnapshot();
  // A voter is replaced, and tablets are failed over.
  const std::string victim = cluster().Tablets().begin()->second.primary;
  FakeServer& server = cluster().server(static_cast<size_t>(victim.back() - '1'));
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

// What it alone had led or held is given to nobody else: else it would be beyond the catalog again when it comes back.
TEST_F(MasterAdoptTest, EpochsAndIdsOfAServerThatIsGivenUpAreOutbidAllTheSame) {
  Begin({.servers = 4});
  Create("carts");
  auto older = cluster().coordination().TakeSnapshot();
  Restore(std::move(older));
  const auto [id, info] = *cluster().Tablets().begin();
  FakeServer& server = cluster().server(static_cast<size_t>(info.voters[1].back() - '1'));
  server.mutable_replicas().at(id).epoch = server.mutable_replicas().at(id).promised = info.epoch + 70;
  const int64_t orphan = cluster().NextId() + 9;
  server.mutable_replicas()[orphan] = server.replicas().at(id);
  server.mute = true;  // it follows nobody meanwhile
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

// An epoch that somebody merely follows ends nobody's service: what its primary acknowledges meanwhile must not be
// lost.
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

// Before anybody has reported, an old catalog alone says who should lead. It must not cost who does lead its epoch.
TEST_F(MasterAdoptTest, AnOlderCatalogDeposesNobodyBeforeAllHaveReported) {
  Begin({.servers = 5});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const auto [id, before] = *cluster().Tablets().begin();
  const auto named = [&](const std::string& name) -> FakeServer& {
    return cluster().server(static_cast<size_t>(name.back() - '1'));
  };
  const auto led_after = [&](int64_t epoch) {
    const idl::TabletInfo info = cluster().Tablets().at(id);
    return info.epoch > epoch && named(info.primary).Leads(id, info.epoch);
  };
  named(before.primary).Stop();
  ASSERT_TRUE(cluster().RunUntil([&] { return led_after(before.epoch); }));
  named(before.primary).Start();
  cluster().scheduler().RunFor(3s);
  for (int failover = 0; failover < 2; ++failover) {
    const idl::TabletInfo info = cluster().Tablets().at(id);
    named(info.primary).mute = true;
    ASSERT_TRUE(cluster().RunUntil([&] { return led_after(info.epoch); }));
    named(info.primary).mute = false;
    cluster().scheduler().RunFor(3s);
  }
  const idl::TabletInfo newest = cluster().Tablets().at(id);
  ASSERT_GT(newest.epoch, before.epoch + 1);
  ASSERT_TRUE(named(newest.primary).Leads(id, newest.epoch));
  ASSERT_NE(newest.primary, before.primary);
  named(before.primary).Stop();
  cluster().scheduler().RunFor(10s);
  for (auto& server : cluster().servers()) server->silent = true;
  cluster().coordination().Restore(std::move(older));
  cluster().scheduler().RunFor(9s);
  EXPECT_TRUE(named(newest.primary).Leads(id, newest.epoch));
  for (auto& server : cluster().servers()) server->silent = false;
  cluster().scheduler().RunFor(10s);
  EXPECT_TRUE(named(newest.primary).Leads(id, newest.epoch));
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
  Create("carts");  // every server has heard of the latest term
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

// What was split since is taken from who has applied it; nothing overlaps, and parents are remembered as far as
// reported.
TEST_F(MasterAdoptTest, SplitsMadeSinceAreAdopted) {
  Begin({});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const int64_t parent = cluster().Tablets().begin()->first;
  const int64_t child = MustSplit("m");
  const int64_t grandchild = MustSplit("t");
  const int64_t second = MustSplit("f");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  EXPECT_THAT(SafeMode(), HasSubstr("which the catalog never assigned"));
  const auto shown = Adopt(false);
  EXPECT_THAT(shown.problems, IsEmpty());
  EXPECT_EQ(shown.tablets.size(), 4u);
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  WaitServing("carts");
  EXPECT_EQ(Ranges(), ranges);
  EXPECT_EQ(Node(second).parentId, parent);
  EXPECT_EQ(Node(grandchild).parentId, child);
  EXPECT_GT(Node(parent).info.epoch, 1) << "no replica of it is created empty any more";
  EXPECT_EQ(SafeMode(), "");
  MustSplit("h");
}

// A follower that has not applied the split yet has the old range: it is not the one that is right.
TEST_F(MasterAdoptTest, WhoHasNotAppliedASplitDoesNotSayTheRange) {
  Begin({});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const idl::TabletInfo before = cluster().Tablets().begin()->second;
  const int64_t child = MustSplit("m");
  const std::string ranges = Ranges();
  const std::string behind = before.voters[0] == before.primary ? before.voters[1] : before.voters[0];
  FakeServer& follower = cluster().server(static_cast<size_t>(behind.back() - '1'));
  follower.mute = true;
  follower.mutable_replicas().erase(child);
  auto& replica = follower.mutable_replicas().at(before.tabletId);
  replica.range = before.range;
  replica.splits.clear();
  Restore(std::move(older));
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  follower.mute = false;
  WaitServing("carts");
  EXPECT_EQ(Ranges(), ranges);
}

// Nobody who reports has the child: what lies there would be nobody's.
TEST_F(MasterAdoptTest, AChildThatNobodyReportsIsAProblem) {
  Begin({});
  Create("carts", {});
  auto older = cluster().coordination().TakeSnapshot();
  const int64_t child = MustSplit("m");
  for (auto& server : cluster().servers()) server->mutable_replicas().erase(child);
  Restore(std::move(older));
  const auto reply = Adopt(true);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  ASSERT_FALSE(reply.problems.empty());
  EXPECT_THAT(reply.problems[0], HasSubstr("no server that reports has the keys from \"m\" to the end"));
}

// The catalog had begun a split, which was completed since, and the tablet split again.
TEST_F(MasterAdoptTest, AnIntentThatWasOutrun) {
  Begin({});
  Create("carts", {});
  for (auto& server : cluster().servers()) server->refuse_split = idl::Code::COME_AGAIN;
  (void)Split("m", 300);
  const int64_t parent = cluster().Tablets().begin()->first;
  ASSERT_TRUE(Node(parent).__isset.split);
  const int64_t child = Node(parent).split.childId;
  auto older = cluster().coordination().TakeSnapshot();
  for (auto& server : cluster().servers()) server->refuse_split.reset();
  ASSERT_TRUE(cluster().RunUntil([&] { return cluster().Tablets().size() == 2; }, 60s));
  WaitServing("carts");
  MustSplit("f");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  EXPECT_EQ(cluster().Tablets().size(), 1u) << "neither given up nor completed wrongly";
  EXPECT_TRUE(Node(parent).__isset.split);
  const auto done = Adopt(true);
  ASSERT_EQ(done.header.code, idl::Code::OK) << done.header.message;
  WaitServing("carts");
  EXPECT_EQ(Ranges(), ranges);
  EXPECT_FALSE(Node(parent).__isset.split);
  EXPECT_TRUE(cluster().Tablets().contains(child));
}

// The catalog had begun a merge, which came to nothing; since, one of the two was merged with its other neighbour.
TEST_F(MasterAdoptTest, AnIntentToMergeWithWhatIsGoneGoes) {
  Begin({});
  Create("carts");
  for (auto& server : cluster().servers()) server->hold_freezes = true;
  (void)Merge("m", 300);
  const int64_t right = std::prev(cluster().Tablets().end())->first;
  ASSERT_TRUE(Node(right).__isset.merge);
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_TRUE(cluster().RunUntil([&] { return !Node(right).__isset.merge; }, 60s));
  for (auto& server : cluster().servers()) server->hold_freezes = false;
  WaitServing("carts");
  cluster().scheduler().RunFor(2s);
  ASSERT_EQ(Merge("f").header.code, idl::Code::OK);
  WaitServing("carts");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  MustAdopt();
  EXPECT_EQ(Ranges(), ranges);
  EXPECT_TRUE(cluster().RunUntil([&] { return !Node(right).__isset.merge; }, 60s)) << "and nobody would end it";
  MustSplit("t");
}

// Merged since, and split elsewhere: no one tablet has all that either of the two had.
TEST_F(MasterAdoptTest, WhatWasMergedAndSplitElsewhereSinceIsAdopted) {
  Begin({});
  Create("carts", {"m"});
  auto older = cluster().coordination().TakeSnapshot();
  ASSERT_EQ(Merge("m").header.code, idl::Code::OK);
  WaitServing("carts");
  cluster().scheduler().RunFor(2s);
  MustSplit("f");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  EXPECT_THAT(Adopt(false).problems, IsEmpty());
  MustAdopt();
  EXPECT_EQ(Ranges(), ranges);
}

// One alone had merged the two when the catalog lost the merge: the others' copies of them go once there are others of
// it.
class MasterAdoptMergedTest : public MasterAdoptTest, public ::testing::WithParamInterface<bool> {};
INSTANTIATE_TEST_SUITE_P(Intents, MasterAdoptMergedTest, ::testing::Bool());
TEST_P(MasterAdoptMergedTest, WhatTheyWereMergedOfStaysUntilThereAreCopies) {
  Begin({});
  Create("carts", {"m"});
  const auto before = cluster().Tablets();
  const std::string primary = before.begin()->second.primary;
  for (auto& server : cluster().servers()) server->hold_local_merges = server->name() != primary;
  for (auto& server : cluster().servers()) server->hold_freezes = GetParam();
  if (GetParam()) (void)Merge("m", 300);
  ASSERT_EQ(Node(before.begin()->first).__isset.merge, GetParam());
  auto older = cluster().coordination().TakeSnapshot();
  for (auto& server : cluster().servers()) server->hold_freezes = false;
  (void)Merge("m", 3'000);
  ASSERT_EQ(cluster().Tablets().size(), 1u);
  const int64_t merged = cluster().Tablets().begin()->first;
  ASSERT_TRUE(cluster().server(static_cast<size_t>(primary.back() - '1')).replicas().contains(merged));
  Restore(std::move(older));
  ASSERT_EQ(Adopt(true).header.code, idl::Code::OK);
  bool kept = true;
  const auto copied = [&] {
    if (Node(merged).info.voters.size() == 3) return true;
    for (auto& server : cluster().servers()) {
      const auto& has = server->replicas();
      const bool whole = has.contains(merged) && !has.at(merged).incomplete;
      kept = kept && (whole || (has.contains(before.begin()->first) && has.contains(before.rbegin()->first)));
    }
    return false;
  };
  ASSERT_TRUE(cluster().RunUntil(copied, 60s)) << cluster().WhyNotServing("carts");
  EXPECT_TRUE(kept) << "one copy was left of all";
  WaitServing("carts");
}

// Nobody has anything of it any more, and the catalog is from before it was split.
TEST_F(MasterAdoptTest, ATableInMemoryThatAllHaveForgottenBeginsEmpty) {
  Begin({});
  idl::TableOptions options;
  options.__set_memory(true);
  const auto made = cluster().Create("carts", {"f"}, options);
  ASSERT_EQ(made.header.code, idl::Code::OK) << made.header.message;
  cluster().scheduler().RunFor(3s);
  auto older = cluster().coordination().TakeSnapshot();
  MustSplit("m");
  const std::string ranges = Ranges();
  Restore(std::move(older));
  RestartServers();
  const auto shown = Adopt(false);
  EXPECT_THAT(shown.problems, IsEmpty());
  EXPECT_THAT(shown.notes, ::testing::Contains(HasSubstr("begins empty")));
  MustAdopt();
  EXPECT_EQ(Ranges(), ranges);
}

}  // namespace
}  // namespace ebla::master::testing
