// Replicas that an operator moves, and servers that are drained or under maintenance: where replicas end up, what is
// refused and why, and that neither the death of a master nor that of a server leaves anything half done.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "master/procedures/move_tablet.h"
#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

class MasterMoveTest : public RigFixture {
 protected:
  void Begin(size_t servers, int replicas = 3, std::vector<std::string> points = {"b", "d", "f", "h"},
             Duration repair_every = MasterOptions().repair_every) {
    ASSERT_NO_FATAL_FAILURE(RigFixture::Begin({.servers = servers, .repair_every = repair_every}));
    const auto reply = cluster().Create("carts", std::move(points), WithReplicas(replicas));
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    cluster().scheduler().RunFor(3s);
  }
  idl::TabletInfo Tablet() { return cluster().Tablets().begin()->second; }
  std::string NoHolder() {
    for (const auto& server : cluster().servers()) {
      if (std::ranges::count(Tablet().voters, server->name()) == 0) return server->name();
    }
    return "";
  }
  idl::MoveTabletReply Move(const std::string& from, const std::string& to, int deadline_ms = 20'000) {
    idl::MoveTabletRequest request;
    request.table = "carts";
    request.fromServer = from;
    request.toServer = to;
    request.deadlineMs = deadline_ms;
    return cluster().Call(&idl::MasterServiceCobSvIf::moveTablet, request).value();
  }
  idl::SetServerReply Drain(const std::string& name, bool draining = true) {
    idl::SetServerRequest request;
    request.name = name;
    request.__set_draining(draining);
    return cluster().Call(&idl::MasterServiceCobSvIf::setServer, request).value();
  }
  size_t ReplicasOn(const std::string& name) {
    return static_cast<size_t>(std::ranges::count_if(cluster().Tablets(), [&](const auto& item) {
      return std::ranges::count(item.second.voters, name) + std::ranges::count(item.second.learners, name) > 0;
    }));
  }
  bool Moves(int64_t tablet) { return Node(tablet)->__isset.move; }
  std::string Note(const std::string& name) {
    const auto servers = cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
    const auto found = std::ranges::find(servers->servers, name, &idl::ServerSummary::name);
    return found->note;
  }
  // Sends all the requests before one of them is carried out; the codes, in the same order.
  std::vector<idl::Code::type> DrainAtOnce(const std::vector<std::string>& names) {
    auto answers = std::make_shared<std::vector<idl::Code::type>>();
    auto& master = cluster().master(*cluster().Leader());
    master.executor->Post([service = master.master->service(), names, answers] {
      for (const std::string& name : names) {
        idl::SetServerRequest request;
        request.name = name;
        request.__set_draining(true);
        service->setServer([answers](const idl::SetServerReply& reply) { answers->push_back(reply.header.code); },
                           request);
      }
    });
    EXPECT_TRUE(cluster().RunUntil([&] { return answers->size() == names.size(); }));
    return *answers;
  }
  void ExpectWhole() { WaitServing("carts", 60s); }
};

TEST_F(MasterMoveTest, AReplicaMovesAndItsLeadershipWithIt) {
  Begin(4);
  const idl::TabletInfo before = Tablet();
  const std::string to = NoHolder();
  const auto reply = Move(before.primary, to);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(reply.tablet.primary, to);
  EXPECT_EQ(reply.tablet.voters.size(), 3u);
  EXPECT_EQ(std::ranges::count(reply.tablet.voters, before.primary), 0);
  ExpectWhole();
  const std::string follower = Tablet().voters[0] == to ? Tablet().voters[1] : Tablet().voters[0];
  ASSERT_EQ(Move(follower, before.primary).header.code, idl::Code::OK) << "and a follower the other way";
  EXPECT_EQ(Tablet().primary, to);
  ExpectWhole();
}

