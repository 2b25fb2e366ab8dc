#include "tools/load/workers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

namespace ebla::load {
namespace {

using namespace std::chrono_literals;
using ::testing::SizeIs;

// Counts its operations and its end.
class Counter : public Worker {
 public:
  Counter(std::atomic<int>& done, std::atomic<int>& ended, bool goes_on = true)
      : done_(done), ended_(ended), goes_on_(goes_on) {}
  bool Work() override {
    ++done_;
    return goes_on_;
  }
  void End() override { ++ended_; }

 private:
  std::atomic<int>&done_, &ended_;
  const bool goes_on_;
};

TEST(Workers, OneThatIsDoneEndsAloneAndStopEndsTheRest) {
  std::atomic<int> done = 0, ended = 0;
  Workers workers;
  workers.Add(std::make_unique<Counter>(done, ended, false));
  workers.Add(std::make_unique<Counter>(done, ended));
  EXPECT_TRUE(AwaitProgress([&] { return workers.operations(); }, 1'000).ok());
  EXPECT_TRUE(AwaitProgress([&] { return workers.operations() * ended; }, 1).ok());
  EXPECT_EQ(ended, 1);
  EXPECT_FALSE(workers.WaitUntilDone(std::chrono::steady_clock::now()));
  workers.Stop();
  workers.Join();
  EXPECT_EQ(ended, 2);
  workers.Add([] {
    ADD_FAILURE() << "none is begun any more";
    return false;
  });
  EXPECT_TRUE(workers.WaitUntilDone());
}

TEST(Workers, WhileTheyAreHeldNothingIsUnderWay) {
  std::atomic<int> under_way = 0;
  Workers workers;
  for (int i = 0; i < 4; ++i) {
    workers.Add([&] {
      ++under_way;
      std::this_thread::yield();
      return --under_way >= 0;
    });
  }
  for (int round = 0; round < 20; ++round) {
    ASSERT_TRUE(AwaitProgress([&] { return workers.operations(); }, 10).ok());
    workers.Hold();
    const int64_t before = workers.operations();
    for (int look = 0; look < 10; ++look) {
      ASSERT_EQ(under_way, 0);
      std::this_thread::yield();
    }
    ASSERT_EQ(workers.operations(), before);
    workers.Resume();
  }
}

TEST(Workers, HeldOnesAreStoppedToo) {
  Workers workers;
  workers.Hold();
  workers.Add([] { return true; });
  workers.Stop();
  workers.Join();
  EXPECT_EQ(workers.operations(), 0);
}

TEST(Workers, TheLongestWaitIsTakenOnceAndOnlyOfTimedOnes) {
  Workers workers;
  workers.Add([&] { return workers.stop().WaitFor(30ms) && false; });
  workers.Join();
  EXPECT_GE(workers.TakeLongestWait(), 30ms);
  EXPECT_EQ(workers.TakeLongestWait(), 0ms);
  workers.Add([&] { return workers.stop().WaitFor(30ms) && false; }, {.timed = false});
  workers.Join();
  EXPECT_EQ(workers.TakeLongestWait(), 0ms);
}

TEST(Workers, NoMoreThanTheFirstHundredFailuresAreKept) {
  Workers workers;
  for (int i = 0; i < 150; ++i) workers.Failed(std::to_string(i));
  EXPECT_THAT(workers.failures(), SizeIs(100));
  EXPECT_EQ(workers.TakeFailures().back(), "99");
  EXPECT_THAT(workers.failures(), SizeIs(0));
}

TEST(Pacer, PacersOfSeveralThreadsInterleave) {
  const SteadyTime start{1h};
  const Pacer first(start, 10ms), second(start, 10ms, 5ms), free(start, 0ms, 0ms);
  EXPECT_EQ(first.Intended(0), start);
  EXPECT_EQ(second.Intended(0), start + 5ms);
  EXPECT_EQ(first.Intended(3), start + 30ms);
  EXPECT_FALSE(free.paced());
  EXPECT_EQ(free.Intended(3), SteadyTime{});
}

}  // namespace
}  // namespace ebla::load
