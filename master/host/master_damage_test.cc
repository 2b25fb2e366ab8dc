// Replicas whose files are damaged: they are made anew from the whole ones, one of a tablet at a time, and a tablet is
// led by a whole one where there is one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "master/testing/one_tablet_fixture.h"

namespace ebla::master::testing {
namespace {

class MasterDamageTest : public OneTabletFixture {
 protected:
  void Damage(const std::string& server) { ServerOf(server).mutable_replicas().at(first_.tabletId).damaged = true; }
  bool Damaged(const std::string& server) {
    const auto& replicas = ServerOf(server).replicas();
    return replicas.contains(first_.tabletId) && replicas.at(first_.tabletId).damaged;
  }
  // All are whole and there. Till then never fewer than `least` vote, and `always` holds.
  bool Heal(size_t least, const std::function<void()>& always = [] {}) {
    return cluster().RunUntil(
        [&] {
          const idl::TabletInfo now = Tablet();
          EXPECT_GE(now.voters.size(), least);
          always();
          return now.voters.size() == first_.voters.size() && now.learners.empty() &&
                 std::ranges::none_of(now.voters, [&](const std::string& voter) { return Damaged(voter); });
        },
        120s);
  }
  // The last whole replica becomes primary before any other is removed.
  void ExpectHealedBy(const std::string& whole) {
    EXPECT_TRUE(Heal(2, [&] {
      if (Tablet().primary != whole) {
        EXPECT_EQ(Tablet().voters, first_.voters);
      }
    }));
    EXPECT_EQ(Tablet().primary, whole);
    WaitServing();
  }
  void ExpectNothingDone() {
    cluster().scheduler().RunFor(60s);
    EXPECT_EQ(Tablet(), first_);
  }
};

TEST_F(MasterDamageTest, DamagedFollowersAreMadeAnewOneAtATime) {
  Begin(3, 3);
  for (const std::string& follower : followers_) Damage(follower);
  EXPECT_TRUE(cluster().RunUntil([&] { return Damaged(followers_[0]) != Damaged(followers_[1]); }));
  EXPECT_TRUE(Heal(2));
  WaitServing();
  EXPECT_EQ(Tablet().primary, first_.primary);
}

TEST_F(MasterDamageTest, ADamagedFollowerStaysWhileAnotherIsAway) {
  Begin(3, 3);
  ServerOf(followers_[0]).Stop();
  cluster().scheduler().RunFor(3s);
  Damage(followers_[1]);
  ExpectNothingDone();
}

TEST_F(MasterDamageTest, ADamagedPrimaryTransfersAndIsMadeAnew) {
  for (const int replicas : {2, 3}) {
    Begin(3, replicas);
    Damage(first_.primary);
    EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().primary != first_.primary; }, 5s));
    EXPECT_EQ(Tablet().voters, first_.voters) << "that comes first";
    EXPECT_EQ(Tablet().epoch, first_.epoch + 1);
    EXPECT_TRUE(Heal(static_cast<size_t>(replicas) - 1));
    WaitServing();
  }
}

// With the follower gone, the copy would be made from what is damaged.
TEST_F(MasterDamageTest, OfADamagedPrimaryAndFollowerTheWholeOneLeadsFirst) {
  Begin(3, 3);
  Damage(first_.primary);
  Damage(followers_[0]);
  const std::string whole = followers_[1];
  ExpectHealedBy(whole);
}

TEST_F(MasterDamageTest, TwoDamagedOnesWaitForTheThirdToComeBack) {
  Begin(3, 3);
  const std::string whole = followers_[1];
  ServerOf(whole).Stop();
  cluster().scheduler().RunFor(3s);
  Damage(first_.primary);
  Damage(followers_[0]);
  ExpectNothingDone();
  ServerOf(whole).Start();
  ExpectHealedBy(whole);
}

// Each may have records that the other two have lost.
TEST_F(MasterDamageTest, WhereAllAreDamagedNoneIsGivenUp) {
  for (const int replicas : {1, 2, 3}) {
    Begin(4, replicas);
    for (const std::string& voter : first_.voters) Damage(voter);
    ExpectNothingDone();
  }
}

TEST_F(MasterDamageTest, OfEqualLogsAWholeOneIsChosen) {
  for (const size_t damaged : {0u, 1u}) {
    Begin(3, 3);
    cluster().scheduler().RunFor(5s);
    Damage(followers_[damaged]);
    ServerOf(first_.primary).Stop();
    EXPECT_TRUE(cluster().RunUntil([&] { return Tablet().primary != first_.primary; }, 5s));
    EXPECT_EQ(Tablet().primary, followers_[1 - damaged]);
  }
}

// A server that takes no writes gets no primaries.
TEST_F(MasterDamageTest, NothingIsTransferredToAFullDisk) {
  Begin(3, 2);
  ServerOf(followers_[0]).disk_full = true;
  cluster().scheduler().RunFor(3s);
  Damage(first_.primary);
  ExpectNothingDone();
  ServerOf(followers_[0]).disk_full = false;
  EXPECT_TRUE(Heal(1));
  WaitServing();
}

}  // namespace
}  // namespace ebla::master::testing
