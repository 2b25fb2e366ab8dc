// The master's list of running procedures: their origin, their obstacle, and their cancellation while that is possible.
#include "master/leader/procedure_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAreArray;

class ProcedureListTest : public RigFixture {
 protected:
  void Begin(size_t servers, std::vector<std::string> points = {}) {
    ASSERT_NO_FATAL_FAILURE(RigFixture::Begin({.servers = servers}));
    idl::TableOptions options;
    options.__set_replicas(3);
    ASSERT_EQ(cluster().Create("carts", std::move(points), options).header.code, idl::Code::OK);
    cluster().scheduler().RunFor(3s);
  }

  idl::TabletInfo Tablet() { return cluster().Tablets().begin()->second; }
  std::string Id(const std::string& kind) { return kind + "-" + std::to_string(Tablet().tabletId); }
  std::string NoHolder() {
    for (const auto& server : cluster().servers()) {
      if (std::ranges::count(Tablet().voters, server->name()) == 0) return server->name();
    }
    return "";
  }
  std::vector<idl::ProcedureSummary> List() {
    return cluster().Call(&idl::MasterServiceCobSvIf::listProcedures, idl::ListProceduresRequest())->procedures;
  }
  std::vector<std::string> Ids() {
    std::vector<std::string> ids;
    for (const auto& one : List()) ids.push_back(one.id);
    return ids;
  }
  std::optional<idl::ProcedureSummary> Find(const std::string& id) {
    const auto all = List();
    const auto found = std::ranges::find(all, id, &idl::ProcedureSummary::id);
    return found == all.end() ? std::nullopt : std::optional(*found);
  }
  idl::CancelProcedureReply Cancel(const std::string& id) {
    idl::CancelProcedureRequest request;
    request.id = id;
    return *cluster().Call(&idl::MasterServiceCobSvIf::cancelProcedure, request);
  }
  // Asked for, and not waited for.
  void Move(const std::string& from, const std::string& to) {
    idl::MoveTabletRequest request;
    request.table = "carts";
    request.fromServer = from;
    request.toServer = to;
    request.deadlineMs = 1'000;
    EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::moveTablet, request)->header.code, idl::Code::UNKNOWN_OUTCOME);
  }
  std::shared_ptr<std::optional<idl::SplitTabletReply>> Split(const std::string& key) {
    auto answer = std::make_shared<std::optional<idl::SplitTabletReply>>();
    auto& master = cluster().master(*cluster().Leader());
    master.executor->Post([service = master.master->service(), key, answer] {
      idl::SplitTabletRequest request;
      request.table = "carts";
      request.key = key;
      request.deadlineMs = 60'000;
      service->splitTablet([answer](const idl::SplitTabletReply& reply) { *answer = reply; }, request);
    });
    cluster().scheduler().RunFor(2s);
    return answer;
  }
  void ExpectWhole() {
    WaitServing();
    EXPECT_TRUE(cluster().RunUntil([&] { return Ids().empty(); }, 120s)) << ::testing::PrintToString(Ids());
  }
};

TEST_F(ProcedureListTest, AMoveWhosePeersCannotReachItsServerSaysSoAndIsCancelled) {
  Begin(4);
  const idl::TabletInfo before = Tablet();
  const std::string to = NoHolder();
  ServerOf(to).mute = true;  // lives, but exchanges no messages with its peers
  Move(before.voters[1], to);
  cluster().scheduler().RunFor(20s);
  for (const bool next_master : {false, true}) {
    SCOPED_TRACE(next_master ? "under the next master" : "under this master");
    if (next_master) {
      cluster().KillMaster(*cluster().Leader());
      ASSERT_TRUE(cluster().WaitForLeader() && cluster().WaitForServers());
      cluster().scheduler().RunFor(5s);
    }
    const auto move = Find(Id("move"));
    ASSERT_TRUE(move) << ::testing::PrintToString(Ids());
    EXPECT_TRUE(move->__isset.range && move->range == before.range);
    EXPECT_EQ(move->askedBy, idl::AskedBy::OPERATOR);
    EXPECT_GE(move->ageMs, 20'000) << "since it was asked for, not since this master leads";
    EXPECT_EQ(move->table, "carts");
    EXPECT_EQ(move->fromServer, before.voters[1]);
    EXPECT_EQ(move->server, to);
    EXPECT_EQ(move->step, "2 of 4: copies to " + to);
    EXPECT_THAT(move->waitsFor,
                AllOf(StartsWith(before.primary + ", the tablet's primary, has received nothing from " + to),
                      HasSubstr("can these two servers reach each other?")));
    EXPECT_TRUE(move->cancellable);
  }
  const auto cancelled = Cancel(Id("move"));
  EXPECT_EQ(cancelled.header.code, idl::Code::OK) << cancelled.header.message;
  EXPECT_THAT(cancelled.outcome, HasSubstr("the replica on " + before.voters[1] + " stays"));
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().learners.empty(); }));
  EXPECT_THAT(Tablet().voters, UnorderedElementsAreArray(before.voters));
  EXPECT_EQ(Cancel(Id("move")).header.code, idl::Code::NOT_FOUND);
  ServerOf(to).mute = false;
  ExpectWhole();
}