// The replication manager's own round does not come: each step begins with the report that the one before is done.
TEST_F(MasterMoveTest, StepsFollowEachOtherWithoutTheNextRound) {
  Begin(4, 3, {"b", "d", "f", "h"}, 1h);
  const idl::TabletInfo before = Tablet();
  const MonotonicTime begin = cluster().scheduler().Now();
  const auto reply = Move(before.primary, NoHolder());
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  // Copied, then three heartbeats of a second each: level, led by the new one, without the old one.
  EXPECT_LT(cluster().scheduler().Now() - begin, FakeServer::kCopyTime + 3'500ms);
  ExpectWhole();
}

TEST_F(MasterMoveTest, ADrainsMovesFollowEachOtherWithoutTheNextRound) {
  std::vector<std::string> points;
  for (char c = 'b'; c <= 'y'; ++c) points.emplace_back(1, c);
  Begin(4, 3, points, 1h);
  const std::string name = Tablet().primary;
  ASSERT_GT(ReplicasOn(name), kDrainMovesMax) << "more than may move at a time";
  ASSERT_EQ(Drain(name).header.code, idl::Code::OK);
  size_t copies = 0;
  EXPECT_TRUE(cluster().RunUntil(
      [&] {
        std::map<std::string, size_t> to;
        for (const auto& [id, info] : cluster().Tablets()) {
          for (const std::string& learner : info.learners) copies = std::max(copies, ++to[learner]);
        }
        return ReplicasOn(name) == 0;
      },
      120s))
      << ReplicasOn(name);
  EXPECT_LE(copies, RepairCaps().copies_per_server) << "to one server at a time";
  ExpectWhole();
}

TEST_F(MasterMoveTest, TheOnlyReplicaMovesToo) {
  Begin(2, 1);
  const std::string from = Tablet().primary;
  const auto reply = Move(from, NoHolder());
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_EQ(Tablet().voters, std::vector<std::string>{Tablet().primary});
  EXPECT_NE(Tablet().primary, from);
  ExpectWhole();
}

TEST_F(MasterMoveTest, WhatCannotBeIsRefused) {
  Begin(4);
  const std::string to = NoHolder();
  const std::vector<std::string> voters = Tablet().voters;
  EXPECT_THAT(Move(to, to).header.message, HasSubstr("has no vote in tablet"));
  EXPECT_THAT(Move(voters[0], voters[1]).header.message, HasSubstr("has a replica of tablet"));
  EXPECT_THAT(Move(voters[0], "nobody").header.message, HasSubstr("no server \"nobody\""));
  ServerOf(to).Stop();
  cluster().scheduler().RunFor(20s);
  EXPECT_THAT(Move(voters[0], to).header.message, HasSubstr("takes no replicas at present"));
  ServerOf(to).Start();
}

TEST_F(MasterMoveTest, OneMoveOfATabletAtATimeAndItCanBeCancelled) {
  Begin(5);
  const idl::TabletInfo before = Tablet();
  const std::string to = NoHolder();
  ServerOf(to).mute = true;  // lives, and cannot be copied to
  const auto begun = Move(before.voters[1], to, 3'000);
  EXPECT_EQ(begun.header.code, idl::Code::UNKNOWN_OUTCOME) << begun.header.message;
  EXPECT_THAT(begun.header.message, HasSubstr("continues by itself"));
  std::string other;
  for (const auto& server : cluster().servers()) {
    if (std::ranges::count(before.voters, server->name()) == 0 && server->name() != to) other = server->name();
  }
  EXPECT_THAT(Move(before.voters[1], other).header.message, HasSubstr("moves already"));
  idl::MoveTabletRequest cancel;
  cancel.table = "carts";
  cancel.cancel = true;
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::moveTablet, cancel)->header.code, idl::Code::OK);
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::moveTablet, cancel)->header.code, idl::Code::NOT_FOUND);
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().learners.empty(); }));
  EXPECT_THAT(Tablet().voters, ::testing::UnorderedElementsAreArray(before.voters));
  ServerOf(to).mute = false;
  EXPECT_EQ(Move(before.voters[1], other).header.code, idl::Code::OK);
  ExpectWhole();
}

