#include "gateway/server/command_queue.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace ebla::gateway {
namespace {

class QueuedCommand final : public Command {
 public:
  QueuedCommand(int number, std::vector<std::string> keys, bool alone, bool gets)
      : number_(number), keys_(std::move(keys)), views_(keys_.begin(), keys_.end()), alone_(alone), gets_(gets) {}

  size_t kind() const override { return 0; }
  std::span<const std::string_view> keys() const override { return views_; }
  bool alone() const override { return alone_; }
  bool only_gets() const override { return gets_; }
  size_t held_bytes() const override { return 10; }
  void Run() override {}
  int number() const { return number_; }

 private:
  const int number_;
  const std::vector<std::string> keys_;
  const KeyViews views_;
  const bool alone_;
  const bool gets_;
};

class CommandQueueTest : public ::testing::Test {
 protected:
  void Add(std::vector<std::string> keys, bool alone = false) {
    queue_.Add(std::make_unique<QueuedCommand>(++added_, std::move(keys), alone, false), {}, 0);
  }
  void AddGet(std::string key, uint64_t moment) {
    queue_.Add(std::make_unique<QueuedCommand>(++added_, std::vector{std::move(key)}, false, true), {}, moment);
  }
  // The numbers of those that may run now, in their order.
  std::vector<int> Runnable() {
    std::vector<int> numbers;
    while (Command* const command = queue_.TakeRunnable()) {
      const int number = static_cast<const QueuedCommand&>(*command).number();
      running_[number] = command;
      numbers.push_back(number);
    }
    return numbers;
  }
  void Finish(int number) {
    queue_.Finish(*running_.at(number), "reply" + std::to_string(number));
    running_.erase(number);
  }
  std::vector<std::string> Replies() {
    std::vector<std::string> replies;
    while (auto reply = queue_.TakeReply()) replies.push_back(*reply);
    return replies;
  }

