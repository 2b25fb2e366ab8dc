// Servers remember how far the logs of others were on their disks. A replica that answers a fence with less counts
// neither for the fence nor for a log, though it knows of no loss itself.
#include <gtest/gtest.h>

#include "master/testing/one_tablet_fixture.h"

namespace ebla::master::testing {
namespace {

class MasterVouchedTest : public OneTabletFixture {
 protected:
  void Begin() { OneTabletFixture::Begin(3, 3); }
  // `server` remembers more of the first follower than that has, or will have soon.
  void Vouch(const std::string& server, int64_t epoch) {
    idl::LogPosition position;
    position.epoch = epoch;
    position.lsn = ServerOf(followers_[0]).replicas().at(first_.tabletId).last.lsn + 1'000;
    ServerOf(server).vouched[followers_[0]] = position;
  }
  bool FailsOver() {
    return cluster().RunUntil([&] { return Tablet().epoch > first_.epoch && Tablet().primary != first_.primary; }, 60s);
  }
};

TEST_F(MasterVouchedTest, AnAnswerShorterThanAPeerRemembersIsNotCounted) {
  Begin();
  Vouch(followers_[1], first_.epoch);
  ServerOf(first_.primary).Stop();
  EXPECT_FALSE(FailsOver()) << "one of three is sure";
  ServerOf(first_.primary).Start();
  WaitServing();
  EXPECT_GT(Tablet().epoch, first_.epoch);
}

TEST_F(MasterVouchedTest, TheLastReportOfAPrimaryThatIsGoneCountsToo) {
  Begin();
  Vouch(first_.primary, first_.epoch);
  cluster().scheduler().RunFor(3s);
  ServerOf(first_.primary).Stop();
  EXPECT_FALSE(FailsOver());
}

// The replica is told what it had, and notes that. The report which showed it is gone with the first master.
TEST_F(MasterVouchedTest, ALaterMasterDoesNotCountItEither) {
  Begin();
  Vouch(first_.primary, first_.epoch);
  cluster().scheduler().RunFor(3s);
  ServerOf(first_.primary).Stop();
  EXPECT_FALSE(FailsOver());
  EXPECT_TRUE(ServerOf(followers_[0]).replicas().at(first_.tabletId).lost);
  EXPECT_FALSE(ServerOf(followers_[1]).replicas().at(first_.tabletId).lost) << "it has all that it had";
  const size_t master = cluster().Leader().value();
  cluster().KillMaster(master);
  cluster().StartMaster(master);
  ASSERT_TRUE(cluster().WaitForLeader());
  EXPECT_FALSE(FailsOver());
}

// In a later epoch than that, a primary may have removed the end of the log.
TEST_F(MasterVouchedTest, OnlyTheCatalogsEpochCounts) {
  Begin();
  Vouch(followers_[1], first_.epoch - 1);
  Vouch(first_.primary, first_.epoch);
  ServerOf(first_.primary).Stop();  // before it reports that
  EXPECT_TRUE(FailsOver());
}

}  // namespace
}  // namespace ebla::master::testing