TEST_F(MasterMoveTest, AMoveToAServerThatIsGoneEnds) {
  Begin(4);
  const idl::TabletInfo before = Tablet();
  const std::string to = NoHolder();
  ServerOf(to).mute = true;
  EXPECT_EQ(Move(before.voters[1], to, 2'000).header.code, idl::Code::UNKNOWN_OUTCOME);
  ServerOf(to).Stop();
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().learners.empty(); }, 120s));
  EXPECT_THAT(Tablet().voters, ::testing::UnorderedElementsAreArray(before.voters));
  ServerOf(to).mute = false;
  ServerOf(to).Start();
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(Move(before.voters[1], to).header.code, idl::Code::OK) << "and can be made anew";
  ExpectWhole();
}

TEST_F(MasterMoveTest, ADrainedServerIsEmptyAndGetsNothing) {
  Begin(4);
  const std::string name = Tablet().primary;
  ASSERT_GT(ReplicasOn(name), 0u);
  const auto reply = Drain(name);
  ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_TRUE(cluster().RunUntil([&] { return ReplicasOn(name) == 0; }, 120s)) << ReplicasOn(name);
  ExpectWhole();
  ASSERT_EQ(cluster().Create("after").header.code, idl::Code::OK);
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(ReplicasOn(name), 0u);
  // It stays so under the next master.
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().WaitForLeader() && cluster().WaitForServers());
  const auto servers = cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
  for (const auto& server : servers->servers) EXPECT_EQ(server.draining, server.name == name) << server.name;
  EXPECT_THAT(Move(Tablet().voters[0], name).header.message, HasSubstr("takes no replicas at present"));
  EXPECT_EQ(Drain(name, false).header.code, idl::Code::OK);
  EXPECT_EQ(Move(Tablet().voters[0], name).header.code, idl::Code::OK);
}

TEST_F(MasterMoveTest, ADrainThatNobodyCanTakeIsRefusedSayingWhy) {
  Begin(3);
  const std::string name = Tablet().primary;
  const auto reply = Drain(name);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("server " + name + " cannot be drained: tablet"));
  EXPECT_THAT(reply.header.message, HasSubstr("of table carts has its replicas on"));
  EXPECT_THAT(reply.header.message, HasSubstr("start another server"));
  EXPECT_EQ(Drain("nobody").header.code, idl::Code::NOT_FOUND);
  cluster().scheduler().RunFor(10s);
  EXPECT_EQ(ReplicasOn(name), 5u);
}

TEST_F(MasterMoveTest, ADrainThatLosesItsPlaceSaysSo) {
  Begin(4);
  const std::string spare = NoHolder();
  std::string name;
  for (const auto& server : cluster().servers()) {
    if (server->name() != spare && ReplicasOn(server->name()) > 0) name = server->name();
  }
  ServerOf(spare).mute = true;
  ASSERT_EQ(Drain(name).header.code, idl::Code::OK);
  ServerOf(spare).Stop();
  std::string note;
  EXPECT_TRUE(cluster().RunUntil(
      [&] {
        const auto servers = cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
        for (const auto& server : servers->servers) note = server.name == name ? server.note : note;
        return !note.empty();
      },
      120s));
  EXPECT_THAT(note, HasSubstr("no other live server takes one"));
  ServerOf(spare).mute = false;
  ServerOf(spare).Start();
  EXPECT_TRUE(cluster().RunUntil([&] { return ReplicasOn(name) == 0; }, 300s));
  ExpectWhole();
}

