#include "tools/load/task_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace ebla::load {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

using Answer = std::function<void(int)>;

class TaskLoopTest : public ::testing::Test {
 protected:
  // An answer of another thread.
  Task<int> Ask(int answer) {
    co_return co_await loop_.Call<int>(
        [this, answer](Answer done) { threads_.emplace_back([answer, done = std::move(done)] { done(answer); }); });
  }
  Task<std::string> AskTwice(int answer) {
    const int first = co_await Ask(answer);
    const int second = co_await Ask(answer + 1);
    co_return std::to_string(first) + std::to_string(second);
  }
  Task<> Note(std::chrono::nanoseconds after, int what) {
    const bool slept = co_await loop_.SleepFor(after);
    if (slept) noted_.push_back(what);
  }
  Task<int> AnswerAtOnce(int answer) { co_return answer; }
  Task<int> Sum(int count) {
    int sum = 0;
    for (int i = 0; i < count; ++i) sum += co_await AnswerAtOnce(1);
    co_return sum;
  }

  std::stop_source stop_;
  TaskLoop loop_{stop_.get_token()};
  std::vector<int> noted_;
  std::vector<std::jthread> threads_;
};

TEST_F(TaskLoopTest, ACallComesToWhatAnotherThreadAnswers) { EXPECT_EQ(loop_.Run(AskTwice(4)), "45"); }

TEST_F(TaskLoopTest, ACallMayBeAnsweredBeforeItHasReturned) {
  const auto ask = [](TaskLoop& loop) -> Task<int> {
    co_return co_await loop.Call<int>([](const Answer& done) { done(7); });
  };
  EXPECT_EQ(loop_.Run(ask(loop_)), 7);
}

TEST_F(TaskLoopTest, TheEarliestSleepEndsFirst) {
  std::vector<Task<>> tasks;
  for (const int number : {3, 1, 2}) tasks.push_back(Note(number * 20ms, number));
  loop_.Run(std::move(tasks));
  EXPECT_THAT(noted_, ElementsAre(1, 2, 3));
}

TEST_F(TaskLoopTest, AStopEndsSleepsThatBeganBeforeAndAfterIt) {
  std::jthread stopper([this] { stop_.request_stop(); });
  std::vector<Task<>> tasks;
  for (int i = 0; i < 3; ++i) tasks.push_back(Note(1h, i));
  loop_.Run(std::move(tasks));
  EXPECT_THAT(noted_, IsEmpty());
  tasks.clear();
  tasks.push_back(Note(1h, 4));
  loop_.Run(std::move(tasks));
  EXPECT_THAT(noted_, IsEmpty());
}

TEST_F(TaskLoopTest, AMillionTasksThatNeverWaitNeedNoStack) { EXPECT_EQ(loop_.Run(Sum(1'000'000)), 1'000'000); }

TEST_F(TaskLoopTest, WhatIsDroppedBeforeItIsDoneEndsWithItsLocals) {
  const auto held = std::make_shared<int>(1);
  const auto wait = [](TaskLoop& loop, std::shared_ptr<int> kept) -> Task<int> {
    co_await loop.Call<int>([](const Answer&) {});
    co_return *kept;
  };
  {
    Task<int> task = wait(loop_, held);
    task.Start();
    EXPECT_EQ(held.use_count(), 2);
  }
  EXPECT_EQ(held.use_count(), 1);
}

}  // namespace
}  // namespace ebla::load
