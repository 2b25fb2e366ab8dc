#include "common/base/mailbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <thread>

namespace ebla {
namespace {

using ::testing::ElementsAre;

// Runs what was posted when it is told to.
class SteppedExecutor final : public Executor {
 public:
  MonotonicTime Now() const override { return {}; }
  int64_t TimeOfDayMs() const override { return 0; }
  uint64_t Random() override { return 0; }
  void Post(Task task) override {
    tasks.push_back(std::move(task));
    brief = false;
  }
  void PostBrief(Task task) override { tasks.push_back(std::move(task)); }
  TimerId After(Duration, Task) override { return {}; }
  void Cancel(TimerId) override {}
  bool InThread() const override { return true; }
  bool Step() {
    if (tasks.empty()) return false;
    Task task = std::move(tasks.front());
    tasks.pop_front();
    task();
    return true;
  }
  std::deque<Task> tasks;
  bool brief = true;  // all of them so far
};

class MailboxTest : public ::testing::Test {
 protected:
  bool Put(int item, size_t flow = 0, size_t bytes = 10) { return mailbox_.Put(std::move(item), bytes, flow); }

  SteppedExecutor executor_;
  std::vector<std::vector<int>> batches_;
  Mailbox<int> mailbox_{executor_, {.items = 1'000, .bytes = 10'000}, [this](std::vector<int> batch) {
                          batches_.push_back(std::move(batch));
                        }};
};

TEST_F(MailboxTest, IsDrainedInSmallBatches) {
  std::vector<int> all;
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(Put(all.emplace_back(i)));
  size_t steps = 0;
  while (executor_.Step()) ++steps;
  EXPECT_EQ(steps, 32u) << "16 at a time, and what else the executor has to do in between";
  std::vector<int> drained;
  for (const auto& batch : batches_) drained.insert(drained.end(), batch.begin(), batch.end());
  EXPECT_EQ(drained, all);
}

TEST_F(MailboxTest, AllArePutWithOneWakeUp) {
  mailbox_.PutAll({{1, 1}, {2, 2}, {3, 1}});
  mailbox_.PutAll({});
  EXPECT_TRUE(executor_.Step());
  EXPECT_FALSE(executor_.Step());
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_THAT(batches_[0], ::testing::UnorderedElementsAre(1, 2, 3));
  EXPECT_TRUE(mailbox_.Put(4, 1, 1, true));
  mailbox_.PutAll({{5, 1}});
  EXPECT_THAT(executor_.tasks.size(), 2u) << "it was brief before";
}

TEST_F(MailboxTest, IsBriefWhileAllWithinIsAndThatIsLittle) {
  const auto brief_with = [&](int items, size_t bytes, bool with_long) {
    executor_.brief = true;
    for (int i = 0; i < items; ++i) EXPECT_TRUE(mailbox_.Put(int(i), bytes, 0, true));
    if (with_long) {
      EXPECT_TRUE(Put(-1));
    }
    const bool brief = executor_.brief;
    batches_.clear();
    while (executor_.Step()) {
    }
    constexpr size_t kBatch = Mailbox<int>::kBatch;
    const size_t all = static_cast<size_t>(items) + (with_long ? 1 : 0);
    EXPECT_EQ(batches_.size(), brief ? 1 : (all + kBatch - 1) / kBatch);
    return brief;
  };
  EXPECT_TRUE(brief_with(Mailbox<int>::kBriefItems, 10, false));
  EXPECT_FALSE(brief_with(Mailbox<int>::kBriefItems + 1, 10, false));
  EXPECT_FALSE(brief_with(1, 10, true));
  EXPECT_FALSE(brief_with(1, Mailbox<int>::kBriefBytes + 1, false));
  EXPECT_FALSE(brief_with(0, 10, true));
  EXPECT_TRUE(brief_with(1, Mailbox<int>::kBriefBytes, false)) << "what was before is forgotten";
}

// The thread that runs the first one's drain may start it late, and must run only brief items.
TEST_F(MailboxTest, WhatIsNotBriefHasADrainOfItsOwn) {
  EXPECT_TRUE(mailbox_.Put(1, 10, 0, true));
  const auto brief_drain = [&] { ASSERT_TRUE(executor_.Step()); };
  std::thread([&] { EXPECT_TRUE(mailbox_.Put(2, 10, 0, true)); }).join();
  EXPECT_FALSE(executor_.brief) << "it is another thread's";
  brief_drain();
  EXPECT_TRUE(batches_.empty());
  EXPECT_TRUE(executor_.Step());
  EXPECT_THAT(batches_, ElementsAre(ElementsAre(1, 2)));
  // The drain that is left over finds nothing.
  EXPECT_TRUE(mailbox_.Put(3, 10, 0, true));
  EXPECT_TRUE(Put(4));
  std::swap(executor_.tasks[0], executor_.tasks[1]);
  while (executor_.Step()) {
  }
  EXPECT_THAT(batches_, ElementsAre(ElementsAre(1, 2), ElementsAre(3, 4)));
}

TEST_F(MailboxTest, WhoPutsLittleIsNotBehindWhoPutsMuch) {
  for (int i = 0; i < 900; ++i) EXPECT_TRUE(Put(i, 1));
  EXPECT_TRUE(Put(-1, 2));
  EXPECT_TRUE(executor_.Step());
  ASSERT_EQ(batches_.size(), 1u);
  EXPECT_THAT(batches_[0], ::testing::Contains(-1));
  EXPECT_LE(batches_[0].size(), Mailbox<int>::kBatch);
  while (executor_.Step()) {
  }
  std::vector<int> of_one;
  for (const auto& batch : batches_) {
    for (const int item : batch) {
      if (item >= 0) of_one.push_back(item);
    }
  }
  EXPECT_EQ(of_one.size(), 900u);
  EXPECT_TRUE(std::ranges::is_sorted(of_one)) << "a flow keeps its order";
}

TEST_F(MailboxTest, SharesAreTakenInTurnUntilAllIsDrained) {
  for (int i = 0; i < 40; ++i) {
    for (size_t flow = 1; flow <= 4; ++flow) EXPECT_TRUE(Put(i, flow));
  }
  size_t steps = 0;
  while (executor_.Step()) ++steps;
  size_t drained = 0;
  for (const auto& batch : batches_) drained += batch.size();
  EXPECT_EQ(drained, 160u);
  EXPECT_EQ(steps, 10u) << "16 at a time";
  EXPECT_TRUE(Put(1, 1));
  EXPECT_TRUE(executor_.Step());
  EXPECT_THAT(batches_.back(), ElementsAre(1));
}

TEST_F(MailboxTest, FullForWhoHasItsShare) {
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(Put(i, 1));
  EXPECT_FALSE(Put(1'000, 1));
  for (int i = 0; i < 500; ++i) EXPECT_TRUE(Put(i, 2)) << i;
  EXPECT_FALSE(Put(500, 2));
  EXPECT_FALSE(Put(1'000, 1));
  while (executor_.Step()) {
  }
  EXPECT_TRUE(Put(1, 1));
}

TEST_F(MailboxTest, BytesAreBoundedToo) {
  EXPECT_TRUE(Put(1, 1, 50'000)) << "one is always taken";
  EXPECT_FALSE(Put(2, 1, 1));
  EXPECT_TRUE(Put(3, 2, 5'000));
  EXPECT_FALSE(Put(4, 2, 1));
  while (executor_.Step()) {
  }
  EXPECT_TRUE(Put(5, 1, 10'000));
}

}  // namespace
}  // namespace ebla
