#include "common/security/host_budget.h"

#include <gtest/gtest.h>

namespace ebla::security {
namespace {

using namespace std::chrono_literals;

TEST(HostBudget, EachAddressHasItsOwnAndAFreshOneInTheNextWindow) {
  HostBudget budget(2, 1min);
  const MonotonicTime begin{1h};
  EXPECT_TRUE(budget.Spend("10.0.0.1:5000", begin).granted);
  EXPECT_TRUE(budget.Left("10.0.0.1:5001", begin));
  EXPECT_TRUE(budget.Spend("10.0.0.1:5001", begin).granted) << "another port is the same address";
  EXPECT_FALSE(budget.Left("10.0.0.1:5002", begin + 59s));
  EXPECT_FALSE(budget.Spend("10.0.0.1:5002", begin + 59s).granted);
  EXPECT_TRUE(budget.Spend("10.0.0.2:5000", begin).granted);
  const HostBudget::Spent later = budget.Spend("10.0.0.1:5000", begin + 60s);
  EXPECT_TRUE(later.granted);
  EXPECT_EQ(later.left_out, 1);
}

TEST(HostBudget, EachNameOfAnAddressHasItsOwn) {
  HostBudget budget(1, 1min);
  const MonotonicTime begin{1h};
  EXPECT_TRUE(budget.Spend("10.0.0.1:5000", begin, "ada").granted);
  EXPECT_FALSE(budget.Left("10.0.0.1:5001", begin, "ada"));
  EXPECT_TRUE(budget.Left("10.0.0.1:5001", begin, "bob"));
  EXPECT_TRUE(budget.Left("10.0.0.1:5001", begin));
}

TEST(HostBudget, WhatIsGivenBackIsLeft) {
  HostBudget budget(1, 1min);
  const MonotonicTime begin{1h};
  budget.GiveBack("10.0.0.1:5000", begin);
  budget.Spend("10.0.0.1:5000", begin);
  EXPECT_FALSE(budget.Left("10.0.0.1:5000", begin));
  budget.GiveBack("10.0.0.1:5000", begin);
  EXPECT_TRUE(budget.Left("10.0.0.1:5000", begin));
}

TEST(HostBudget, AMachineHasAllAddressesOfItsNetwork) {
  EXPECT_EQ(HostOf("[2001:db8:1:2:aaaa::1]:70"), HostOf("[2001:db8:1:2:bbbb::9]:71"));
  EXPECT_NE(HostOf("[2001:db8:1:2:aaaa::1]:70"), HostOf("[2001:db8:1:3:aaaa::1]:70"));
  EXPECT_EQ(HostOf("10.0.0.1:70"), "10.0.0.1");
}

TEST(HostBudget, WhenTooManyAreKnownNewOnesShare) {
  HostBudget budget(1, 1min);
  const MonotonicTime begin{1h};
  EXPECT_TRUE(budget.Spend("192.168.0.1:1", begin).granted);
  for (int i = 0; i < 10'000; ++i) {
    budget.Spend(
        "10." + std::to_string(i / 2500) + "." + std::to_string(i / 250) + "." + std::to_string(i % 250) + ":1", begin);
  }
  EXPECT_FALSE(budget.Left("192.168.0.1:1", begin)) << "many others do not wash it away";
  budget.Spend("172.16.0.1:1", begin);
  EXPECT_FALSE(budget.Left("172.16.0.2:1", begin)) << "those share one";
  EXPECT_TRUE(budget.Left("172.16.0.2:1", begin + 1min));
}

TEST(HostBudget, WhenTooManyAreKnownNewOnesPassWhereTheOwnerSaysSo) {
  HostBudget budget(1, 1min, HostBudget::WhenFull::kLetPass);
  const MonotonicTime begin{1h};
  for (int i = 0; i < 10'000; ++i) budget.Spend("10.0.0.1:1", begin, std::to_string(i + 1));
  budget.Spend("10.0.0.2:1", begin, "ada");
  budget.Spend("10.0.0.2:1", begin, "ada");
  EXPECT_TRUE(budget.Left("10.0.0.2:1", begin, "ada"));
  EXPECT_FALSE(budget.Left("10.0.0.1:1", begin, "7"));
}

}  // namespace
}  // namespace ebla::security
