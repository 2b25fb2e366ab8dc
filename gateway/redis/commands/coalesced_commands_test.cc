#include "gateway/redis/commands/coalesced_commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "common/testing/sim_executor.h"
#include "gateway/testing/memory_store.h"

namespace ebla::gateway::redis {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using Texts = std::vector<std::string>;

class CoalescedCommandsTest : public ::testing::Test {
 protected:
  struct Side {
    const std::shared_ptr<MemoryStore> store = std::make_shared<MemoryStore>();
    Texts replies;
  };

  // Refers to the words.
  StoreCall CallOn(Side& side, const Words& words) {
    StoreContext context{.store = side.store, .caller = caller_};
    context.until = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    StoreCall call{std::move(context), *FindCommand(words[0]), words};
    const size_t place = side.replies.size();
    side.replies.emplace_back();
    call.done = [&side, place](std::string reply) { side.replies[place] = std::move(reply); };
    return call;
  }
  Texts Coalesced(Side& side, const std::vector<Words>& commands) {
    std::vector<StoreCall> calls;
    for (const Words& words : commands) calls.push_back(CallOn(side, words));
    RunCoalesced(std::move(calls));
    scheduler_.RunFor(Duration{0});
    return side.replies;
  }
  testing::SimScheduler scheduler_{1};
  testing::SimExecutor executor_{scheduler_};
  const std::shared_ptr<const Caller> caller_ = std::make_shared<const Caller>(Caller{.executor = &executor_});
  Texts InTurn(Side& side, const std::vector<Words>& commands) {
    for (const Words& words : commands) RunStoreCommand(CallOn(side, words));
    return side.replies;
  }
};

TEST_F(CoalescedCommandsTest, TellsWhatGoesTogether) {
  const auto takes = [](const Words& first, const Words& next) {
    return Coalescer(*FindCommand(first[0]), first).Take(*FindCommand(next[0]), next);
  };
  EXPECT_TRUE(takes({"incr", "k"}, {"incrby", "k", "5"}));
  EXPECT_TRUE(takes({"decr", "k"}, {"incrby", "k", "-5"}));
  EXPECT_FALSE(takes({"incr", "k"}, {"decr", "k"}));
  EXPECT_FALSE(takes({"incr", "k"}, {"incrby", "k", "x"}));
  EXPECT_FALSE(takes({"incrby", "k", "x"}, {"incr", "k"}));
  EXPECT_FALSE(takes({"incr", "k"}, {"incrby", "k", "9223372036854775807"}));
  EXPECT_FALSE(takes({"incr", "k"}, {"set", "k", "1"}));
  EXPECT_FALSE(takes({"incrbyfloat", "k", "1"}, {"incrbyfloat", "k", "1"}));
  const Words set = {"set", "k", "v"};
  EXPECT_TRUE(takes(set, {"setex", "k", "5", "v"}));
  EXPECT_TRUE(takes({"set", "k", "v", "ex", "5"}, set));
  for (const Words& other : {Words{"set", "k", "v", "nx"},
                             {"set", "k", "v", "get"},
                             {"set", "k", "v", "keepttl"},
                             {"set", "k", "v", "exat", "1"},
                             {"set", "k", "v", "px", "0"},
                             {"set", "k", "v", "x"},
                             {"append", "k", "v"},
                             {"get", "k"},
                             {"mset", "k", "v"}}) {
    EXPECT_FALSE(takes(set, other)) << other[0] << other.back();
    EXPECT_FALSE(takes(other, set)) << other[0] << other.back();
  }
}

TEST_F(CoalescedCommandsTest, IncrementsAreOneAndEachLearnsItsOwn) {
  Side side;
  side.store->Write("k", "10");
  side.store->Hold();
  Coalesced(side, {{"incr", "k"}, {"incrby", "k", "5"}, {"incr", "k"}});
  EXPECT_EQ(side.store->Release(), 1u);
  EXPECT_THAT(side.replies, ElementsAre(":11\r\n", ":16\r\n", ":17\r\n"));
}

TEST_F(CoalescedCommandsTest, OfPutsTheLastIsDone) {
  Side side;
  side.store->Hold();
  Coalesced(side, {{"set", "k", "1"}, {"setex", "k", "5", "2"}, {"set", "k", "3"}});
  EXPECT_EQ(side.store->Release(), 1u);
  EXPECT_THAT(side.replies, ElementsAre("+OK\r\n", "+OK\r\n", "+OK\r\n"));
  EXPECT_EQ(side.store->Read("k")->value, "3");
}

TEST_F(CoalescedCommandsTest, TheyFailTogether) {
  for (const std::vector<Words>& commands :
       {std::vector<Words>{{"incr", "k"}, {"incr", "k"}}, {{"set", "k", "1"}, {"set", "k", "2"}}}) {
    Side side;
    side.store->SetFault([](const std::string&, const std::string&) { return Status(Code::kUnknownOutcome, "cut"); });
    for (const std::string& reply : Coalesced(side, commands)) EXPECT_THAT(reply, HasSubstr("UNKNOWNOUTCOME cut"));
  }
}

// Whatever is there and whatever they are.
TEST_F(CoalescedCommandsTest, TheyAnswerAsInTurn) {
  const Texts olds = {"", "0", "7", "-3", "007", "abc", "9223372036854775800", "-9223372036854775800"};
  const std::vector<Words> increments = {{"incr", "k"},
                                         {"decr", "k"},
                                         {"incrby", "k", "5"},
                                         {"incrby", "k", "9223372036854775807"},
                                         {"decrby", "k", "-4"},
                                         {"incrby", "k", "x"},
                                         {"decrby", "k", "9000000000000000000"}};
  const std::vector<Words> puts = {
      {"set", "k", "1"},         {"set", "k", "2", "px", "100000"}, {"set", "k", "3", "px", "0"},
      {"setex", "k", "-1", "4"}, {"set", "k", "5", "exat", "1"},    {"psetex", "k", "5000", "6"}};
  std::mt19937 random(1);
  for (int round = 0; round < 3'000; ++round) {
    const std::vector<Words>& kinds = round % 2 == 0 ? increments : puts;
    std::vector<Words> commands(2 + random() % 5);
    for (Words& words : commands) words = kinds[random() % (random() % 3 == 0 ? kinds.size() : 3)];
    const std::string old = olds[random() % olds.size()];
    Side coalesced, in_turn;
    for (Side* side : {&coalesced, &in_turn}) {
      if (!old.empty()) side->store->Write("k", old);
    }
    EXPECT_EQ(Coalesced(coalesced, commands), InTurn(in_turn, commands)) << round;
    const auto left = coalesced.store->Read("k"), wanted = in_turn.store->Read("k");
    ASSERT_EQ(left.has_value(), wanted.has_value()) << round;
    if (left) {
      EXPECT_EQ(left->value, wanted->value) << round;
      EXPECT_EQ(left->expires, wanted->expires) << round;
    }
  }
}

}  // namespace
}  // namespace ebla::gateway::redis
