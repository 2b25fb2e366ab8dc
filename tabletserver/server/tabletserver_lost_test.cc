// A tablet server whose start finds that the log lacks a part (PROTOCOL 5, 6): its replicas do not vote until they are
// made anew or an operator accepts the loss, and a tablet that it does not know may be one that it has forgotten.
#include <gtest/gtest.h>

#include "common/coordination/layout.h"
#include "common/coordination/node_codec.h"
#include "idl/master_types.h"
#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

class TabletServerLostTest : public TabletServerTest {
 protected:
  // Ids below this were drawn before the start that finds the loss.
  static constexpr int64_t kNextId = 500;

  void SetUp() override {
    TabletServerTest::SetUp();
    bool made = false;
    idl::NextIdNode next_id;
    next_id.nextId = kNextId;
    admin_->Multi({coordination::Op::Create(coordination::layout::kNextId, coordination::EncodeNode(next_id))},
                  [&](auto result) { made = result.has_value(); });
    ASSERT_TRUE(Until([&] { return made; }));
    master_->next_id = kNextId;
    ASSERT_EQ(Put("k", "v").header.code, idl::Code::OK);
  }
  void Restart(bool lost) {
    CrashServer(SimulatedDisk::CrashKind::kMachine);
    lost_ = lost;
    StartServer();
  }
  idl::FenceResult FenceOf(int64_t tablet, int64_t epoch) { return Fence(tablet, epoch).results.at(0); }
  // In the next heartbeat.
  idl::TabletLoad Load() {
    const int64_t before = master_->heartbeats;
    EXPECT_TRUE(Until([&] { return master_->heartbeats > before; }));
    return master_->last.tablets.at(0);
  }
};

TEST_F(TabletServerLostTest, ALostReplicaSaysSoToFencesAndHeartbeatsThroughRestarts) {
  for (const bool finds_loss : {true, false}) {
    Restart(finds_loss);
    const auto fenced = FenceOf(100, finds_loss ? 2 : 3);
    EXPECT_EQ(fenced.status.code, idl::Code::OK);
    EXPECT_TRUE(fenced.known && fenced.lost && fenced.forgetful) << "a master of before knows no `lost`";
    const idl::TabletLoad load = Load();
    EXPECT_TRUE(load.lost && load.forgetful && load.damaged) << "so that it is made anew";
  }
}

TEST_F(TabletServerLostTest, ItLeadsOnlyOnceTheLossIsAccepted) {
  Restart(true);
  ASSERT_EQ(FenceOf(100, 2).status.code, idl::Code::OK);
  idl::ConfigureTablet order = NewTablet(100, "", "", 2);
  order.born = false;
  EXPECT_EQ(Configure({order}).results.at(0).status.code, idl::Code::CONDITION_FAILED);
  order.lossAccepted = true;
  EXPECT_EQ(Configure({order}).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return Get("k").header.code == idl::Code::OK; }));
  EXPECT_EQ(Get("k").record.value, "v");
  Restart(false);
  EXPECT_FALSE(FenceOf(100, 3).lost) << "and for good";
}

// A copy to it may be half done, because the mark of that may be lost, too.
TEST_F(TabletServerLostTest, ItServesNoReadsBeforeThat) {
  Restart(true);
  for (const auto level : {idl::ReadLevel::EVENTUAL, idl::ReadLevel::SESSION, idl::ReadLevel::BOUNDED})
    EXPECT_EQ(Get("k", level).header.code, idl::Code::NOT_PRIMARY) << level;
  Restart(false);
  EXPECT_EQ(Get("k", idl::ReadLevel::EVENTUAL).header.code, idl::Code::NOT_PRIMARY) << "it is still lost";
}

