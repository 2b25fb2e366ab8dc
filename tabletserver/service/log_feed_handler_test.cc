// Requests of followers of a server's log, and the clocks of the moments in its answers.
#include "tabletserver/service/log_feed_handler.h"

#include <gtest/gtest.h>

#include <vector>

#include "tabletserver/service/request_check.h"
#include "tabletserver/storage/log/log_position.h"

namespace ebla::tabletserver {
namespace {

// Each look at the monotonic clock takes so long, and then no time at all.
class SlowClock final : public Executor {
 public:
  explicit SlowClock(std::vector<Duration> looks) : looks_(std::move(looks)) {}
  MonotonicTime Now() const override {
    if (seen_ < looks_.size()) now_ = now_ + looks_[seen_];
    ++seen_;
    return now_;
  }
  int64_t TimeOfDayMs() const override { return 1000 + now_.since_boot / std::chrono::milliseconds(1); }
  uint64_t Random() override { return 0; }
  void Post(Task) override {}
  TimerId After(Duration, Task) override { return {}; }
  void Cancel(TimerId) override {}
  bool InThread() const override { return true; }

 private:
  const std::vector<Duration> looks_;
  mutable size_t seen_ = 0;
  mutable MonotonicTime now_;
};

constexpr Duration kPause = std::chrono::milliseconds(20);
constexpr TabletTimeBasis kBasis{TabletTime{500}, {}};

std::optional<TabletMoment> MomentBy(std::vector<Duration> looks) {
  return MomentOf(SlowClock(std::move(looks)), kBasis, [] {});
}

TEST(LogFeedClockTest, APauseBetweenTheClocksIsTriedAgain) {
  int looked = 0;
  const SlowClock clock({kPause, kPause, kPause, kPause, Duration(1000)});
  const auto moment = MomentOf(clock, kBasis, [&] { ++looked; });
  ASSERT_TRUE(moment.has_value());
  EXPECT_EQ(moment->monotonic.since_boot, 4 * kPause + Duration(1000));
  EXPECT_EQ(moment->tablet, TabletTime{581});
  EXPECT_EQ(moment->day_ms, 1080);
  EXPECT_EQ(looked, 3);
}

// So that a moment of the tablet, put by the time of day, is not too late, and early by what rounding takes at most.
TEST(LogFeedClockTest, TabletTimeIsRoundedUpAndTheTimeOfDayDown) {
  const auto moment = MomentBy({std::chrono::microseconds(10), std::chrono::microseconds(980)});
  ASSERT_TRUE(moment.has_value());
  EXPECT_EQ(moment->tablet, TabletTime{501});
  EXPECT_EQ(moment->day_ms, 1000);
  EXPECT_EQ(moment->monotonic.since_boot, std::chrono::microseconds(990));
}

TEST(LogFeedClockTest, AMillisecondThatBeginsMeanwhileIsTriedAgain) {
  const auto moment = MomentBy({std::chrono::microseconds(990), std::chrono::microseconds(20)});
  ASSERT_TRUE(moment.has_value());
  EXPECT_EQ(moment->tablet, TabletTime{502});
  EXPECT_EQ(moment->day_ms, 1001);
}

TEST(LogFeedClockTest, NothingIsSaidWhereThePausesDoNotEnd) {
  EXPECT_FALSE(MomentBy(std::vector<Duration>(100, kPause)).has_value());
}

TEST(LogFeedRequestTest, NumbersThatNoReplyHasGivenAreRefused) {
  const auto code = [](const idl::FollowLogRequest& request) { return CheckRequest(request).code(); };
  EXPECT_EQ(code({}), Code::kOk);
  for (idl::LogPlace idl::FollowLogRequest::* const place :
       {&idl::FollowLogRequest::place, &idl::FollowLogRequest::keepFrom}) {
    idl::FollowLogRequest request;
    (request.*place).logId = -5;  // any number is an id
    (request.*place).segment = INT64_MAX;
    (request.*place).offset = kLogOffsetMax;
    EXPECT_EQ(code(request), Code::kOk);
    for (int64_t idl::LogPlace::* const number :
         {&idl::LogPlace::segment, &idl::LogPlace::offset, &idl::LogPlace::sequence}) {
      idl::FollowLogRequest bad = request;
      bad.*place.*number = -1;
      EXPECT_EQ(code(bad), Code::kInvalidArgument);
    }
    (request.*place).offset = INT64_MAX - 10;
    EXPECT_EQ(code(request), Code::kInvalidArgument);
  }
  idl::FollowLogRequest request;
  request.passOver = {7, -7};
  EXPECT_EQ(code(request), Code::kInvalidArgument);
}

}  // namespace
}  // namespace ebla::tabletserver
