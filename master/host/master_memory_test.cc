// Tables in memory, whose records a server's restart loses. The remaining log is found, wherever it is, before a tablet
// starts empty.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "master/testing/rig_fixture.h"

namespace ebla::master::testing {
namespace {

class MasterMemoryTest : public RigFixture {
 protected:
  void Begin(int replicas, size_t servers = 3) {
    ASSERT_NO_FATAL_FAILURE(RigFixture::Begin({.servers = servers}));
    const auto reply = cluster_->Create("carts", {}, InMemory(replicas));
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    cluster_->scheduler().RunFor(3s);
  }
  void Resize(int replicas) {
    const auto reply = cluster_->Alter("carts", InMemory(replicas));
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  }
  static idl::TableOptions InMemory(int replicas) {
    idl::TableOptions options = WithReplicas(replicas);
    options.__set_memory(true);
    return options;
  }

  idl::TabletInfo First() { return cluster_->Tablets().begin()->second; }
  // A follower that receives nothing from its primary any more.
  FakeServer& CutOffAFollower() {
    for (size_t i = 0; i < cluster_->servers().size(); ++i) {
      FakeServer& server = cluster_->server(i);
      if (server.name() == First().primary) continue;
      for (size_t j = 0; j < cluster_->servers().size(); ++j) {
        if (i != j) cluster_->Cut(i, j);
      }
      return server;
    }
    ADD_FAILURE() << "all are primaries";
    return cluster_->server(0);
  }
  void RestartAllBut(const FakeServer* spared) {
    for (auto& server : cluster_->servers()) {
      if (server.get() != spared) server->Stop();
    }
    for (auto& server : cluster_->servers()) {
      if (server.get() != spared) server->Start();
    }
  }
  std::string Ranges() {
    std::string text;
    for (const auto& [id, info] : cluster_->Tablets())
      text += "[" + info.range.startKey + "," + info.range.endKey + ") ";
    return text;
  }
  int TimesEmptied() {
    int times = 0;
    for (const auto& [id, info] : cluster_->Tablets()) times += Node(id)->timesEmptied;
    return times;
  }
};

// The two replicas that had applied the split have lost it. The third has what both halves held before.
TEST_F(MasterMemoryTest, TheOneThatIsLeftHasNotHeardOfASplit) {
  Begin(3);
  FakeServer& left = CutOffAFollower();
  const auto split = cluster_->Split("carts", "m");
  ASSERT_EQ(split.header.code, idl::Code::OK) << split.header.message;
  ASSERT_EQ(Ranges(), "[,m) [m,) ");
  const int64_t parent = First().tabletId, child = split.child.tabletId;
  ASSERT_FALSE(left.replicas().contains(child));
  const int64_t had = left.replicas().at(parent).last.lsn;
  RestartAllBut(&left);
  cluster_->Mend();
  WaitServing();
  EXPECT_EQ(TimesEmptied(), 0);
  EXPECT_EQ(Ranges(), "[,m) [m,) ");
  for (const int64_t tablet : {parent, child}) {
    EXPECT_EQ(cluster_->Tablets().at(tablet).primary, left.name());
    EXPECT_GT(left.replicas().at(tablet).last.lsn, had) << "what was before the split is there";
  }
  EXPECT_EQ(left.replicas().at(parent).range.endKey, "m");
  cluster_->scheduler().RunFor(20s);
  for (const auto& server : cluster_->servers()) {
    for (const int64_t tablet : {parent, child}) EXPECT_FALSE(server->replicas().at(tablet).incomplete) << tablet;
  }
}

// Replicas that have applied it keep the places of both.
TEST_F(MasterMemoryTest, AllForgetASplitThatTheCatalogHasBegun) {
  Begin(3);
  for (auto& server : cluster_->servers()) {
    server->lose_split_answers = true;
    server->silent = true;  // no report tells that it is applied
  }
  cluster_->Split("carts", "m", 1'000);
  const int64_t parent = First().tabletId;
  ASSERT_TRUE(
      cluster_->RunUntil([&] { return ServerOf(First().primary).replicas().at(parent).range.endKey == "m"; }, 5s));
  ASSERT_EQ(Ranges(), "[,) ");
  for (auto& server : cluster_->servers()) server->lose_split_answers = server->silent = false;
  RestartAllBut(nullptr);
  WaitServing();
  EXPECT_EQ(Ranges(), "[,m) [m,) ") << "the split is completed as the tablet begins anew";
  EXPECT_EQ(TimesEmptied(), 2);
}

TEST_F(MasterMemoryTest, ALearnerThatHasAllIsGivenTheTablet) {
  Begin(1);
  const idl::TabletInfo before = First();
  std::string to;
  for (const auto& server : cluster_->servers()) {
    if (server->name() != before.primary) to = server->name();
  }
  idl::MoveTabletRequest request;
  request.table = "carts";
  request.fromServer = before.primary;
  request.toServer = to;
  request.deadlineMs = 1'000;
  cluster_->Call(&idl::MasterServiceCobSvIf::moveTablet, request);
  const auto copied = [&] {
    const auto found = ServerOf(to).replicas().find(before.tabletId);
    return found != ServerOf(to).replicas().end() && !found->second.incomplete;
  };
  ASSERT_TRUE(cluster_->RunUntil(copied, 20s));
  ASSERT_EQ(First().voters, before.voters) << "it is a learner yet";
  ServerOf(before.primary).Stop();
  ServerOf(before.primary).Start();
  WaitServing();
  EXPECT_EQ(First().primary, to);
  EXPECT_EQ(TimesEmptied(), 0);
}

// A follower lags, and another is away. This one is removed, and then the primary restarts: now the removed one alone
// has all.
class MasterMemoryRemovedTest : public MasterMemoryTest {
 protected:
  void Remove() {
    Begin(3);
    before_ = First();
    std::vector<std::string> others = before_.voters;
    std::erase(others, before_.primary);
    removed_ = &ServerOf(others[0]);
    lagging_ = others[1];
    removed_->coordinator().HoldOff(true);
    removed_->deaf = true;
    cluster_->scheduler().RunFor(15s);
    cluster_->Cut(before_.primary, lagging_);
    cluster_->scheduler().RunFor(300ms);
    ASSERT_NO_FATAL_FAILURE(Resize(2));
    ASSERT_TRUE(cluster_->RunUntil([&] { return First().voters.size() == 2; }, 60s));
    ASSERT_EQ(First().primary, before_.primary);
    ASSERT_EQ(First().learners, std::vector<std::string>{removed_->name()});
    ServerOf(before_.primary).Stop();
    ServerOf(before_.primary).Start();
    cluster_->Mend();
  }

  idl::TabletInfo before_;
  FakeServer* removed_ = nullptr;
  std::string lagging_;
};

TEST_F(MasterMemoryRemovedTest, TheRemovedOneIsWaitedFor) {
  ASSERT_NO_FATAL_FAILURE(Remove());
  cluster_->scheduler().RunFor(10s);
  EXPECT_FALSE(ServerOf(lagging_).Leads(before_.tabletId, First().epoch));
  removed_->deaf = false;
  removed_->coordinator().HoldOff(false);
  WaitServing();
  EXPECT_EQ(First().primary, removed_->name());
  EXPECT_EQ(TimesEmptied(), 0);
}

TEST_F(MasterMemoryRemovedTest, ButNotForEver) {
  ASSERT_NO_FATAL_FAILURE(Remove());
  EXPECT_TRUE(cluster_->RunUntil([&] { return ServerOf(lagging_).Leads(before_.tabletId, First().epoch); }, 60s));
  EXPECT_EQ(TimesEmptied(), 0);
}

// A fence binds a learner that has dropped an earlier replica and has not made the new one yet.
TEST_F(MasterMemoryTest, ALearnerThatWasFencedBeforeItWasMadeIsMadeInALaterEpoch) {
  Begin(3);
  const int64_t id = First().tabletId;
  const std::vector<std::string> all = First().voters;
  ASSERT_NO_FATAL_FAILURE(Resize(2));
  ASSERT_TRUE(cluster_->RunUntil([&] { return First().voters.size() == 2 && First().learners.empty(); }, 60s));
  const std::vector<std::string> left = First().voters;
  const auto dropped =
      std::ranges::find_if(all, [&](const std::string& name) { return std::ranges::find(left, name) == left.end(); });
  ASSERT_NE(dropped, all.end());
  FakeServer& learner = ServerOf(*dropped);
  ASSERT_TRUE(cluster_->RunUntil([&] { return !learner.replicas().contains(id); }, 60s));
  learner.refuse_configure[id] = idl::Code::UNAVAILABLE;
  ASSERT_NO_FATAL_FAILURE(Resize(3));
  ASSERT_TRUE(cluster_->RunUntil([&] { return !First().learners.empty(); }, 60s));
  const int64_t epoch = First().epoch;
  FakeServer& primary = ServerOf(First().primary);
  primary.Stop();
  primary.Start();
  ASSERT_TRUE(cluster_->RunUntil([&] { return learner.fenced[id] > epoch; }, 60s));
  learner.refuse_configure.clear();
  EXPECT_TRUE(cluster_->RunUntil([&] { return First().voters.size() == 3; }, 60s));
  WaitServing();
  EXPECT_EQ(TimesEmptied(), 0);
}

}  // namespace
}  // namespace ebla::master::testing
