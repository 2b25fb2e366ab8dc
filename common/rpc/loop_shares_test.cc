#include "common/rpc/loop_shares.h"

#include <gtest/gtest.h>

namespace ebla::rpc {
namespace {

class LoopSharesTest : public ::testing::Test {
 protected:
  void Spend(LoopShares::User& user, Duration time, uint64_t phase) {
    shares_.Begin(now_);
    shares_.Spend(user, phase, now_ += time);
  }

  LoopShares shares_;
  LoopShares::Clock::time_point now_ = LoopShares::Clock::now();
};

TEST_F(LoopSharesTest, AUserHasItsShareOfEachPhase) {
  const std::shared_ptr<LoopShares::User> ada = shares_.Join(1);
  EXPECT_FALSE(shares_.several());
  EXPECT_EQ(shares_.Join(1), ada) << "with all of its connections";
  const std::shared_ptr<LoopShares::User> bob = shares_.Join(2);
  EXPECT_TRUE(shares_.several());
  EXPECT_TRUE(shares_.HasTime(*ada, 7));
  Spend(*ada, LoopShares::kShare / 2, 6);
  now_ += LoopShares::kContest;
  Spend(*ada, LoopShares::kShare / 2, 7);
  EXPECT_TRUE(shares_.HasTime(*ada, 7));
  Spend(*ada, LoopShares::kShare, 7);
  EXPECT_FALSE(shares_.HasTime(*ada, 7));
  EXPECT_TRUE(shares_.HasTime(*bob, 7));
  EXPECT_TRUE(shares_.HasTime(*ada, 8));
  Spend(*ada, LoopShares::kShare / 2, 8);
  EXPECT_TRUE(shares_.HasTime(*ada, 8)) << "nothing is owed from before";
  shares_.Leave(*bob);
  EXPECT_FALSE(shares_.several());
  Spend(*ada, LoopShares::kShare, 8);
  EXPECT_TRUE(shares_.HasTime(*ada, 8)) << "alone it has all";
  shares_.Leave(*ada);
  shares_.Leave(*ada);
  EXPECT_EQ(shares_.Join(1)->connections, 1u);
}

TEST_F(LoopSharesTest, SharesAreShortWhileUsersAreServedInTurns) {
  const std::shared_ptr<LoopShares::User> ada = shares_.Join(1), bob = shares_.Join(2);
  Spend(*bob, Duration(1), 1);
  Spend(*ada, LoopShares::kShortShare, 2);
  EXPECT_FALSE(shares_.HasTime(*ada, 2)) << "bob was here just now";
  now_ += LoopShares::kContest;
  Spend(*ada, LoopShares::kShortShare, 3);
  EXPECT_TRUE(shares_.HasTime(*ada, 3)) << "bob has not come back";
  Spend(*bob, Duration(1), 3);
  EXPECT_FALSE(shares_.HasTime(*ada, 3)) << "now he has";
}

TEST_F(LoopSharesTest, WhoGivesWayHasAShareOfEachSlot) {
  now_ = LoopShares::Clock::time_point(LoopShares::kSlot * 1000);
  const std::shared_ptr<LoopShares::User> ada = shares_.Join(1);
  Spend(*ada, LoopShares::kShortShare / 2, 1);
  EXPECT_TRUE(shares_.HasTimeInSlot(*ada));
  Spend(*ada, LoopShares::kShortShare, 2);
  EXPECT_FALSE(shares_.HasTimeInSlot(*ada)) << "another phase is no other slot";
  shares_.Begin(now_ += LoopShares::kSlot);
  EXPECT_TRUE(shares_.HasTimeInSlot(*ada));
}

TEST_F(LoopSharesTest, WhatIsTooMuchInASlotIsLessInTheNext) {
  const LoopShares::Clock::time_point as_a_slot_begins(LoopShares::kSlot * 100'000);
  const auto slots_without_time_after = [&](Duration spent) {
    const std::shared_ptr<LoopShares::User> ada = shares_.Join(1);
    now_ = as_a_slot_begins - spent;
    Spend(*ada, spent, 1);
    int slots = 0;
    while (!shares_.HasTimeInSlot(*ada)) shares_.Begin(now_ += LoopShares::kSlot), ++slots;
    shares_.Leave(*ada);
    return slots;
  };
  EXPECT_EQ(slots_without_time_after(LoopShares::kShortShare - Duration(1)), 0);
  EXPECT_EQ(slots_without_time_after(LoopShares::kShortShare), 1);
  EXPECT_EQ(slots_without_time_after(LoopShares::kShortShare * 2), 2);
  EXPECT_EQ(slots_without_time_after(LoopShares::kShortShare * 3), 3);
  EXPECT_EQ(slots_without_time_after(std::chrono::seconds(1)), 4) << "a stall is not its fault";
}

}  // namespace
}  // namespace ebla::rpc