TEST_F(ProcedureListTest, AMoveWhoseNewReplicaVotesIsNotCancelledAnyMore) {
  Begin(4);
  const idl::TabletInfo before = Tablet();
  const std::string to = NoHolder();
  const std::string from = before.voters[0] == before.primary ? before.voters[1] : before.voters[0];
  std::string away;
  for (const std::string& voter : before.voters) away = voter != from && voter != before.primary ? voter : away;
  ServerOf(away).Stop();  // so the old replica has to stay for now
  cluster().scheduler().RunFor(20s);
  Move(from, to);
  ASSERT_TRUE(cluster().RunUntil([&] { return std::ranges::count(Tablet().voters, to) > 0; }));
  cluster().scheduler().RunFor(10s);
  const auto move = Find(Id("move"));
  ASSERT_TRUE(move) << ::testing::PrintToString(Ids());
  EXPECT_EQ(move->step, "4 of 4: removes the replica on " + from);
  EXPECT_FALSE(move->cancellable);
  const auto refused = Cancel(Id("move"));
  EXPECT_EQ(refused.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(refused.header.message,
              HasSubstr("can be cancelled no more: the replica on " + to + " is copied and votes"));
  idl::MoveTabletRequest by_key;
  by_key.table = "carts";
  by_key.cancel = true;
  EXPECT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::moveTablet, by_key)->header.code, idl::Code::CONDITION_FAILED);
  ServerOf(away).Start();
  ExpectWhole();
  EXPECT_EQ(std::ranges::count(Tablet().voters, from), 0);
}

TEST_F(ProcedureListTest, ADrainIsListedWithItsMovesAndCancelledWithThem) {
  Begin(4, {"g", "p"});
  const std::string spare = NoHolder();
  std::string name = Tablet().primary;
  ServerOf(spare).mute = true;
  idl::SetServerRequest drain;
  drain.name = name;
  drain.__set_draining(true);
  ASSERT_EQ(cluster().Call(&idl::MasterServiceCobSvIf::setServer, drain)->header.code, idl::Code::OK);
  cluster().scheduler().RunFor(10s);
  const auto listed = Find("drain-" + name);
  ASSERT_TRUE(listed) << ::testing::PrintToString(Ids());
  EXPECT_EQ(listed->askedBy, idl::AskedBy::OPERATOR);
  EXPECT_THAT(listed->step, HasSubstr("replicas left: "));
  const auto move = Find(Id("move"));
  ASSERT_TRUE(move) << ::testing::PrintToString(Ids());
  EXPECT_EQ(move->askedBy, idl::AskedBy::DRAIN);
  EXPECT_EQ(move->reason, "server " + name + " drains");
  const auto cancelled = Cancel("drain-" + name);
  EXPECT_EQ(cancelled.header.code, idl::Code::OK) << cancelled.header.message;
  cluster().scheduler().RunFor(10s);
  EXPECT_THAT(Ids(), IsEmpty()) << ::testing::PrintToString(Ids());
  EXPECT_EQ(std::ranges::count(Tablet().voters, name), 1);
  ServerOf(spare).mute = false;
  ExpectWhole();
}

