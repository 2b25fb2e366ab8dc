#include "common/testing/sim_executor.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "common/base/turn_end.h"

namespace ebla::testing {
namespace {

using std::chrono::milliseconds;

TEST(SimExecutor, TimeMovesToTheNextTimerAndTasksKeepTheirOrder) {
  SimScheduler scheduler(1);
  SimExecutor executor(scheduler);
  std::string order;
  const MonotonicTime start = executor.Now();
  executor.After(milliseconds(20), [&] { order += 'c'; });
  executor.Post([&] {
    order += 'a';
    executor.Post([&] { order += 'b'; });
  });
  EXPECT_TRUE(scheduler.RunUntil([&] { return order == "abc"; }, milliseconds(100)));
  EXPECT_EQ(executor.Now() - start, milliseconds(20));
}

TEST(SimExecutor, ACancelledTimerAndADeadExecutorRunNothing) {
  SimScheduler scheduler(1);
  int ran = 0;
  {
    SimExecutor executor(scheduler);
    executor.Cancel(executor.After(milliseconds(1), [&] { ++ran; }));
    scheduler.RunFor(milliseconds(5));
    executor.Post([&] { ++ran; });
  }
  scheduler.RunFor(milliseconds(5));
  EXPECT_EQ(ran, 0);
}

TEST(SimExecutor, ATimerIsNeverEarlyByItsOwnClockWhateverItsRate) {
  for (const double rate : {1.0, 0.9998, 1.0002, 0.5, 3.0}) {
    SimScheduler scheduler(1);
    SimExecutor executor(scheduler, 0, rate);
    for (int i = 1; i < 200; ++i) {
      const MonotonicTime due = executor.Now() + Duration(i * 7'919);
      bool ran = false;
      executor.After(due - executor.Now(), [&] { ran = true; });
      ASSERT_TRUE(scheduler.RunUntil([&] { return ran; }, milliseconds(10)));
      EXPECT_GE(executor.Now(), due) << rate;
    }
  }
}

TEST(SimExecutor, AHaltedOneForgetsItsTasksWhichMayPostAsTheyDie) {
  SimScheduler scheduler(1);
  SimExecutor executor(scheduler);
  int ran = 0;
  struct PostsAtDeath {
    SimExecutor& executor;
    int& ran;
    ~PostsAtDeath() {
      executor.Post([this] { ++ran; });
    }
  };
  executor.Post([&ran, last = std::make_unique<PostsAtDeath>(executor, ran)] { ++ran; });
  const TimerId timer = executor.After(milliseconds(1), [&] { ++ran; });
  executor.Halt();
  executor.Cancel(timer);
  executor.Post([&] { ++ran; });
  scheduler.RunFor(milliseconds(5));
  EXPECT_EQ(ran, 0);
}

TEST(SimExecutor, APausedProcessRunsWhatCameDueWhenItIsResumed) {
  SimScheduler scheduler(1);
  SimExecutor executor(scheduler);
  int ran = 0;
  executor.After(milliseconds(1), [&] { ++ran; });
  executor.Pause();
  scheduler.RunFor(milliseconds(5));
  EXPECT_EQ(ran, 0);
  executor.Resume();
  scheduler.RunFor(milliseconds(0));
  EXPECT_EQ(ran, 1);
}

TEST(PostedTurnEnd, RunsAHookOnceAfterTheTasksThatWait) {
  struct Hook final : TurnEndHook {
    Hook(PostedTurnEnd& turn, std::vector<std::string>& log) : turn_end(turn), ran(log) {}
    void OnTurnEnd() override {
      ran.emplace_back("hook");
      if (ran.size() == 2) turn_end.AtTurnEnd(this);
    }
    PostedTurnEnd& turn_end;
    std::vector<std::string>& ran;
  };
  SimScheduler scheduler(1);
  SimExecutor executor(scheduler);
  PostedTurnEnd turn_end(executor);
  std::vector<std::string> ran;
  Hook hook(turn_end, ran);
  executor.Post([&] { ran.emplace_back("first"); });
  turn_end.AtTurnEnd(&hook);
  turn_end.AtTurnEnd(&hook);
  executor.Post([&] { ran.emplace_back("second"); });
  scheduler.RunFor(milliseconds(1));
  EXPECT_EQ(ran, (std::vector<std::string>{"first", "hook", "second", "hook"})) << "asked again within, it runs again";
}

}  // namespace
}  // namespace ebla::testing
