#include "common/rpc/stall_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
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

}  // namespace
}  // namespace ebla::rpc
