// Replicas whose disks lost a part of their logs are counted neither for a fence nor for a log. They are made anew as
// soon as the tablet can do without them. A tablet that needs one of them waits for an operator.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/testing/one_tablet_fixture.h"

namespace ebla::master::testing {
namespace {

using ::testing::HasSubstr;

class MasterLostTest : public OneTabletFixture {
 protected:
  // The server restarts, and its start finds the loss.
  void Lose(const std::string& server) {
    ServerOf(server).Stop();
    ServerOf(server).mutable_replicas().at(first_.tabletId).lost = true;
    ServerOf(server).Start();
  }
  bool Lost(const std::string& server) {
    const auto& replicas = ServerOf(server).replicas();
    return replicas.contains(first_.tabletId) && replicas.at(first_.tabletId).lost;
  }
  bool MadeAnew() {
    return cluster().RunUntil(
        [&] {
          const idl::TabletInfo now = Tablet();
          return now.voters.size() == first_.voters.size() && now.learners.empty() &&
                 std::ranges::none_of(now.voters, [&](const std::string& voter) { return Lost(voter); });
        },
        120s);
  }
  // No server leads it, and it has the same voters, for a minute.
  void ExpectWaits() {
    cluster().scheduler().RunFor(60s);
    EXPECT_EQ(Tablet().voters, first_.voters);
    for (const std::string& voter : first_.voters) EXPECT_FALSE(ServerOf(voter).Leads(first_.tabletId, Tablet().epoch));
  }
  idl::RecoverTabletReply Recover(const std::string& server, bool accept) {
    idl::RecoverTabletRequest request;
    request.tabletId = first_.tabletId;
    request.server = server;
    request.acceptDataLoss = accept;
    request.deadlineMs = 8'000;
    return cluster().Call(&idl::MasterServiceCobSvIf::recoverTablet, request).value();
  }
};

TEST_F(MasterLostTest, OfTwoOrThreeALostFollowerIsMadeAnew) {
  for (const int replicas : {2, 3}) {
    Begin(4, replicas);
    Lose(followers_[0]);
    EXPECT_TRUE(MadeAnew());
    WaitServing();
    EXPECT_EQ(Tablet().primary, first_.primary);
  }
}

// A third one is wanted, and no server is there for it. A damaged one would stay: a lost one counts for nothing.
TEST_F(MasterLostTest, TheLastWholeOneNeedNotWaitForAThirdServer) {
  ASSERT_NO_FATAL_FAILURE(RigFixture::Begin({.servers = 2, .replicas_default = 3}));
  ASSERT_EQ(cluster().Create("carts").header.code, idl::Code::OK);
  WaitServing();
  Look();
  ASSERT_EQ(first_.voters.size(), 2u);
  Lose(followers_[0]);
  EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().voters == std::vector{first_.primary}; }, 30s));
  EXPECT_TRUE(MadeAnew());
}

TEST_F(MasterLostTest, ALostPrimaryIsMadeAnewOnceAnotherLeads) {
  Begin(4, 3);
  Lose(first_.primary);
  EXPECT_TRUE(MadeAnew());
  WaitServing();
  EXPECT_NE(Tablet().primary, first_.primary);
}

// Its removal would leave a primary that cannot commit without the server that is away.
TEST_F(MasterLostTest, WithAnotherVoterAwayTheTabletWaitsForThatOne) {
  Begin(3, 3);
  for (const std::string& follower : followers_) ServerOf(follower).Stop();
  cluster().scheduler().RunFor(3s);
  Lose(first_.primary);
  ServerOf(followers_[0]).Start();
  ExpectWaits();
  ServerOf(followers_[1]).Start();
  EXPECT_TRUE(MadeAnew());
  WaitServing();
}

TEST_F(MasterLostTest, AloneItWaitsForAnOperator) {
  for (const bool named : {false, true}) {
    Begin(2, 1);
    Lose(first_.primary);
    ExpectWaits();
    const std::string server = named ? first_.primary : "";
    const auto shown = Recover(server, false);
    EXPECT_EQ(shown.refusal, "");
    EXPECT_EQ(shown.chosen, first_.primary);
    ASSERT_EQ(shown.replicas.size(), 1u);
    EXPECT_TRUE(shown.replicas[0].lost && shown.replicas[0].forgetful);
    EXPECT_THAT(shown.loss, HasSubstr("the disk of " + first_.primary + " lost a part of its log"));
    EXPECT_TRUE(Lost(first_.primary)) << "nothing is changed so far";
    const auto reply = Recover(server, true);
    EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
    WaitServing();
    EXPECT_FALSE(Lost(first_.primary));
  }
}

// Two disks at once: the whole third one cannot tell what they had acknowledged.
TEST_F(MasterLostTest, TwoOfThreeWaitForAnOperatorAndTheLongestLogLeads) {
  Begin(3, 3);
  Lose(first_.primary);
  Lose(followers_[0]);
  ExpectWaits();
  const auto reply = Recover("", true);
  EXPECT_EQ(reply.header.code, idl::Code::OK) << reply.header.message;
  EXPECT_TRUE(MadeAnew());
  WaitServing();
}

// Only the loss of what follows the shown end was accepted.
TEST_F(MasterLostTest, ALogThatGetsShorterThanItWasShownIsNotTaken) {
  Begin(2, 1);
  Lose(first_.primary);
  ExpectWaits();
  ServerOf(first_.primary).deaf = true;
  int reports = 0;
  ServerOf(first_.primary).measure = [&](idl::TabletLoad& load, const FakeServer::Replica&) {
    if (++reports > 2) --load.lastLsn;
  };
  const auto reply = Recover("", true);
  EXPECT_EQ(reply.header.code, idl::Code::CONDITION_FAILED);
  EXPECT_THAT(reply.header.message, HasSubstr("was accepted: look again"));
  ServerOf(first_.primary).measure = nullptr;
  ServerOf(first_.primary).deaf = false;
  EXPECT_EQ(Recover("", true).header.code, idl::Code::OK);
  WaitServing();
}

TEST_F(MasterLostTest, WhereTwoAreSureNobodyIsAsked) {
  Begin(3, 3);
  Lose(followers_[0]);
  cluster().scheduler().RunFor(1s);
  EXPECT_EQ(Recover("", true).header.code, idl::Code::CONDITION_FAILED);
  EXPECT_TRUE(MadeAnew());
}

}  // namespace
}  // namespace ebla::master::testing
