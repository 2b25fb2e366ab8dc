// Guards of a transfer: reports that are old, and targets that stay behind.
#include <gtest/gtest.h>

#include <vector>

#include "master/testing/replicas_fixture.h"

namespace ebla::master::testing {
namespace {

class MasterTransferGuardsTest : public MasterReplicasTest {
 protected:
  void BeginSettled() {
    Begin({});
    MakeTable(3);
    cluster().scheduler().RunFor(3s);
    before_ = Tablet();
  }
  // The catalog names a target that its primary does not reach.
  void BeginTransferThatCannotEnd() {
    BeginSettled();
    cluster().Cut(before_.primary, before_.voters.at(1));
    ASSERT_EQ(Transfer("", before_.voters.at(1), 300).header.code, idl::Code::UNAVAILABLE);
    ASSERT_EQ(Tablet().epoch, before_.epoch + 1);
  }
  FakeServer& previous() { return ServerOf(before_.primary); }
  FakeServer& target() { return ServerOf(before_.voters.at(1)); }
  bool LedByPrevious(int64_t epoch) { return previous().Leads(before_.tabletId, epoch); }

  // The primary hangs: neither a master nor a follower gets an answer, and its session lives.
  static void Hang(FakeServer& server) { server.deaf = server.mute = server.silent = true; }

  idl::TabletInfo before_;
};

TEST_F(MasterTransferGuardsTest, TheNextMasterNoticesThatATargetIsSilent) {
  BeginSettled();
  ASSERT_EQ(Transfer("", before_.voters.at(1)).header.code, idl::Code::OK);
  WaitServing();
  cluster().scheduler().RunFor(3s);
  cluster().KillMaster(*cluster().Leader());
  ASSERT_TRUE(cluster().WaitForLeader());
  cluster().scheduler().RunFor(3s);
  target().mute = true;
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().primary != before_.voters.at(1) && AllLed(); }, 3s));
}

TEST_F(MasterTransferGuardsTest, TheNextMasterHearsThatAnUntoldTargetsPreviousPrimaryIsSilent) {
  BeginTransferThatCannotEnd();
  cluster().KillMaster(*cluster().Leader());
  Hang(previous());
  ASSERT_TRUE(cluster().WaitForLeader());
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().primary != before_.primary && AllLed(); }, 5s));
}

TEST_F(MasterTransferGuardsTest, APrimaryThatHangsWithTheOrderIsReplacedInTime) {
  BeginSettled();
  Hang(previous());
  Transfer("", before_.voters.at(1), 300);
  EXPECT_LT(TimeToLead(), 2s);
}

TEST_F(MasterTransferGuardsTest, APrimaryThatDiesBetweenTwoPausesIsReplacedInTime) {
  BeginTransferThatCannotEnd();
  const std::vector<int64_t>& pauses_ms = previous().received_patience[before_.tabletId];
  ASSERT_TRUE(cluster().RunUntil([&] { return !pauses_ms.empty() && pauses_ms.back() >= 800; }, 10s));
  cluster().scheduler().RunFor(1s);  // the pause is over
  previous().Stop();
  EXPECT_LT(TimeToLead(), 1500ms);
}

TEST_F(MasterTransferGuardsTest, ATargetThatDoesNotAnswerIsReplaced) {
  BeginSettled();
  target().deaf = true;
  Transfer("", before_.voters.at(1), 300);
  EXPECT_LE(TimeToLead(), 5s);
  EXPECT_NE(Tablet().primary, before_.voters.at(1));
}

// Without the target and the master, the previous primary still has a majority: itself and the third voter.
TEST_F(MasterTransferGuardsTest, NoFollowerIsToldWhileThePreviousPrimaryMayLead) {
  BeginTransferThatCannotEnd();
  previous().silent = true;
  cluster().scheduler().RunFor(MasterOptions().report_fresh + 1s);  // no report allows that the transfer is taken back
  target().Stop();
  cluster().scheduler().RunFor(8s);  // the master knows that the target is gone, and only then
  previous().coordinator().HoldOff(true);
  cluster().scheduler().RunFor(15s);
  EXPECT_EQ(ServerOf(before_.voters.at(2)).replicas().at(before_.tabletId).promised, before_.epoch);
  EXPECT_TRUE(LedByPrevious(before_.epoch));
}

// The report is of a time at which the primary had not released the tablet. It may have since.
TEST_F(MasterTransferGuardsTest, NoTransferIsTakenBackOnAnOldReport) {
  BeginTransferThatCannotEnd();
  previous().silent = true;
  cluster().scheduler().RunFor(MasterOptions().report_fresh + 1s);
  ASSERT_EQ(Tablet().epoch, before_.epoch + 1);
  target().Stop();
  cluster().scheduler().RunFor(20s);
  EXPECT_EQ(Tablet().epoch, before_.epoch + 1);
  EXPECT_TRUE(LedByPrevious(before_.epoch));
  previous().silent = false;
  EXPECT_TRUE(cluster().RunUntil([&] { return LedByPrevious(before_.epoch + 2); }, 10s)) << "by a report that is new";
}

// The primary refuses writes during each order.
TEST_F(MasterTransferGuardsTest, ATargetThatStaysBehindPausesWritesForAFifthOfTheTime) {
  BeginTransferThatCannotEnd();
  const std::vector<int64_t>& pauses_ms = previous().received_patience[before_.tabletId];
  struct Order {
    MonotonicTime at;
    std::chrono::milliseconds pause;
  };
  std::vector<Order> orders;
  const size_t known = pauses_ms.size();
  while (!LedByPrevious(before_.epoch + 2)) {
    ASSERT_LT(orders.size(), 100u);
    cluster().scheduler().RunFor(1ms);
    for (size_t i = known + orders.size(); i < pauses_ms.size(); ++i)
      orders.push_back({cluster().scheduler().Now(), std::chrono::milliseconds(pauses_ms[i])});
  }
  ASSERT_GE(orders.size(), 2u);
  for (size_t i = 1; i < orders.size(); ++i) {
    EXPECT_GE(orders[i].at - orders[i - 1].at + 1ms, 4 * orders[i - 1].pause) << "after order " << i;
  }
}

}  // namespace
}  // namespace ebla::master::testing