TEST_F(TabletServerLostTest, DroppedAndMadeAgainItIsLikeAnyOther) {
  Restart(true);
  ASSERT_EQ(Drop(100, 2).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  idl::ConfigureTablet order = NewTablet(100, "", "", 3);
  order.born = false;
  order.primary = "ts-2";
  order.voters = {"ts-2"};
  order.learners = {"ts-1"};
  for (const int64_t epoch : {3, 4}) {
    order.epoch = epoch;
    EXPECT_EQ(Configure({order}).results.at(0).status.code, idl::Code::OK);
    EXPECT_FALSE(Load().lost);
    EXPECT_TRUE(Load().incomplete);
    order.voters = {"ts-2", "ts-1"};
    order.learners.clear();
  }
  Restart(false);
  EXPECT_FALSE(FenceOf(100, 5).lost);
}

TEST_F(TabletServerLostTest, AnUnknownTabletMayBeAForgottenOne) {
  Restart(true);
  for (const bool restarted : {false, true}) {
    if (restarted) Restart(false);
    const auto old = FenceOf(200, restarted ? 3 : 2);
    EXPECT_TRUE(!old.known && old.lost && old.forgetful);
    const auto young = FenceOf(kNextId, restarted ? 3 : 2);
    EXPECT_TRUE(!young.known && !young.lost && !young.forgetful) << "no such tablet was here when the log was lost";
  }
}

// The tablet was created empty, as the order has it, before this server held and lost it.
TEST_F(TabletServerLostTest, AForgottenVoterDoesNotBeginEmpty) {
  Restart(true);
  ASSERT_EQ(Drop(100, 2).results.at(0).status.code, idl::Code::OK);  // its range is free
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  idl::ConfigureTablet order = NewTablet(200);
  EXPECT_EQ(Configure({order}).results.at(0).status.code, idl::Code::CONDITION_FAILED) << "it is no primary";
  order.primary = "ts-2";
  order.voters = {"ts-2", "ts-1"};
  EXPECT_EQ(Configure({order}).results.at(0).status.code, idl::Code::OK);
  const idl::TabletLoad load = Load();
  EXPECT_TRUE(load.lost && load.incomplete && load.damaged);
  ASSERT_EQ(Drop(200, 2).results.at(0).status.code, idl::Code::OK);
  ASSERT_TRUE(Until([&] { return server_->directory().snapshot()->All().empty(); }));
  MakeTablet(kNextId);
  EXPECT_EQ(Put("k", "v").header.code, idl::Code::OK);
}

// The coordinator tells a server as it registers from which id on tablets are new, and the master confirms it.
TEST_F(TabletServerLostTest, UntilItIsKnownWhichIdsAreNewAllMayBeForgotten) {
  CrashServer(SimulatedDisk::CrashKind::kMachine);
  lost_ = true;
  const int64_t before = master_->heartbeats;
  master_->next_id = 0;
  BeginServer();
  EXPECT_EQ(store_->lost_replicas().forgot_below(), TabletId{UINT64_MAX});
  const auto below = [&] { return store_->lost_replicas().forgot_below(); };
  ASSERT_TRUE(Until([&] { return master_->heartbeats > before; }));
  scheduler_.RunFor(2s);
  EXPECT_EQ(below(), TabletId{UINT64_MAX}) << "the master says that the coordinator's state may be an older one";
  master_->next_id.reset();
  scheduler_.RunFor(2s);
  EXPECT_EQ(below(), TabletId{UINT64_MAX}) << "a master that does not tell is not sure";
  master_->next_id = kNextId + 5;
  ASSERT_TRUE(Until([&] { return below() == TabletId{kNextId + 5}; })) << "the greater one of both";
  scheduler_.RunFor(2s);
  Restart(false);
  EXPECT_EQ(below(), TabletId{kNextId + 5});
}

// Its parent was split off before the checkpoint, which has it no more: it was dropped, and the log has lost that.
TEST_F(TabletServerLostTest, AChildThatNoLogBringsBackIsUnknown) {
  ReplicaState child;
  child.table = TableId{kTable};
  child.promised = Epoch{1};
  child.lineage_parent = TabletId{100};
  child.lineage_lsn = Lsn{1};
  child.incomplete_range = {"m", ""};
  child.schema = server_->directory().snapshot()->All().at(0)->view()->schema->encoded;
  ASSERT_TRUE(store_->PutReplicaState(TabletId{164}, child).ok());
  bool taken = false;
  store_->Checkpoint(*executor_, [&](const auto& result) { taken = result.has_value(); });
  ASSERT_TRUE(Until([&] { return taken; }));
  Restart(true);
  const auto fenced = FenceOf(164, 2);
  EXPECT_TRUE(!fenced.known && fenced.lost);
  EXPECT_TRUE(FenceOf(100, 2).known);
}

}  // namespace
}  // namespace ebla::tabletserver
