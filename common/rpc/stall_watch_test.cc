#include "common/rpc/stall_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "common/base/mutex.h"
#include "common/rpc/rpc_test_util.h"

namespace ebla::rpc {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;

class Lines {
 public:
  StallWatch::Tell Tell() {
    return [this](const std::string& line) {
      const MutexLock lock(mutex_);
      lines_.push_back(line);
    };
  }
  std::vector<std::string> All() const {
    const MutexLock lock(mutex_);
    return lines_;
  }

 private:
  mutable Mutex mutex_;
  std::vector<std::string> lines_ EBLA_GUARDED_BY(mutex_);
};

[[gnu::noinline]] void HoldsTheLoopUp(std::future<void> released) {
  released.wait();
  asm volatile("");  // so that the call above is no jump
}

TEST(StallWatchTest, ALoopThatIsHeldUpIsToldWithTheFunctionThatDoesIt) {
  EventLoop loop("shard-7"), other("loop-1");
  loop.Start();
  other.Start();
  Lines lines;
  {
    StallWatch watch({&loop, &other}, lines.Tell());
    std::promise<void> release;
    loop.Post([&] { HoldsTheLoopUp(release.get_future()); });
    const auto told = Contains(AllOf(HasSubstr("the loop shard-7 has been held up for "),
                                     HasSubstr("HoldsTheLoopUp < "), HasSubstr("(state S")));
    EXPECT_TRUE(WaitFor([&] { return ::testing::Matches(told)(lines.All()); }));
    EXPECT_THAT(lines.All(), told);
    release.set_value();
    EXPECT_TRUE(WaitFor([&] { return watch.figures()[0].stalls > 0; }));
    EXPECT_EQ(watch.figures()[0].loop, "shard-7");
    EXPECT_GE(watch.figures()[0].stalled, StallWatch::kLong);
    EXPECT_THAT(lines.All(), Contains(HasSubstr("the loop shard-7 was held up for ")));
  }
  loop.Stop();
  other.Stop();
}

size_t CountOf(const std::vector<std::string>& lines, const std::string& text) {
  return static_cast<size_t>(std::ranges::count_if(lines, [&](const auto& line) { return line.contains(text); }));
}

// A thread that blocks the signal is like one that waits for a disk within the kernel, or that ends just then.
TEST(StallWatchTest, AThreadThatNeverAnswersHidesNoOther) {
  EventLoop mute("mute"), loop("shard-7");
  mute.Start();
  loop.Start();
  Lines lines;
  std::promise<void> release_mute, release;
  {
    StallWatch watch({&mute, &loop}, lines.Tell());
    mute.Post([&] {
      sigset_t all, before;
      sigfillset(&all);
      pthread_sigmask(SIG_SETMASK, &all, &before);
      HoldsTheLoopUp(release_mute.get_future());
      pthread_sigmask(SIG_SETMASK, &before, nullptr);
    });
    ASSERT_TRUE(WaitFor([&] { return CountOf(lines.All(), "the loop mute has been held up") > 0; }));
    EXPECT_THAT(lines.All(), Contains(HasSubstr(": no stack (")));
    loop.Post([&] { HoldsTheLoopUp(release.get_future()); });
    EXPECT_TRUE(WaitFor([&] { return CountOf(lines.All(), "HoldsTheLoopUp < ") > 0; }));
    release_mute.set_value();
    release.set_value();
  }
  loop.Stop();
  mute.Stop();
}

TEST(StallWatchTest, AnOverloadedMachineFillsNoLog) {
  constexpr size_t kLoops = StallWatch::kLinesMax + 4;
  std::vector<std::unique_ptr<EventLoop>> loops;
  std::vector<EventLoop*> watched;
  for (size_t i = 0; i < kLoops; ++i) {
    watched.push_back(loops.emplace_back(std::make_unique<EventLoop>("loop-" + std::to_string(i))).get());
    loops.back()->Start();
  }
  Lines lines;
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  {
    StallWatch watch(watched, lines.Tell());
    for (const auto& loop : loops) loop->Post([released] { released.wait(); });
    EXPECT_TRUE(WaitFor([&] { return lines.All().size() == StallWatch::kLinesMax; }));
    release.set_value();
    EXPECT_TRUE(WaitFor([&] {
      return std::ranges::all_of(watch.figures(), [](const StallWatch::Figures& one) { return one.stalls > 0; });
    }));
    EXPECT_EQ(lines.All().size(), static_cast<size_t>(StallWatch::kLinesMax));
  }
  for (const auto& loop : loops) loop->Stop();
}

}  // namespace
}  // namespace ebla::rpc
