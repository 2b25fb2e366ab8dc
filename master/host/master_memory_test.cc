// Tables in memory, of which a server's restart takes all that it had: what is left is found, wherever it is, before a
// tablet begins anew.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "master/testing/master_rig.h"

namespace ebla::master::testing {
namespace {

using ::testing::IsEmpty;

class MasterMemoryTest : public ::testing::Test {
 protected:
  void Begin(int replicas, size_t servers = 3) {
    cluster_ = std::make_unique<MasterRig>(MasterRig::Shape{.servers = servers});
    ASSERT_TRUE(cluster_->WaitForLeader() && cluster_->WaitForServers());
    cluster_->scheduler().RunFor(2s);
    idl::TableOptions options;
    options.__set_replicas(replicas);
    options.__set_memory(true);
    const auto reply = cluster_->Create("carts", {}, options);
    ASSERT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    cluster_->scheduler().RunFor(3s);
  }
  void TearDown() override { EXPECT_THAT(cluster_->ledger().violations(), IsEmpty()); }

  idl::TabletInfo First() { return cluster_->Tablets().begin()->second; }
  FakeServer& Named(const std::string& name) {
    return **std::ranges::find_if(cluster_->servers(), [&](const auto& server) { return server->name() == name; });
  }
  // A follower hears of its primary no more.
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
    for (const auto& [id, info] : cluster_->Tablets()) {
      const auto path = coordination::layout::TabletPath(TabletId{static_cast<uint64_t>(id)});
      times += coordination::DecodeNode<idl::TabletNode>(cluster_->coordination().tree().Get(path)->data)->timesEmptied;
    }
    return times;
  }
  void WaitServing() {
    EXPECT_TRUE(cluster_->RunUntil([&] { return cluster_->WhyNotServing("carts").empty(); }, 120s))
        << cluster_->WhyNotServing("carts");
  }

  std::unique_ptr<MasterRig> cluster_;
};

// The two who had applied the split have forgotten it. The third has what both halves held before.
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

// Whoever has applied it keeps the places of both.
TEST_F(MasterMemoryTest, AllForgetASplitThatTheCatalogHasBegun) {
  Begin(3);
  for (auto& server : cluster_->servers()) {
    server->lose_split_answers = true;
    server->silent = true;  // no report tells that it is applied
  }
  cluster_->Split("carts", "m", 1'000);
  const int64_t parent = First().tabletId;
  ASSERT_TRUE(cluster_->RunUntil([&] { return Named(First().primary).replicas().at(parent).range.endKey == "m"; }, 5s));
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
    const auto found = Named(to).replicas().find(before.tabletId);
    return found != Named(to).replicas().end() && !found->second.incomplete;
  };
  ASSERT_TRUE(cluster_->RunUntil(copied, 20s));
  ASSERT_EQ(First().voters, before.voters) << "it is a learner yet";
  Named(before.primary).Stop();
  Named(before.primary).Start();
  WaitServing();
  EXPECT_EQ(First().primary, to);
  EXPECT_EQ(TimesEmptied(), 0);
}

}  // namespace
}  // namespace ebla::master::testing
