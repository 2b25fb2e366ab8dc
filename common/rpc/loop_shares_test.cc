#include "common/rpc/loop_shares.h"

#include <gtest/gtest.h>

namespace ebla::rpc {
namespace {

TEST(LoopShares, AUserHasItsShareOfEachPhase) {
  LoopShares shares;
  LoopShares::User* const ada = shares.Join(1);
  EXPECT_FALSE(shares.several());
  EXPECT_EQ(shares.Join(1), ada) << "with all of its connections";
  LoopShares::User* const bob = shares.Join(2);
  EXPECT_TRUE(shares.several());
  EXPECT_TRUE(LoopShares::HasSome(*ada, 7));
  LoopShares::Spend(*ada, LoopShares::kShare / 2, 7);
  EXPECT_TRUE(LoopShares::HasSome(*ada, 7));
  LoopShares::Spend(*ada, LoopShares::kShare, 7);
  EXPECT_FALSE(LoopShares::HasSome(*ada, 7));
  EXPECT_TRUE(LoopShares::HasSome(*bob, 7));
  EXPECT_TRUE(LoopShares::HasSome(*ada, 8));
  LoopShares::Spend(*ada, LoopShares::kShare / 2, 8);
  EXPECT_TRUE(LoopShares::HasSome(*ada, 8)) << "nothing is owed from before";
  shares.Leave(bob);
  EXPECT_FALSE(shares.several());
  shares.Leave(ada);
  shares.Leave(ada);
  EXPECT_EQ(shares.Join(1)->connections, 1u);
}

}  // namespace
}  // namespace ebla::rpc
