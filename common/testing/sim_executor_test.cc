#include "common/testing/sim_executor.h"

#include <gtest/gtest.h>

namespace ebla::testing {
namespace {

using std::chrono::milliseconds;

TEST(SimExecutor, TimeMovesToTheNextTimerAndTasksKeepTheirOrder) {
  SimScheduler scheduler(1);
  SimExecutor executor(scheduler);
  std::string order;
  const MonotonicTime start = executor.Now();
  executor.After(milliseconds(20), [&] { order += 'c'; });
  executor.Post([&] { order += 'a'; executor.Post([&] { order += 'b'; }); });
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

}  // namespace
}  // namespace ebla::testing
