#include "common/rpc/event_loop.h"

#include <algorithm>
#include <map>
#include <random>
#include <thread>

#include "common/rpc/rpc_test_util.h"

namespace ebla::rpc {
namespace {

TEST(EventLoopTest, RunsTasksOfAThreadInOrderOnItsOwnThread) {
  EventLoop loop("loop");
  std::vector<int> seen;
  std::promise<void> done;
  for (int i = 0; i < 100; ++i) loop.Post([&, i] { seen.push_back(i); });
  EXPECT_FALSE(loop.InThread());
  loop.Start();
  for (int i = 100; i < 1000; ++i) loop.Post([&, i] { seen.push_back(i); });
  loop.Post([&] {
    EXPECT_TRUE(loop.InThread());
    done.set_value();
  });
  done.get_future().get();
  ASSERT_EQ(seen.size(), 1000u);
  EXPECT_TRUE(std::ranges::is_sorted(seen));
}

TEST(EventLoopTest, WakesForEveryPostFromManyThreads) {
  EventLoop loop("loop");
  loop.Start();
  std::atomic<int> ran{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 20'000; ++i) {
        loop.Post([&] { ++ran; });
        if (i % 97 == 0) std::this_thread::yield();  // lets the loop fall asleep in between
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_TRUE(WaitFor([&] { return ran == 80'000; }));
}

TEST(EventLoopTest, TimersRunInOrderOfTimeAndNotEarly) {
  EventLoop loop("loop");
  loop.Start();
  std::vector<int> order;
  std::promise<void> done;
  const MonotonicTime start = loop.Now();
  loop.After(30ms, [&] {
    EXPECT_GE(loop.Now() - start, 30ms);
    order.push_back(30);
    done.set_value();
  });
  loop.After(10ms, [&] { order.push_back(10); });
  loop.After(20ms, [&] { order.push_back(20); });
  loop.After(-1ms, [&] { order.push_back(0); });
  done.get_future().get();
  EXPECT_EQ(order, (std::vector<int>{0, 10, 20, 30}));
}

TEST(EventLoopTest, ACancelledTimerDoesNotRun) {
  EventLoop loop("loop");
  loop.Start();
  bool ran = false;
  std::promise<void> done;
  loop.Post([&] {
    const TimerId second = loop.After(0ms, [&] { ran = true; });
    loop.After(-1ms, [&] {});
    loop.Cancel(second);
    loop.Cancel(second);
    loop.Cancel({});
    loop.After(1ms, [&] { done.set_value(); });  // later than the cancelled one: its turn is over by then
  });
  done.get_future().get();
  EXPECT_FALSE(ran);
}

TEST(EventLoopTest, ATimerWakesALoopThatSleepsLonger) {
  EventLoop loop("loop");
  loop.Start();
  loop.After(Duration::max(), [] { ADD_FAILURE(); });
  std::promise<pid_t> thread;
  loop.Post([&] { thread.set_value(gettid()); });
  const pid_t id = thread.get_future().get();
  ASSERT_TRUE(WaitFor([&] { return ThreadState(id) == 'S'; })) << "it should sleep, for ever";
  std::promise<void> done;
  loop.After(1ms, [&] { done.set_value(); });
  EXPECT_EQ(done.get_future().wait_for(20s), std::future_status::ready);
}

// The median delay of timers of an otherwise idle loop. Some rounds are quiet, even on a busy machine.
TEST(EventLoopTest, TimersAreLateByMuchLessThanAMillisecond) {
  EventLoop loop("loop");
  loop.Start();
  const auto lateness = [&] {
    std::vector<Duration> late;
    for (int i = 0; i < 21; ++i) {
      std::promise<MonotonicTime> ran;
      const MonotonicTime due = loop.Now() + 300us;
      loop.After(300us, [&] { ran.set_value(loop.Now()); });
      late.push_back(ran.get_future().get() - due);
    }
    std::ranges::nth_element(late, late.begin() + 10);
    return late[10];
  };
  EXPECT_TRUE(WaitFor([&] { return lateness() < 700us; }));
}

TEST(EventLoopTest, StopDestroysUnrunWhatIsQueued) {
  auto token = std::make_shared<int>(1);
  EventLoop loop("loop");
  loop.Start();
  loop.After(std::chrono::hours(1), [token] {});
  loop.Stop();
  loop.Post([token] { ADD_FAILURE(); });
  EXPECT_FALSE(loop.After(0ms, [token] { ADD_FAILURE(); }));
  EXPECT_EQ(token.use_count(), 1);
}

TEST(EventLoopTest, ATaskMayPostWithoutKeepingTheLoopFromItsTimers) {
  std::atomic<bool> stop{false};
  std::function<void()> again;
  EventLoop loop("loop");  // ends before what its last task still copies
  again = [&] {
    if (!stop) loop.Post(again);
  };
  loop.Start();
  loop.Post(again);
  std::promise<void> done;
  loop.After(1ms, [&] { done.set_value(); });
  EXPECT_EQ(done.get_future().wait_for(20s), std::future_status::ready);
  stop = true;
}

// The id of the thread that runs each.
class LendingTest : public ::testing::Test {
 protected:
  void SetUp() override {
    lender_.Start();
    borrower_.Start();
    lenders_ = ThreadOf(lender_);
    borrowers_ = ThreadOf(borrower_);
  }
  static pid_t ThreadOf(EventLoop& loop) {
    std::promise<pid_t> thread;
    loop.Post([&] { thread.set_value(gettid()); });
    return thread.get_future().get();
  }
  void LetItSleep() {
    ASSERT_TRUE(WaitFor([&] { return ThreadState(lenders_) == 'S'; }));
  }

  EventLoop lender_{"lender", EventLoop::Turns::kLent};
  EventLoop borrower_{"borrower"};
  pid_t lenders_ = 0, borrowers_ = 0;
};

TEST_F(LendingTest, WhatIsBriefIsRunByWhoPostsItAtItsTurnsEnd) {
  const auto ran_by = [&] {
    pid_t thread = 0;
    bool within_post = true;
    std::promise<void> answered;
    LetItSleep();
    borrower_.Post([&] {
      lender_.PostBrief([&] {
        thread = gettid();
        EXPECT_TRUE(lender_.InThread());
        EXPECT_FALSE(borrower_.InThread());
        borrower_.Post([&] { answered.set_value(); });
      });
      within_post = thread != 0;
    });
    answered.get_future().get();
    EXPECT_FALSE(within_post);
    return thread;
  };
  // Its thread may be up for something else just then.
  EXPECT_TRUE(WaitFor([&] { return ran_by() == borrowers_; }));
}

TEST_F(LendingTest, WhatIsNotBriefIsRunByItsOwnThreadAndWhatCameBeforeWithIt) {
  LetItSleep();
  std::vector<pid_t> ran;
  std::promise<void> done;
  borrower_.Post([&] {
    lender_.PostBrief([&] { ran.push_back(gettid()); });
    lender_.Post([&] {
      ran.push_back(gettid());
      done.set_value();
    });
  });
  done.get_future().get();
  EXPECT_EQ(ran, (std::vector<pid_t>{lenders_, lenders_}));
}

TEST_F(LendingTest, WhoeverRunsNoLoopWakesItUp) {
  LetItSleep();
  std::promise<pid_t> ran;
  lender_.PostBrief([&] { ran.set_value(gettid()); });
  EXPECT_EQ(ran.get_future().get(), lenders_);
}

TEST_F(LendingTest, ATimerThatABorrowedTurnSetsIsItsOwnThreads) {
  LetItSleep();
  std::promise<pid_t> ran;
  borrower_.Post([&] { lender_.PostBrief([&] { lender_.After(1ms, [&] { ran.set_value(gettid()); }); }); });
  EXPECT_EQ(ran.get_future().get(), lenders_);
}

// Neither another loop's brief tasks nor what is not brief.
TEST_F(LendingTest, WhoStandsStillWithAPromiseHoldsUpNobody) {
  EventLoop other("other");
  other.Start();
  for (const bool brief : {false, true}) {
    LetItSleep();
    std::promise<void> ran, promised;
    borrower_.Post([&] {
      lender_.PostBrief([] {});
      promised.set_value();
      EXPECT_EQ(ran.get_future().wait_for(20s), std::future_status::ready);
    });
    promised.get_future().get();
    const auto task = [&] { ran.set_value(); };
    brief ? other.Post([&] { lender_.PostBrief(task); }) : lender_.Post(task);
    ThreadOf(borrower_);  // its turn is over
  }
}

TEST_F(LendingTest, NothingIsLostOrRunTwiceAtOnceHoweverItIsPosted) {
  constexpr int kEach = 20'000;
  EventLoop other("other");
  other.Start();
  int running = 0, ran = 0;  // the lender's own
  std::atomic<int> all{0};
  std::map<EventLoop*, int> last;
  const auto task = [&](EventLoop* from, int number) {
    return [&, from, number] {
      EXPECT_EQ(++running, 1);
      EXPECT_TRUE(lender_.InThread());
      if (from != nullptr) {
        EXPECT_EQ(std::exchange(last[from], number), number - 1);
      }
      ++ran;
      --running;
      ++all;
    };
  };
  std::function<void(EventLoop&, int)> post = [&](EventLoop& loop, int number) {
    if (number > kEach) return;
    number % 7 == 0 ? lender_.Post(task(&loop, number)) : lender_.PostBrief(task(&loop, number));
    if (number % 5 == 0) {
      lender_.After(0ms, [&] {
        EXPECT_EQ(++running, 1);
        --running;
      });
    }
    // Mostly when its thread is asleep again.
    if (number % 3 == 0) return void(loop.After(20us, [&post, &loop, number] { post(loop, number + 1); }));
    loop.Post([&post, &loop, number] { post(loop, number + 1); });
  };
  for (EventLoop* loop : {&borrower_, &other}) loop->Post([&post, loop] { post(*loop, 1); });
  for (int i = 1; i <= kEach; ++i) {
    lender_.PostBrief(task(nullptr, i));
    if (i % 97 == 0) std::this_thread::yield();
  }
  EXPECT_TRUE(WaitFor([&] { return all == 3 * kEach; })) << all;
  other.Stop();
  borrower_.Stop();
  std::promise<int> counted;
  lender_.Post([&] { counted.set_value(ran); });
  EXPECT_EQ(counted.get_future().get(), 3 * kEach);
}

TEST_F(LendingTest, StopsWhileOthersPost) {
  auto token = std::make_shared<int>(1);
  std::atomic<bool> over{false};
  std::function<void()> again = [&] {
    lender_.PostBrief([token] {});
    if (!over) borrower_.Post(again);
  };
  borrower_.Post(again);
  lender_.Stop();
  over = true;
  borrower_.Stop();
  EXPECT_EQ(token.use_count(), 1);
}

TEST(TimerHeapTest, AgreesWithASortedMap) {
  const uint64_t seed = std::random_device()();
  SCOPED_TRACE("seed " + std::to_string(seed));
  std::mt19937_64 random(seed);
  TimerHeap<int> heap;
  std::map<std::pair<Duration, int>, TimerHeap<int>::Handle> model;
  std::vector<TimerHeap<int>::Handle> gone;
  for (int i = 1; i < 20'000; ++i) {
    const uint64_t choice = random() % 5;
    if (choice < 3) {
      const Duration when(random() % 100);
      model[{when, i}] = heap.Push({when}, i);
    } else if (!model.empty() && choice == 3) {
      auto it = model.begin();
      std::advance(it, random() % std::min<size_t>(model.size(), 50));
      int value = 0;
      ASSERT_TRUE(heap.Remove(it->second, &value));
      ASSERT_EQ(value, it->first.second);
      gone.push_back(it->second);
      model.erase(it);
    } else if (!model.empty()) {
      ASSERT_EQ(heap.next().since_boot, model.begin()->first.first);
      ASSERT_EQ(heap.PopTop(), model.begin()->first.second);
      gone.push_back(model.begin()->second);
      model.erase(model.begin());
    }
    ASSERT_EQ(heap.size(), model.size());
  }
  for (const auto handle : gone) ASSERT_FALSE(heap.Remove(handle));
}

}  // namespace
}  // namespace ebla::rpc