TEST_F(MasterMoveTest, AMoveToAServerThatTakesNothingAnyMoreEnds) {
  Begin(5);
  const idl::TabletInfo before = Tablet();
  const std::string to = NoHolder();
  // It lives and does not report its replicas, so no learner is made there; then it is drained.
  ServerOf(to).Stop();
  cluster().scheduler().RunFor(10s);
  ServerOf(to).silent = true;
  ServerOf(to).Start();
  cluster().scheduler().RunFor(5s);
  EXPECT_EQ(Move(before.voters[1], to, 3'000).header.code, idl::Code::UNKNOWN_OUTCOME);
  EXPECT_TRUE(Moves(before.tabletId));
  ASSERT_EQ(Drain(to).header.code, idl::Code::OK);
  EXPECT_TRUE(cluster().RunUntil([&] { return !Moves(before.tabletId); }));
  cluster().scheduler().RunFor(1s);
  std::string other;
  for (const auto& server : cluster().servers()) {
    if (std::ranges::count(before.voters, server->name()) == 0 && server->name() != to) other = server->name();
  }
  EXPECT_EQ(Move(before.voters[1], other).header.code, idl::Code::OK);
  ServerOf(to).silent = false;
  ExpectWhole();
}

TEST_F(MasterMoveTest, ADrainTakesNoReplicaThatIsWantedWhereAnotherIsLost) {
  Begin(4, 3, {});
  const std::string name = Tablet().primary;
  const std::string lost = Tablet().voters[1];
  ServerOf(lost).Stop();
  cluster().scheduler().RunFor(20s);
  ASSERT_EQ(Drain(name).header.code, idl::Code::OK);
  EXPECT_TRUE(cluster().RunUntil([&] { return !Note(name).empty(); }, 600s));
  EXPECT_THAT(Note(name), HasSubstr("no other live server takes one"));
  cluster().scheduler().RunFor(600s);
  EXPECT_EQ(Tablet().voters.size(), 3u) << "the old one among them, which lives, and not the lost one";
  EXPECT_EQ(std::ranges::count(Tablet().voters, lost), 0);
  ServerOf(lost).Start();
  EXPECT_TRUE(cluster().RunUntil([&] { return ReplicasOn(name) == 0; }, 600s)) << ReplicasOn(name);
  ExpectWhole();
}

TEST_F(MasterMoveTest, OfTwoDrainsAtOnceEachCountsTheOtherAsGoing) {
  Begin(4);
  const std::vector<std::string> voters = Tablet().voters;
  EXPECT_THAT(DrainAtOnce({voters[0], voters[1]}),
              ::testing::UnorderedElementsAre(idl::Code::OK, idl::Code::CONDITION_FAILED));
  EXPECT_EQ(Drain(voters[0], false).header.code, idl::Code::OK);
  EXPECT_EQ(Drain(voters[1], false).header.code, idl::Code::OK);
  ExpectWhole();  // without what the drain had begun to copy
  EXPECT_THAT(DrainAtOnce({voters[1], voters[1]}), ::testing::Contains(idl::Code::OK))
      << "and nobody is in its own way";
  EXPECT_TRUE(cluster().RunUntil([&] { return ReplicasOn(voters[1]) == 0; }, 300s));
  ExpectWhole();
}

TEST_F(MasterMoveTest, MoreRequestsOfServersThanMayWaitAreRefused) {
  Begin(4);
  const size_t most = MasterOptions().waiting_requests_max;
  const auto codes = DrainAtOnce(std::vector<std::string>(most + 3, NoHolder()));
  EXPECT_EQ(std::ranges::count(codes, idl::Code::OVERLOADED), 3);
}

// The wish is either in the coordinator or not; the master obeys what is there.
TEST_F(MasterMoveTest, ADrainWhoseOutcomeIsUnknownIsReadAnew) {
  Begin(4);
  const std::string name = NoHolder();
  const auto drains = [&] {
    const auto servers = cluster().Call(&idl::MasterServiceCobSvIf::listServers, idl::ListServersRequest());
    return std::ranges::find(servers->servers, name, &idl::ServerSummary::name)->draining;
  };
  cluster().faults().StrikeAt(Fault::kLoseOutcome, 1);
  EXPECT_EQ(Drain(name).header.code, idl::Code::UNKNOWN_OUTCOME);
  ASSERT_TRUE(cluster().faults().struck());
  cluster().faults().Spare();
  EXPECT_TRUE(cluster().RunUntil(drains, 5s));
  cluster().faults().StrikeAt(Fault::kLoseRequest, 1);
  EXPECT_EQ(Drain(name, false).header.code, idl::Code::UNKNOWN_OUTCOME);
  cluster().faults().Spare();
  cluster().scheduler().RunFor(5s);
  EXPECT_TRUE(drains()) << "nothing came of it";
}

// The server writes its node just then, as it does with every checkpoint: the operator sees nothing of that.
TEST_F(MasterMoveTest, AServerThatWritesItsNodeMeanwhileIsNotInTheWay) {
  Begin(4);
  const std::string name = NoHolder();
  const std::string path = coordination::layout::ServerPath(name);
  for (int i = 0; i < 60; ++i) {
    cluster().scheduler().RunFor(100ms);
    TestMaster& leader = cluster().master(cluster().Leader().value());
    idl::SetServerRequest request;
    request.name = name;
    request.__set_maintenance(i % 2 == 0);
    std::optional<idl::MasterReplyHeader> answer;
    leader.executor->Post([service = leader.master->service(), request, &answer] {
      service->setServer([&answer](const idl::SetServerReply& reply) { answer = reply.header; }, request);
    });
    cluster().scheduler().RunFor(100us * (i % 30));
    const auto node = cluster().coordination().tree().Get(path);
    ASSERT_TRUE(node);
    ServerOf(name).coordinator().Multi({coordination::Op::Set(path, node->data, node->version)}, [](auto) {});
    ASSERT_TRUE(cluster().RunUntil([&] { return answer.has_value(); }, 10s));
    EXPECT_EQ(answer->code, idl::Code::OK) << answer->message;
  }
}

// A waiting caller gets a final answer, because a client that asked once more would undo the cancelling.
TEST_F(MasterMoveTest, WhoWaitsForAMoveThatIsCancelledIsToldForGood) {
  Begin(4);
  const idl::TabletInfo before = Tablet();
  ServerOf(NoHolder()).mute = true;
  idl::MoveTabletRequest request;
  request.table = "carts";
  request.fromServer = before.voters[0];
  request.toServer = NoHolder();
  request.deadlineMs = 30'000;
  auto answer = std::make_shared<std::optional<idl::MoveTabletReply>>();
  auto& leader = cluster().master(*cluster().Leader());
  leader.executor->Post([service = leader.master->service(), request, answer] {
    service->moveTablet([answer](const idl::MoveTabletReply& reply) { *answer = reply; }, request);
  });
  ASSERT_TRUE(cluster().RunUntil([&] { return !Tablet().learners.empty(); }, 10s));
  request.cancel = true;
  ASSERT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::moveTablet, request)->header.code, idl::Code::OK);
  ASSERT_TRUE(cluster().RunUntil([&] { return answer->has_value(); }, 5s));
  EXPECT_EQ((*answer)->header.code, idl::Code::CONDITION_FAILED) << (*answer)->header.message;
}

