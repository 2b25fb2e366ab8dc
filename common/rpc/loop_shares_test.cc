#include "common/rpc/loop_shares.h"

#include <gtest/gtest.h>

namespace ebla::rpc {
namespace {

TEST(LoopShares, AUserHasItsShareOfEachPhase) {
  LoopShares shares;
  const std::shared_ptr<LoopShares::User> ada = shares.Join(1);
  EXPECT_FALSE(shares.several());
  EXPECT_EQ(shares.Join(1), ada) << "with all of its connections";
  const std::shared_ptr<LoopShares::User> bob = shares.Join(2);
  EXPECT_TRUE(shares.several());
  EXPECT_TRUE(shares.HasTime(*ada, 7));
  LoopShares::Spend(*ada, LoopShares::kShare / 2, 7);
  EXPECT_TRUE(shares.HasTime(*ada, 7));
  LoopShares::Spend(*ada, LoopShares::kShare, 7);
  EXPECT_FALSE(shares.HasTime(*ada, 7));
  EXPECT_TRUE(shares.HasTime(*bob, 7));
  EXPECT_TRUE(shares.HasTime(*ada, 8));
  LoopShares::Spend(*ada, LoopShares::kShare / 2, 8);
  EXPECT_TRUE(shares.HasTime(*ada, 8)) << "nothing is owed from before";
  shares.Leave(*bob);
  EXPECT_FALSE(shares.several());
  LoopShares::Spend(*ada, LoopShares::kShare, 8);
  EXPECT_TRUE(shares.HasTime(*ada, 8)) << "alone it has all";
  shares.Leave(*ada);
  shares.Leave(*ada);
  EXPECT_EQ(shares.Join(1)->connections, 1u);
}

}  // namespace
}  // namespace ebla::rpc