  CommandQueue queue_;
  std::map<int, Command*> running_;
  int added_ = 0;
};

using Numbers = std::vector<int>;
using Texts = std::vector<std::string>;

TEST_F(CommandQueueTest, WhatRunsWhenItIsClearedIsGivenBack) {
  for (const char* key : {"a", "b", "b", "c"}) Add({key});
  EXPECT_EQ(Runnable(), (Numbers{1, 2, 4}));  // the third waits for the second
  Finish(1);
  const std::vector<std::unique_ptr<Command>> running = queue_.Clear();
  ASSERT_EQ(running.size(), 2u);
  EXPECT_EQ(running[0].get(), running_.at(2));
  EXPECT_EQ(running[1].get(), running_.at(4));
  EXPECT_EQ(queue_.size(), 0u);
  EXPECT_EQ(queue_.in_flight(), 0u);
  EXPECT_EQ(Replies(), Texts{});
}

TEST_F(CommandQueueTest, DifferentKeysRunAtTheSameTimeAndAnswerInOrder) {
  Add({"a"});
  Add({"b"});
  Add({"c"});
  EXPECT_EQ(Runnable(), (Numbers{1, 2, 3}));
  Finish(3);
  Finish(2);
  EXPECT_EQ(Replies(), Texts{});
  Finish(1);
  EXPECT_EQ(Replies(), (Texts{"reply1", "reply2", "reply3"}));
  EXPECT_EQ(queue_.size(), 0u);
  EXPECT_EQ(queue_.held_bytes(), 0u);
}

TEST_F(CommandQueueTest, OneKeyRunsInOrder) {
  Add({"a"});
  Add({"a", "b", "a"});
  Add({"b"});
  Add({"c"});
  EXPECT_EQ(Runnable(), (Numbers{1, 4}));
  Finish(1);
  EXPECT_EQ(Runnable(), Numbers{2});
  Finish(2);
  EXPECT_EQ(Runnable(), Numbers{3});
}

TEST_F(CommandQueueTest, GetsOfOneMomentRunTogether) {
  AddGet("a", 7);
  AddGet("a", 7);
  Add({"a"});
  AddGet("a", 7);
  AddGet("a", 7);
  EXPECT_EQ(Runnable(), (Numbers{1, 2}));
  Finish(2);
  EXPECT_EQ(Runnable(), Numbers{});
  Finish(1);
  EXPECT_EQ(Runnable(), Numbers{3});
  Finish(3);
  EXPECT_EQ(Runnable(), (Numbers{4, 5}));
}

// Else an earlier one that has to be asked again could see more than a later one.
TEST_F(CommandQueueTest, GetsOfAnotherMomentWait) {
  AddGet("a", 7);
  EXPECT_EQ(Runnable(), Numbers{1});
  AddGet("a", 8);
  AddGet("b", 8);
  AddGet("a", 8);
  EXPECT_EQ(Runnable(), Numbers{3});
  Finish(1);
  EXPECT_EQ(Runnable(), (Numbers{2, 4}));
  AddGet("a", 9);
  Finish(4);
  EXPECT_EQ(Runnable(), Numbers{});
  Finish(2);
  EXPECT_EQ(Runnable(), Numbers{5});
}

TEST_F(CommandQueueTest, OneThatIsAloneIsAlone) {
  Add({"a"});
  Add({"b"});
  Add({}, true);
  Add({"c"});
  Add({}, true);
  Add({"a"});
  EXPECT_EQ(Runnable(), (Numbers{1, 2}));
  Finish(2);
  EXPECT_EQ(Runnable(), Numbers{});
  Finish(1);
  EXPECT_EQ(Runnable(), Numbers{3});
  Finish(3);
  EXPECT_EQ(Runnable(), Numbers{4});
  Finish(4);
  EXPECT_EQ(Runnable(), Numbers{5});
  Finish(5);
  EXPECT_EQ(Runnable(), Numbers{6});
}

TEST_F(CommandQueueTest, TheNextOfAKeyMayBeHandedOutWithIt) {
  Add({"a"});
  Add({"a"});
  Add({"b"});
  Add({"a"});
  Add({"a", "b"});
  EXPECT_EQ(Runnable(), (Numbers{1, 3}));
  Command* last = running_.at(1);
  for (const int number : {2, 4}) {
    const Command* const next = queue_.Follower(*last);
    ASSERT_NE(next, nullptr);
    EXPECT_EQ(static_cast<const QueuedCommand&>(*next).number(), number);
    running_[number] = &queue_.TakeFollower(*last);
    EXPECT_EQ(running_[number], next);
    last = running_[number];
  }
  EXPECT_EQ(queue_.Follower(*last), nullptr);  // it waits for "b", too
  EXPECT_EQ(queue_.Follower(*running_.at(3)), nullptr);
  for (const int number : {2, 1, 3}) Finish(number);
  EXPECT_EQ(Runnable(), Numbers{});  // the last of "a" has not finished
  Finish(4);
  EXPECT_EQ(Runnable(), Numbers{5});
  Finish(5);
  EXPECT_EQ(Replies(), (Texts{"reply1", "reply2", "reply3", "reply4", "reply5"}));
}

TEST_F(CommandQueueTest, OneThatIsAloneWaitsForAllThatAreHandedOut) {
  Add({"a"});
  Add({"a"});
  Add({}, true);
  EXPECT_EQ(Runnable(), Numbers{1});
  ASSERT_NE(queue_.Follower(*running_.at(1)), nullptr);
  running_[2] = &queue_.TakeFollower(*running_.at(1));
  EXPECT_EQ(queue_.Follower(*running_.at(1)), nullptr);
  EXPECT_EQ(queue_.Follower(*running_.at(2)), nullptr);
  Finish(1);
  EXPECT_EQ(Runnable(), Numbers{});
  Finish(2);
  EXPECT_EQ(Runnable(), Numbers{3});
}

TEST_F(CommandQueueTest, WhoWaitsForSeveralIsNobodysFollower) {
  AddGet("a", 1);
  AddGet("a", 1);
  Add({"a"});
  EXPECT_EQ(Runnable(), (Numbers{1, 2}));
  EXPECT_EQ(queue_.Follower(*running_.at(1)), nullptr);
}

TEST_F(CommandQueueTest, WhatIsBehindTheLastGoes) {
  Add({"a"});
  Add({}, true);
  Add({"b"});
  Add({}, true);
  Add({"c", "d"});
  EXPECT_EQ(Runnable(), Numbers{1});
  Finish(1);
  EXPECT_EQ(Runnable(), Numbers{2});
  queue_.FinishLast(*running_.at(2), "last");
  EXPECT_EQ(Runnable(), Numbers{});
  EXPECT_EQ(queue_.in_flight(), 2u);
  EXPECT_EQ(Replies(), (Texts{"reply1", "last"}));
  EXPECT_EQ(queue_.size() + queue_.in_flight() + queue_.held_bytes(), 0u);
}

TEST_F(CommandQueueTest, OneOfManyKeysCountsAsMany) {
  Add({"a", "b", "c"});
  Add({});
  Add({"a"});
  EXPECT_EQ(queue_.in_flight(), 5u);
  Runnable();
  Finish(1);
  Replies();
  EXPECT_EQ(queue_.in_flight(), 2u);
}

TEST_F(CommandQueueTest, CountsWhatItHolds) {
  Add({"a"});
  Add({"b"});
  EXPECT_EQ(queue_.held_bytes(), 20u);
  Runnable();
  Finish(2);
  EXPECT_EQ(queue_.held_bytes(), 10u + 6u);
  Finish(1);
  EXPECT_EQ(queue_.held_bytes(), 12u);
  Replies();
  EXPECT_EQ(queue_.held_bytes(), 0u);
}

TEST_F(CommandQueueTest, TheOldestMayRunWhereOthersMayNot) {
  Add({"a"});
  Add({"b"});
  Add({"a"});
  EXPECT_EQ(Runnable(), (Numbers{1, 2}));
  Finish(2);
  EXPECT_EQ(queue_.reply_bytes(), 6u);
  Add({"c"});
  EXPECT_EQ(queue_.TakeRunnable(true), nullptr) << "the oldest runs already";
  Finish(1);
  EXPECT_EQ(queue_.TakeRunnable(true), nullptr) << "the oldest has its reply";
  EXPECT_EQ(Replies(), (Texts{"reply1", "reply2"}));
  EXPECT_EQ(queue_.reply_bytes(), 0u);
  const auto oldest = queue_.TakeRunnable(true);
  ASSERT_NE(oldest, nullptr);
  EXPECT_EQ(static_cast<const QueuedCommand&>(*oldest).number(), 3);
  EXPECT_EQ(Runnable(), Numbers{4});
}

// Any order of arrivals and ends: nothing overtakes one that it shares a key with, and everything runs.
TEST_F(CommandQueueTest, HoldsForAnyOrder) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    std::map<int, std::vector<std::string>> keys_of;
    std::map<int, bool> alone;
    std::vector<int> unfinished, runnable;
    const int first = added_ + 1;
    const auto note = [&] {
      for (const int number : Runnable()) {
        for (const int older : unfinished) {
          if (older >= number) continue;
          EXPECT_FALSE(alone[older] || alone[number]) << number << " overtakes " << older;
          for (const std::string& key : keys_of[older])
            EXPECT_EQ(std::ranges::count(keys_of[number], key), 0) << number << " overtakes " << older;
        }
        runnable.push_back(number);
      }
    };
    for (int step = 0; step < 200 || !unfinished.empty(); ++step) {
      if (step < 200 && random() % 2 == 0) {
        std::vector<std::string> keys;
        for (uint64_t i = random() % 3; i > 0; --i)
          keys.push_back(std::string(1, static_cast<char>('a' + random() % 4)));
        keys_of[added_ + 1] = keys;
        alone[added_ + 1] = random() % 8 == 0;
        unfinished.push_back(added_ + 1);
        Add(keys, alone[added_ + 1]);
      } else if (!runnable.empty()) {
        const size_t which = random() % runnable.size();
        Finish(runnable[which]);
        std::erase(unfinished, runnable[which]);
        runnable.erase(runnable.begin() + static_cast<std::ptrdiff_t>(which));
      }
      note();
      ASSERT_FALSE(runnable.empty() && !unfinished.empty()) << "stuck";
    }
    const Texts replies = Replies();
    ASSERT_EQ(replies.size(), static_cast<size_t>(added_ - first + 1));
    for (size_t i = 0; i < replies.size(); ++i)
      EXPECT_EQ(replies[i], "reply" + std::to_string(first + static_cast<int>(i)));
  }
}

}  // namespace
}  // namespace ebla::gateway
