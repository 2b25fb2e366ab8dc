#include "tools/load/async_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <utility>

#include "common/base/mutex.h"

namespace ebla::load {
namespace {

using namespace std::chrono_literals;
using std::chrono::microseconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

using Done = std::move_only_function<void(Status)>;

// Answers each operation on a thread of its own, while it is not held.
class Server {
 public:
  Server()
      : thread_([this] {
          while (Done done = Next()) done(Status::Ok());
        }) {}
  ~Server() {
    MutexLock lock(mutex_);
    ending_ = true;
    changed_.NotifyAll();
  }
  void Ask(Done done) {
    MutexLock lock(mutex_);
    asked_.push_back(std::move(done));
    ++seen_;
    changed_.NotifyAll();
  }
  void Hold(bool held) {
    MutexLock lock(mutex_);
    held_ = held;
    changed_.NotifyAll();
  }
  // Waits until so many are asked and not answered.
  size_t AwaitAsked(size_t count) {
    const SteadyTime deadline = std::chrono::steady_clock::now() + 10s;
    MutexLock lock(mutex_);
    while (asked_.size() < count && changed_.WaitUntil(mutex_, deadline)) {
    }
    return asked_.size();
  }
  int64_t seen() {
    MutexLock lock(mutex_);
    return seen_;
  }
  const StartOperation start = [this](int64_t, Done done) { Ask(std::move(done)); };

 private:
  // The next operation to answer; none once the test is over.
  Done Next() {
    MutexLock lock(mutex_);
    while (held_ || asked_.empty()) {
      if (ending_) return nullptr;
      changed_.Wait(mutex_);
    }
    Done done = std::move(asked_.front());
    asked_.pop_front();
    return done;
  }

  Mutex mutex_;
  CondVar changed_;
  bool held_ EBLA_GUARDED_BY(mutex_) = false;
  bool ending_ EBLA_GUARDED_BY(mutex_) = false;
  int64_t seen_ EBLA_GUARDED_BY(mutex_) = 0;
  std::deque<Done> asked_ EBLA_GUARDED_BY(mutex_);
  std::jthread thread_;
};

TEST(AsyncLoad, AClosedLoopHasSoManyUnderWayAndNoMore) {
  Server server;
  server.Hold(true);
  AsyncLoad load({.clients = 5}, server.start);
  EXPECT_EQ(server.AwaitAsked(5), 5u);
  server.Hold(false);
  const Timings timings = MeasureOperations(2, 20ms, server.start);
  EXPECT_GT(timings.per_second, 0);
  EXPECT_LE(timings.p50_us, timings.p999_us);
  EXPECT_THAT(load.End().operations(), SizeIs(::testing::Ge(5u)));
  EXPECT_EQ(server.AwaitAsked(0), 0u);
}

TEST(AsyncLoad, AnOpenLoopGoesOnWhileNothingIsAnsweredAndCountsFromWhenItWasDue) {
  Server server;
  server.Hold(true);
  const SteadyTime begun = std::chrono::steady_clock::now();
  AsyncLoad load({.per_second = 2'000}, server.start);
  EXPECT_GE(server.AwaitAsked(100), 100u);
  const SteadyTime released = std::chrono::steady_clock::now();
  server.Hold(false);
  const Waits waits = load.End();
  ASSERT_THAT(waits.operations(), SizeIs(server.seen()));
  EXPECT_GE(waits.Longest({begun, released}), std::chrono::duration_cast<microseconds>(99 * 500us - 1ms))
      << "the first one waited for those behind it";
  EXPECT_EQ(waits.operations()[10].due - waits.operations()[0].due, 10 * 500us);
}

TEST(AsyncLoad, NothingIsBegunAfterTheEnd) {
  Server server;
  AsyncLoad load({.clients = 3}, server.start);
  const size_t all = load.End().operations().size();
  EXPECT_EQ(server.seen(), static_cast<int64_t>(all));
  EXPECT_THAT(load.End().operations(), IsEmpty());
}

TEST(Waits, AWindowHasWhatOverlapsIt) {
  const SteadyTime t{1h};
  const Waits waits({{t + 5ms, t + 6ms}, {t, t + 2ms}, {t + 1ms, t + 9ms}});
  EXPECT_THAT(waits.In({t + 3ms, t + 5ms}), ElementsAre(8ms));
  EXPECT_THAT(waits.In({t, t + 1ms}), ElementsAre(2ms));
  EXPECT_EQ(waits.Longest({t, t + 10ms}), 8ms);
  EXPECT_EQ(waits.Longest({t + 9ms, t + 10ms}), 0ms);
}

}  // namespace
}  // namespace ebla::load