TEST_F(ProcedureListTest, ASplitIsCancelledBeforeItIsOrderedAndNeverAfter) {
  Begin(4);
  const std::string to = NoHolder();
  ServerOf(to).mute = true;
  Move(Tablet().voters[1], to);
  const auto held_up = Split("m");  // not before the move is over
  const auto waiting = Find(Id("split"));
  ASSERT_TRUE(waiting) << ::testing::PrintToString(Ids());
  EXPECT_EQ(waiting->step, "waits to be begun");
  EXPECT_THAT(waiting->waitsFor, HasSubstr("is being moved: it is split after that"));
  EXPECT_TRUE(waiting->cancellable);
  EXPECT_EQ(Cancel(Id("split")).header.code, idl::Code::OK);
  EXPECT_TRUE(cluster().RunUntil([&] { return held_up->has_value(); }));
  EXPECT_THAT((*held_up)->header.message, HasSubstr("cancelled by an operator before it was begun"));
  EXPECT_EQ(Cancel(Id("move")).header.code, idl::Code::OK);
  ServerOf(to).mute = false;
  ExpectWhole();

  for (auto& server : cluster().servers()) server->refuse_split = idl::Code::COME_AGAIN;
  const auto ordered = Split("m");
  const auto listed = Find(Id("split"));
  ASSERT_TRUE(listed) << ::testing::PrintToString(Ids());
  EXPECT_EQ(listed->askedBy, idl::AskedBy::OPERATOR);
  EXPECT_THAT(listed->step, StartsWith("at \"m\": ordered of " + Tablet().primary));
  const auto refused = Cancel(Id("split"));
  EXPECT_EQ(refused.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(refused.header.message, HasSubstr("its primary may have split it already"));
  for (auto& server : cluster().servers()) server->refuse_split.reset();
  EXPECT_TRUE(cluster().RunUntil([&] { return ordered->has_value(); }, 120s));
  ExpectWhole();
}

TEST_F(ProcedureListTest, AMergeIsCancelledUntilItIsDecided) {
  Begin(3, {"m"});
  for (auto& server : cluster().servers()) server->hold_freezes = true;
  const std::string id = Id("merge");
  const idl::TabletInfo before = Tablet();
  AskToMerge();
  std::optional<idl::ProcedureSummary> merge;
  ASSERT_TRUE(cluster().RunUntil(
      [&] {
        merge = Find(id);
        return merge && merge->step.starts_with("2 of 3");
      },
      10s));
  EXPECT_EQ(merge->askedBy, idl::AskedBy::OPERATOR);
  EXPECT_TRUE(merge->cancellable);
  const idl::CancelProcedureReply cancelled = Cancel(id);
  EXPECT_EQ(cancelled.header.code, idl::Code::OK) << cancelled.header.message;
  EXPECT_THAT(cancelled.outcome, HasSubstr("go on"));
  ASSERT_TRUE(cluster().RunUntil([&] { return !Find(id) && cluster().WhyNotServing("carts").empty(); }, 10s));
  EXPECT_EQ(cluster().Tablets().size(), 2u);
  EXPECT_GT(Tablet().epoch, before.epoch);
  EXPECT_EQ(Cancel(id).header.code, idl::Code::NOT_FOUND);
}

TEST_F(ProcedureListTest, ARepairSaysWhatItWaitsFor) {
  Begin(3);
  const std::string lost = Tablet().voters[0] == Tablet().primary ? Tablet().voters[1] : Tablet().voters[0];
  ServerOf(lost).Stop();
  cluster().scheduler().RunFor(330s);
  const auto repair = Find(Id("repair"));
  ASSERT_TRUE(repair) << ::testing::PrintToString(Ids());
  EXPECT_EQ(repair->askedBy, idl::AskedBy::MASTER);
  EXPECT_THAT(repair->reason, HasSubstr("lost for good: " + lost));
  EXPECT_THAT(repair->waitsFor, HasSubstr("no other live server takes a replica"));
  EXPECT_THAT(Cancel(Id("repair")).header.message, HasSubstr("the table wants so many replicas"));
  ServerOf(lost).Start();
  ExpectWhole();
}

TEST_F(ProcedureListTest, ATableThatCannotBeMadeYetIsListed) {
  Begin(3);
  for (auto& server : cluster().servers()) server->deaf = true;
  auto& master = cluster().master(*cluster().Leader());
  master.executor->Post([service = master.master->service()] {
    idl::CreateTableRequest request;
    request.name = "more";
    service->createTable([](const idl::CreateTableReply&) {}, request);
  });
  cluster().scheduler().RunFor(8s);
  const auto create = Find("create-more");
  ASSERT_TRUE(create) << ::testing::PrintToString(Ids());
  EXPECT_EQ(create->allUnits, 1);
  EXPECT_EQ(create->doneUnits, 0);
  EXPECT_THAT(create->waitsFor, HasSubstr("0 of 1 tablets serve"));
  EXPECT_THAT(Cancel("create-more").header.message, HasSubstr("ebla table drop more"));
  for (auto& server : cluster().servers()) server->deaf = false;
  ExpectWhole();
}

TEST_F(ProcedureListTest, ATableIsCompactedWhereItIsHeld) {
  Begin(4);
  idl::CompactTableRequest request;
  request.table = "carts";
  request.limitS = 60;
  const auto call = [&] { return *cluster().Call(&idl::MasterServiceCobSvIf::compactTable, request); };
  EXPECT_THAT(call().servers, ::testing::Each(::testing::Field(&idl::Compaction::ageMs, -1))) << "nothing was begun";
  request.start = true;
  const auto begun = call();
  EXPECT_EQ(begun.servers.size(), 3u);
  for (const idl::Compaction& one : begun.servers) {
    EXPECT_EQ(one.code, idl::Code::OK) << one.message;
    EXPECT_EQ(one.bytesBefore - one.bytesAfter, 1 << 20);
    EXPECT_THAT(Tablet().voters, ::testing::Contains(one.server));
  }
  request.server = NoHolder();
  EXPECT_EQ(call().header.code, idl::Code::NOT_FOUND);
  request.server = Tablet().voters[0];
  ServerOf(request.server).Stop();
  cluster().scheduler().RunFor(20s);
  EXPECT_EQ(call().servers.at(0).code, idl::Code::UNAVAILABLE);
  request.table = "nothing";
  EXPECT_EQ(call().header.code, idl::Code::NO_SUCH_TABLE);
  ServerOf(request.server).Start();
  ExpectWhole();
}

TEST_F(ProcedureListTest, AScrubIsBegunOnOneServerOrOnAllThatLive) {
  Begin(4);
  idl::ScrubServersRequest request;
  const auto call = [&] { return *cluster().Call(&idl::MasterServiceCobSvIf::scrubServers, request); };
  request.server = Tablet().voters[0];
  const auto one = call();
  ASSERT_EQ(one.servers.size(), 1u);
  EXPECT_EQ(one.servers[0].server, request.server);
  EXPECT_EQ(one.servers[0].code, idl::Code::OK) << one.servers[0].message;
  EXPECT_EQ(ServerOf(request.server).scrubs, 1);
  request.server.clear();
  EXPECT_EQ(call().servers.size(), 4u);
  EXPECT_EQ(ServerOf(Tablet().voters[0]).scrubs, 2);
  request.server = "ts-99";
  EXPECT_EQ(call().header.code, idl::Code::NOT_FOUND);
}

TEST_F(ProcedureListTest, AnOperatorHasAServerBelieveItsClock) {
  Begin(4);
  idl::SetServerRequest request;
  const auto call = [&] { return *cluster().Call(&idl::MasterServiceCobSvIf::setServer, request); };
  request.name = Tablet().voters[0];
  FakeServer& server = ServerOf(request.name);
  EXPECT_FALSE(call().clockAccepted);
  EXPECT_EQ(server.clocks_accepted, 0);
  request.acceptClock = true;
  const auto accepted = call();
  EXPECT_EQ(accepted.header.code, idl::Code::OK) << accepted.header.message;
  EXPECT_TRUE(accepted.clockAccepted);
  EXPECT_EQ(server.clocks_accepted, 1);
  EXPECT_GT(server.masters_time_of_day_ms, 1'700'000'000'000) << "each order brings the master's clock";
  request.__set_draining(true);
  EXPECT_EQ(call().header.code, idl::Code::INVALID_ARGUMENT);
  request.__isset.draining = false;
  request.name = "ts-99";
  EXPECT_EQ(call().header.code, idl::Code::NOT_FOUND);
  request.name = server.name();
  server.Stop();
  cluster().scheduler().RunFor(20s);
  EXPECT_EQ(call().header.code, idl::Code::UNAVAILABLE);
  EXPECT_EQ(server.clocks_accepted, 1);
  server.Start();
  ExpectWhole();
}

}  // namespace
}  // namespace ebla::master::testing
