#include "common/security/usage_limits.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

namespace ebla::security {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr MonotonicTime kBegin{100h};
constexpr int64_t kCarts = 7, kUsers = 8;

idl::Limits Limits(int64_t operations, int64_t bytes, int32_t connections = 0, int32_t in_flight = 0) {
  idl::Limits limits;
  limits.operationsPerSecond = operations;
  limits.bytesPerSecond = bytes;
  limits.connections = connections;
  limits.inFlight = in_flight;
  return limits;
}

class UsageLimitsTest : public ::testing::Test {
 protected:
  void OfUser(const std::string& name, const idl::Limits& limits) {
    idl::User& user = node_.users.emplace_back();
    user.name = name;
    user.limits = limits;
    Publish();
  }
  void OfTable(int64_t table, const idl::Limits& limits) {
    idl::TableLimits& one = node_.tables.emplace_back();
    one.tableId = table;
    one.limits = limits;
    Publish();
  }
  void Publish() { limits_.Publish(std::make_shared<AccessList>(node_)); }
  Result<UsageLimits::Admission> Admit(UsageLimits::Member& member, const std::string& user, MonotonicTime now,
                                       CallCost cost = {}, int64_t table = kCarts) {
    return limits_.Admit(member, user, table, cost, now);
  }
  // How many single calls pass in a row.
  int Passing(UsageLimits::Member& member, const std::string& user, MonotonicTime now, int64_t table = kCarts) {
    int passed = 0;
    while (passed < 100'000 && Admit(member, user, now, {}, table)) ++passed;
    return passed;
  }

  idl::AccessNode node_;
  UsageLimits limits_;
};

TEST_F(UsageLimitsTest, WithoutLimitsEverythingPasses) {
  EXPECT_FALSE(limits_.any());
  OfUser("ada", {});
  EXPECT_FALSE(limits_.any());
  UsageLimits::Member member;
  EXPECT_EQ(Passing(member, "ada", kBegin), 100'000);
  EXPECT_EQ(limits_.refusals(), 0u);
}

TEST_F(UsageLimitsTest, OperationsOfASecondAndThenTheRate) {
  OfUser("ada", Limits(100, 0));
  EXPECT_TRUE(limits_.any());
  UsageLimits::Member one, another, of_bob;
  EXPECT_EQ(Passing(one, "ada", kBegin), 100);
  const auto refused = Admit(another, "ada", kBegin);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Code::kOverloaded);
  EXPECT_THAT(refused.error().message(), HasSubstr("user \"ada\" has reached its limit of 100 operations a second"));
  EXPECT_EQ(Passing(another, "ada", kBegin + 100ms), 10) << "all connections of a user count together";
  EXPECT_TRUE(Admit(of_bob, "bob", kBegin)) << "another's limit is none of bob's";
  EXPECT_EQ(Passing(one, "ada", kBegin + 1h), 100) << "what was not used is not kept for longer than a second";
}

TEST_F(UsageLimitsTest, ABatchCountsItsWritesAndALargeOneIsPaidForAfterwards) {
  OfUser("ada", Limits(100, 0));
  UsageLimits::Member member;
  EXPECT_TRUE(Admit(member, "ada", kBegin, {.operations = 1'000}));
  EXPECT_FALSE(Admit(member, "ada", kBegin + 8900ms));
  EXPECT_TRUE(Admit(member, "ada", kBegin + 9100ms));
}

TEST_F(UsageLimitsTest, BytesOfRepliesArePaidForByLaterCalls) {
  OfUser("ada", Limits(0, 1'000));
  UsageLimits::Member member;
  {
    auto admission = Admit(member, "ada", kBegin, {.bytes = 10});
    ASSERT_TRUE(admission);
    admission->PayReply(5'000, kBegin);
  }
  const auto refused = Admit(member, "ada", kBegin + 3s);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("1000 bytes a second"));
  EXPECT_TRUE(Admit(member, "ada", kBegin + 5s));
}

TEST_F(UsageLimitsTest, InFlightUntilAnswered) {
  OfUser("ada", Limits(0, 0, 0, 2));
  UsageLimits::Member one, another;
  auto first = std::make_optional(Admit(one, "ada", kBegin));
  const auto second = Admit(another, "ada", kBegin);
  ASSERT_TRUE(*first && second);
  const auto refused = Admit(one, "ada", kBegin);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("2 calls in flight"));
  first.reset();
  EXPECT_TRUE(Admit(one, "ada", kBegin));
}

TEST_F(UsageLimitsTest, ConnectionsUntilTheyEnd) {
  OfUser("ada", Limits(0, 0, 2));
  auto one = std::make_optional<UsageLimits::Member>();
  UsageLimits::Member another, third;
  EXPECT_TRUE(Admit(*one, "ada", kBegin));
  EXPECT_TRUE(Admit(*one, "ada", kBegin)) << "it is counted once";
  EXPECT_TRUE(Admit(another, "ada", kBegin));
  const auto refused = Admit(third, "ada", kBegin);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("2 connections"));
  EXPECT_TRUE(Admit(third, "bob", kBegin));
  one.reset();
  EXPECT_TRUE(Admit(third, "ada", kBegin));
}

TEST_F(UsageLimitsTest, OfATableHoldAllItsUsersTogetherAndOperatorsToo) {
  OfTable(kCarts, Limits(10, 0));
  UsageLimits::Member ada, nobody;
  EXPECT_EQ(Passing(ada, "ada", kBegin), 10);
  const auto refused = Admit(nobody, "", kBegin);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message(), HasSubstr("table 7 has reached its limit of 10 operations"));
  EXPECT_EQ(Passing(ada, "ada", kBegin, kUsers), 100'000);
}

TEST_F(UsageLimitsTest, WhatTheTableRefusesTheUserDoesNotHold) {
  OfUser("ada", Limits(0, 0, 0, 1));
  OfTable(kCarts, Limits(0, 0, 0, 1));
  UsageLimits::Member ada, bob;
  const auto held = Admit(bob, "bob", kBegin);
  ASSERT_TRUE(held);
  EXPECT_FALSE(Admit(ada, "ada", kBegin));
  EXPECT_TRUE(Admit(ada, "ada", kBegin, {}, kUsers));
}

TEST_F(UsageLimitsTest, EverybodyWithoutLimitsOfItsOwnHasThoseOfEverybody) {
  node_.everyUser = Limits(5, 0);
  OfUser("ada", Limits(50, 0));
  UsageLimits::Member ada, bob, eve;
  EXPECT_EQ(Passing(ada, "ada", kBegin), 50);
  EXPECT_EQ(Passing(bob, "bob", kBegin), 5);
  EXPECT_EQ(Passing(eve, "eve", kBegin), 5) << "each for itself";
}

TEST_F(UsageLimitsTest, AChangeCountsAtOnceAndForgetsNothing) {
  OfUser("ada", Limits(100, 0, 0, 1));
  UsageLimits::Member member;
  auto held = std::make_optional(Admit(member, "ada", kBegin));
  node_.users[0].limits = Limits(10, 0, 0, 1);
  Publish();
  EXPECT_FALSE(Admit(member, "ada", kBegin)) << "one is in flight still";
  held.reset();
  EXPECT_LE(Passing(member, "ada", kBegin), 10);
  node_.users[0].limits = {};
  Publish();
  EXPECT_EQ(Passing(member, "ada", kBegin), 100'000);
}

}  // namespace
}  // namespace ebla::security
