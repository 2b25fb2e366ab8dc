#include "common/rpc/loop_shares.h"

#include <gtest/gtest.h>

namespace ebla::rpc {
namespace {

using Clock = LoopShares::Clock;

TEST(LoopShares, AUserHasItsShareOfEachPhase) {
  LoopShares shares;
  const std::shared_ptr<LoopShares::User> ada = shares.Join(1);
  EXPECT_FALSE(shares.several());
  EXPECT_EQ(shares.Join(1), ada) << "with all of its connections";
  const std::shared_ptr<LoopShares::User> bob = shares.Join(2);
  EXPECT_TRUE(shares.several());
  EXPECT_TRUE(shares.HasTime(*ada, 7));
  Clock::time_point now = Clock::now();
  const auto spend = [&](LoopShares::User& user, Duration time, uint64_t phase) {
    shares.Begin(now);
    shares.Spend(user, phase, now += time);
  };
  spend(*ada, LoopShares::kShare / 2, 6);
  now += LoopShares::kContest;
  spend(*ada, LoopShares::kShare / 2, 7);
  EXPECT_TRUE(shares.HasTime(*ada, 7));
  spend(*ada, LoopShares::kShare, 7);
  EXPECT_FALSE(shares.HasTime(*ada, 7));
  EXPECT_TRUE(shares.HasTime(*bob, 7));
  EXPECT_TRUE(shares.HasTime(*ada, 8));
  spend(*ada, LoopShares::kShare / 2, 8);
  EXPECT_TRUE(shares.HasTime(*ada, 8)) << "nothing is owed from before";
  shares.Leave(*bob);
  EXPECT_FALSE(shares.several());
  spend(*ada, LoopShares::kShare, 8);
  EXPECT_TRUE(shares.HasTime(*ada, 8)) << "alone it has all";
  shares.Leave(*ada);
  shares.Leave(*ada);
  EXPECT_EQ(shares.Join(1)->connections, 1u);
}

TEST(LoopShares, SharesAreShortWhileUsersAreServedInTurns) {
  LoopShares shares;
  const std::shared_ptr<LoopShares::User> ada = shares.Join(1), bob = shares.Join(2);
  Clock::time_point now = Clock::now();
  const auto spend = [&](LoopShares::User& user, Duration time, uint64_t phase) {
    shares.Begin(now);
    shares.Spend(user, phase, now += time);
  };
  spend(*bob, Duration(1), 1);
  spend(*ada, LoopShares::kShortShare, 2);
  EXPECT_FALSE(shares.HasTime(*ada, 2)) << "bob was here just now";
  now += LoopShares::kContest;
  spend(*ada, LoopShares::kShortShare, 3);
  EXPECT_TRUE(shares.HasTime(*ada, 3)) << "bob has not come back";
  spend(*bob, Duration(1), 3);
  EXPECT_FALSE(shares.HasTime(*ada, 3)) << "now he has";
}

}  // namespace
}  // namespace ebla::rpc