TEST_F(MasterMoveTest, ADrainThatIsEndedKeepsWhatItHas) {
  Begin(4, 3, {"d", "h", "p"});
  const std::string emptied = Tablet().primary;
  const size_t had = ReplicasOn(emptied);
  // so that moves take their time
  for (auto& server : cluster().servers()) server->mute = server->name() == NoHolder();
  ASSERT_EQ(Drain(emptied).header.code, idl::Code::OK);
  ASSERT_TRUE(cluster().RunUntil([&] { return Moves(Tablet().tabletId); }, 10s));
  ASSERT_EQ(Drain(emptied, false).header.code, idl::Code::OK);
  for (auto& server : cluster().servers()) server->mute = false;
  cluster().scheduler().RunFor(30s);
  EXPECT_EQ(ReplicasOn(emptied), had);
  ExpectWhole();
}

TEST_F(MasterMoveTest, ARemovalWhoseOutcomeIsUnknownIsReadAnew) {
  Begin(4);
  const std::string name = NoHolder();
  ASSERT_EQ(Drain(name).header.code, idl::Code::OK);
  ASSERT_TRUE(cluster().RunUntil([&] { return ReplicasOn(name) == 0; }, 120s));
  ServerOf(name).Stop();
  cluster().scheduler().RunFor(20s);
  const auto remove = [&] {
    idl::RemoveServerRequest request;
    request.name = name;
    return cluster().Call(&idl::MasterServiceCobSvIf::removeServer, request)->header.code;
  };
  cluster().faults().StrikeAt(Fault::kLoseOutcome, 1);
  EXPECT_EQ(remove(), idl::Code::UNKNOWN_OUTCOME);
  cluster().faults().Spare();
  cluster().scheduler().RunFor(5s);
  EXPECT_EQ(remove(), idl::Code::NOT_FOUND);
}

}  // namespace
}  // namespace ebla::master::testing
