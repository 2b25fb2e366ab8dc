#include "common/rpc/loop_threads.h"

#include <event2/event.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <memory>
#include <random>
#include <set>
#include <thread>

#include "common/rpc/event_loop.h"
#include "common/rpc/listener.h"
#include "common/rpc/rpc_test_util.h"

namespace ebla::rpc {
namespace {

// Changes at once, as often as the policy advises.
LoopThreads::Options Eager(std::function<ThreadChange(const ThreadLoad&)> policy) {
  return {.policy = std::move(policy),
          .window = std::chrono::microseconds(200),
          .settle = {},
          .calm = {},
          .hold_min = {},
          .hold_max = {},
          .regret = {}};
}

struct SharedLoops {
  SharedLoops(size_t count, LoopThreads::Options options) {
    for (size_t i = 0; i < count; ++i) {
      owned.push_back(std::make_unique<EventLoop>("loop-" + std::to_string(i)));
      loops.push_back(owned.back().get());
    }
    threads = std::make_unique<LoopThreads>(loops, std::move(options));
  }
  // A thread looks at its load when it has something to do.
  bool Reach(size_t active) {
    return WaitFor([&] {
      for (EventLoop* loop : loops) RunOn(*loop, [] {});
      return threads->active() == active;
    });
  }

  std::vector<std::unique_ptr<EventLoop>> owned;
  std::vector<EventLoop*> loops;
  std::unique_ptr<LoopThreads> threads;
};

TEST(LoopThreadsTest, BeginsWithAThreadForEach) {
  SharedLoops shared(3, Eager([](const ThreadLoad&) { return ThreadChange::kNone; }));
  shared.threads->Start();
  EXPECT_EQ(shared.threads->active(), 3u);
}

TEST(LoopThreadsTest, ATaskKnowsItsLoopAmongThoseOfItsThread) {
  SharedLoops shared(3, Eager([](const ThreadLoad&) { return ThreadChange::kJoin; }));
  shared.threads->Start();
  ASSERT_TRUE(shared.Reach(1));
  std::set<std::thread::id> threads;
  for (EventLoop* loop : shared.loops) {
    RunOn(*loop, [&] {
      threads.insert(std::this_thread::get_id());
      for (const EventLoop* other : shared.loops) EXPECT_EQ(other->InThread(), other == loop);
      EXPECT_EQ(EventLoop::Current(), loop);
    });
  }
  EXPECT_EQ(threads.size(), 1u);
}

TEST(LoopThreadsTest, SleepsUntilATaskATimerOrASocketOfAnyLoop) {
  SharedLoops shared(2, Eager([](const ThreadLoad&) { return ThreadChange::kJoin; }));
  shared.threads->Start();
  ASSERT_TRUE(shared.Reach(1));
  pid_t thread = 0;
  RunOn(*shared.loops[0], [&] { thread = gettid(); });
  const auto sleeps = [&] { return ThreadState(thread) == 'S'; };
  for (EventLoop* loop : shared.loops) {
    ASSERT_TRUE(WaitFor(sleeps));
    std::promise<void> task;
    loop->Post([&] { task.set_value(); });
    EXPECT_EQ(task.get_future().wait_for(10s), std::future_status::ready);

    std::promise<void> timer;
    const MonotonicTime start = loop->Now();
    loop->After(20ms, [&] { timer.set_value(); });
    EXPECT_EQ(timer.get_future().wait_for(10s), std::future_status::ready);
    EXPECT_GE(loop->Now() - start, 20ms);

    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    std::promise<void> socket;
    const auto arrived = [](evutil_socket_t, short, void* promise) {
      static_cast<std::promise<void>*>(promise)->set_value();
    };
    event* readable = nullptr;
    RunOn(*loop, [&] {
      readable = event_new(loop->base(), fd, EV_READ, arrived, &socket);
      event_add(readable, nullptr);
    });
    ASSERT_TRUE(WaitFor(sleeps));
    const uint64_t one = 1;
    ASSERT_EQ(write(fd, &one, sizeof(one)), static_cast<ssize_t>(sizeof(one)));
    EXPECT_EQ(socket.get_future().wait_for(10s), std::future_status::ready);

    // A timer such as libevent's resolver sets.
    std::promise<void> late;
    event* timeout = nullptr;
    RunOn(*loop, [&] {
      timeout = event_new(loop->base(), -1, 0, arrived, &late);
      const timeval soon{.tv_sec = 0, .tv_usec = 10'000};
      event_add(timeout, &soon);
    });
    EXPECT_EQ(late.get_future().wait_for(10s), std::future_status::ready);
    RunOn(*loop, [&] {
      event_free(timeout);
      event_free(readable);
    });
    close(fd);
  }
}

TEST(LoopThreadsTest, SpreadsAndJoinsAsThePolicySays) {
  std::atomic<ThreadChange> wanted{ThreadChange::kJoin};
  SharedLoops shared(4, Eager([&](const ThreadLoad&) { return wanted.load(); }));
  shared.threads->Start();
  EXPECT_TRUE(shared.Reach(1));
  wanted = ThreadChange::kSpread;
  EXPECT_TRUE(shared.Reach(4));
  std::set<std::thread::id> threads;
  for (EventLoop* loop : shared.loops) RunOn(*loop, [&] { threads.insert(std::this_thread::get_id()); });
  EXPECT_EQ(threads.size(), 4u);
}

TEST(LoopThreadsTest, NobodyJoinsAThreadThatStandsStillWithinATurn) {
  std::atomic<int> asked{0};
  SharedLoops shared(2, Eager([&](const ThreadLoad&) {
                       ++asked;
                       return ThreadChange::kJoin;
                     }));
  std::promise<void> go_on;
  shared.loops[0]->Post([&, may = go_on.get_future().share()] { may.wait(); });
  shared.threads->Start();
  EXPECT_TRUE(WaitFor([&] {
    RunOn(*shared.loops[1], [] {});
    return asked >= 50;
  }));
  EXPECT_EQ(shared.threads->active(), 2u);
  go_on.set_value();
  EXPECT_TRUE(shared.Reach(1));
}

TEST(LoopThreadsTest, NobodyJoinsAThreadThatWaitedForADiskLately) {
  std::atomic<pid_t> waits{0};  // the thread of the first loop
  std::atomic<int> asked{0};    // how often that thread was to join another, since its wait
  std::atomic<bool> blocked{false};
  LoopThreads::Options options = Eager([&](const ThreadLoad& load) {
    if (gettid() == waits && Blocks(load)) blocked = true;
    if (!blocked) return ThreadChange::kNone;
    if (gettid() == waits) ++asked;
    return ThreadChange::kJoin;
  });
  options.calm = 1h;
  SharedLoops shared(2, std::move(options));
  shared.threads->Start();
  RunOn(*shared.loops[0], [&] { waits = gettid(); });
  // It waits as for a disk: within a turn, without a processor.
  EXPECT_TRUE(WaitFor([&] {
    std::promise<void> begun, go_on;
    shared.loops[0]->Post([&begun, may = go_on.get_future().share()] {
      begun.set_value();
      may.wait();
    });
    begun.get_future().wait();
    EXPECT_TRUE(WaitFor([&] { return ThreadState(waits) == 'S'; }));
    go_on.set_value();
    RunOn(*shared.loops[0], [] {});
    return blocked.load();
  }));
  EXPECT_TRUE(WaitFor([&] {
    RunOn(*shared.loops[0], [] {});
    return asked >= 50;
  }));
  EXPECT_EQ(shared.threads->active(), 2u);
}

// Each loop passes tokens round to the next, while the loops themselves are passed round among the threads.
TEST(LoopThreadsTest, NothingIsLostOrRunTwiceAtOnceWhileLoopsMove) {
  std::atomic<size_t> changes{0};
  SharedLoops shared(4, Eager([&](const ThreadLoad&) {
                       static thread_local std::minstd_rand random{std::random_device{}()};
                       ++changes;
                       return random() % 2 == 0 ? ThreadChange::kSpread : ThreadChange::kJoin;
                     }));
  struct Station {
    std::atomic<bool> running{false};
    int plain = 0;  // unguarded: a data race shows under ThreadSanitizer
  };
  std::vector<Station> stations(shared.loops.size());
  std::atomic<int> finished{0};
  std::atomic<int> sent{0};
  constexpr int kTokens = 8;
  constexpr size_t kChanges = 300;
  std::function<void(size_t)> hop = [&](size_t at) {
    EXPECT_FALSE(stations[at].running.exchange(true));
    ++stations[at].plain;
    EXPECT_TRUE(shared.loops[at]->InThread());
    stations[at].running = false;
    if (changes >= kChanges) {
      ++finished;
      return;
    }
    const size_t next = (at + 1) % shared.loops.size();
    auto onward = [&hop, next] { hop(next); };
    if (++sent % 100 == 0) {
      shared.loops[next]->After(100us, std::move(onward));
    } else {
      shared.loops[next]->Post(std::move(onward));
    }
  };
  shared.threads->Start();
  for (int i = 0; i < kTokens; ++i) shared.loops[0]->Post([&hop] { hop(0); });
  EXPECT_TRUE(WaitFor([&] { return finished == kTokens; }));
  shared.threads->Stop();
  int hops = 0;
  for (const Station& station : stations) hops += station.plain;
  EXPECT_EQ(hops, kTokens + sent);
}

TEST(LoopThreadsTest, StopsWhileLoopsMoveAndDropsWhatIsQueued) {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> asked{0};
    SharedLoops shared(
        3, Eager([&](const ThreadLoad&) { return ++asked % 2 == 0 ? ThreadChange::kJoin : ThreadChange::kSpread; }));
    const auto held = std::make_shared<int>(0);
    shared.threads->Start();
    std::function<void(EventLoop&)> again = [&](EventLoop& loop) { loop.Post([&, held] { again(loop); }); };
    for (EventLoop* loop : shared.loops) again(*loop);
    EXPECT_TRUE(WaitFor([&] { return asked >= 10; }));
    shared.threads->Stop();
    shared.threads->Stop();
    EXPECT_EQ(held.use_count(), 1);
  }
}

// Measured with two processors that a client shares: docs/lab/loop-threads.md.
TEST(ThreadLoadTest, AdvisesByWhatThreadsGainOrCost) {
  struct Case {
    const char* name;
    ThreadLoad load;
    ThreadChange change;
  };
  for (const Case& one : {
           Case{"pipelined gets on one thread, a processor to spare",
                {.busy = 1, .running = 0.99, .stretch = 30ms, .idle_processors = 0.66},
                ThreadChange::kSpread},
           Case{"single gets on one thread, the client has the other processor",
                {.busy = 1, .running = 0.95, .waiting = 0.04, .stretch = 1ms, .idle_processors = 0.08},
                ThreadChange::kNone},
           Case{"single sets on one thread",
                {.busy = 0.85, .running = 0.75, .waiting = 0.12, .stretch = 99us, .idle_processors = 0.3},
                ThreadChange::kNone},
           Case{"hardly anything", {.busy = 0.05, .running = 0.04, .stretch = 20us}, ThreadChange::kNone},
           Case{
               "reads that wait for the disk",
               {.busy = 0.6, .running = 0.1, .blocked = 0.5, .stretch = 20us, .disk_reads = 40, .idle_processors = 1.5},
               ThreadChange::kSpread},
           Case{"reads that wait for the disk, where processors are short",
                {.busy = 0.6, .running = 0.1, .waiting = 0.4, .stretch = 20us, .disk_reads = 3},
                ThreadChange::kNone},
           Case{"single gets on two threads",
                {.busy = 0.5, .running = 0.43, .waiting = 0.28, .stretch = 42us},
                ThreadChange::kJoin},
           Case{"single sets on two threads",
                {.busy = 0.5, .running = 0.4, .waiting = 0.37, .stretch = 50us},
                ThreadChange::kJoin},
           Case{"pipelined gets on two threads",
                {.busy = 0.95, .running = 0.76, .waiting = 0.23, .stretch = 320us, .idle_processors = 0.15},
                ThreadChange::kNone},
           Case{"single gets on two of eight processors",
                {.busy = 0.5, .running = 0.43, .waiting = 0.01, .stretch = 30us},
                ThreadChange::kNone},
       }) {
    EXPECT_EQ(Advise(one.load), one.change) << one.name;
  }
}

TEST(ThreadLoadTest, MeasuresTheThreadThatAsks) {
  using Clock = ThreadMeter::Clock;
  ThreadMeter meter(20ms);
  Clock::time_point begun = Clock::now();
  meter.Restart(begun);
  EXPECT_FALSE(meter.Measure(begun + 19ms));

  // Whatever else the machine does, it leaves some windows alone.
  EXPECT_TRUE(WaitFor([&] {
    meter.Restart(begun = Clock::now());
    while (Clock::now() < begun + 50ms) {
    }
    const auto worked = meter.Measure(Clock::now());
    return worked && worked->busy == 1 && worked->running + worked->waiting > 0.8 && !Blocks(*worked);
  }));

  meter.Restart(begun = Clock::now());
  std::this_thread::sleep_for(50ms);
  Clock::time_point ended = Clock::now();
  meter.Slept(ended - begun);
  const auto slept = meter.Measure(ended);
  ASSERT_TRUE(slept);
  EXPECT_LT(slept->running, 0.5);
  EXPECT_LT(slept->busy, 0.2);

  // The loop does not report this as a sleep. A late wake-up is a wait for a processor.
  EXPECT_TRUE(WaitFor([&] {
    meter.Restart(begun = Clock::now());
    std::this_thread::sleep_for(50ms);
    const auto blocked = meter.Measure(Clock::now());
    return blocked && blocked->blocked > 0.5 && Blocks(*blocked);
  }));
}

}  // namespace
}  // namespace ebla::rpc
