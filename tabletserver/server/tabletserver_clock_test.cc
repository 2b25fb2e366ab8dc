// A server finds that its machine's clock has jumped (PROTOCOL 21): what expires, and what it reports.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tabletserver/testing/host_fixture.h"

namespace ebla::tabletserver {
namespace {

constexpr int64_t kHourMs = 3'600'000;
constexpr int64_t kDayMs = 24 * kHourMs;
constexpr int64_t kYearMs = 365 * kDayMs;

// Clocks are read to the millisecond.
bool IsAbout(int64_t ms, int64_t wanted_ms) { return std::abs(ms - wanted_ms) <= 5; }

class TabletServerClockTest : public HostFixture {
 protected:
  void SetUp() override {
    options_.clock.boot = "b-1";
    StartServer();
  }
  void Begin() {
    ASSERT_NO_FATAL_FAILURE(MakeTablet());
    ASSERT_EQ(Write({WithTtl(PutOf("k", "v"), kHourMs)}).header.code, idl::Code::OK);
  }
  // The server dies, and finds its machine's clock that much later.
  void RestartWithLeap(int64_t leap_ms, bool marked = true) {
    const ClockMark mark = server_->clock().mark();
    CrashServer();
    options_.clock.found = marked ? std::optional(mark) : std::nullopt;
    time_of_day_ms_ += leap_ms;
    StartServer();
  }
  int64_t MachineMs() const { return executor_->TimeOfDayMs(); }
  // The master has the tablet led, and names no time of day.
  void Lead(int64_t epoch) { MakeTablet(100, "", "", epoch); }
  // The same after a fence, whose answers name the time of day.
  void FenceAndLead(int64_t epoch) {
    const idl::FenceReply fenced = Fence(100, epoch);
    ASSERT_EQ(fenced.results.at(0).status.code, idl::Code::OK);
    idl::ConfigureTablet order = NewTablet(100, "", "", epoch);
    order.__set_timeOfDayMs(fenced.results[0].timeOfDayMs);
    ASSERT_EQ(Configure({order}).results.at(0).status.code, idl::Code::OK);
    ASSERT_TRUE(Until([&] { return Get("k").header.code != idl::Code::NOT_PRIMARY; }));
    ASSERT_TRUE(Until([&] { return Get("k").header.code != idl::Code::COME_AGAIN; }));
  }
  bool Reported(const std::function<bool(const idl::DiskReport&)>& expected) {
    return Until([&] { return expected(master_->last.disk); });
  }
  idl::AcceptClockReply Accept() {
    idl::AcceptClockRequest request;
    request.header = ControlTo();
    return Await<idl::AcceptClockReply>(
        [&](auto cob) { server_->control_service()->acceptClock(std::move(cob), request); });
  }
};

TEST_F(TabletServerClockTest, ARecordOutlivesAClockThatIsAYearAheadAfterARestart) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  RestartWithLeap(kYearMs);
  FenceAndLead(2);
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
  EXPECT_TRUE(Reported([&](const idl::DiskReport& disk) {
    return IsAbout(disk.clockDoubtMs, kYearMs) && disk.clockWaits == 1 &&
           disk.timeOfDayMs > 1'700'000'000'000 + kYearMs;
  }));
  scheduler_.RunFor(std::chrono::minutes(50));
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
  scheduler_.RunFor(std::chrono::minutes(15));
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND) << "an hour has passed by the monotonic clock";
}

TEST_F(TabletServerClockTest, WithoutAMarkItExpires) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  RestartWithLeap(kYearMs, false);
  FenceAndLead(2);
  EXPECT_EQ(Get("k").header.code, idl::Code::NOT_FOUND);
}

TEST_F(TabletServerClockTest, ATabletThatIsLedWithoutAFenceOutlivesItToo) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  RestartWithLeap(kYearMs);
  Lead(2);
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
}

TEST_F(TabletServerClockTest, ALeapUnderARunningServerChangesNothing) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  executor_->Leap(kYearMs);
  FenceAndLead(2);
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
  EXPECT_TRUE(Reported([&](const idl::DiskReport& disk) { return IsAbout(disk.clockDoubtMs, kYearMs); }));
  EXPECT_LT(Fence(100, 3).results.at(0).timeOfDayMs, 1'700'000'000'000 + kDayMs);
  // The leap is in no mark: after a restart it is doubted still.
  RestartWithLeap(kYearMs);
  FenceAndLead(4);
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
}

TEST_F(TabletServerClockTest, OnceAnOperatorAcceptsTheClockRecordsExpireByIt) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  RestartWithLeap(kYearMs);
  FenceAndLead(2);
  ASSERT_EQ(Get("k").header.code, idl::Code::OK);
  ASSERT_TRUE(Reported([](const idl::DiskReport& disk) { return disk.clockWaits == 1; }));
  EXPECT_EQ(Accept().status.code, idl::Code::OK);
  EXPECT_TRUE(Until([&] { return Get("k").header.code == idl::Code::NOT_FOUND; }, 5s));
  EXPECT_TRUE(Reported([](const idl::DiskReport& disk) { return disk.clockDoubtMs == 0 && disk.clockWaits == 0; }));
  learnt_ms_ = MachineMs() - 5'000;  // an older one is beyond the dedup window
  const idl::WriteReply put = Put("k", "w");
  ASSERT_EQ(put.header.code, idl::Code::OK) << put.header.message;
  EXPECT_GE(put.header.tabletTimeMs, MachineMs() - 10'000);
  EXPECT_EQ(Accept().status.code, idl::Code::OK) << "of a clock that is believed it changes nothing";
}

// Its records count their time from the doubted one: nothing of them is older.
TEST_F(TabletServerClockTest, ATableThatIsMadeInTheDoubtIsNotRaised) {
  RestartWithLeap(kYearMs);
  ASSERT_NO_FATAL_FAILURE(MakeTablet());
  ASSERT_EQ(Write({WithTtl(PutOf("k", "v"), kHourMs)}).header.code, idl::Code::OK);
  ASSERT_EQ(Accept().status.code, idl::Code::OK);
  scheduler_.RunFor(10s);
  EXPECT_EQ(Get("k").header.code, idl::Code::OK);
}

// A master on another machine ends a doubt before the fence that it asks for is answered.
TEST_F(TabletServerClockTest, TheTimeInAnOrderConfirmsAClock) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  RestartWithLeap(3 * kDayMs);
  idl::FenceRequest request;
  request.header = ControlTo();
  request.header.timeOfDayMs = MachineMs() + 5'000;
  request.header.boot = "b-1";
  request.tablets.emplace_back().tabletId = 100;
  request.tablets[0].epoch = 2;
  const auto fence = [&] {
    return Await<idl::FenceReply>([&](auto cob) { server_->control_service()->fence(std::move(cob), request); })
        .results.at(0)
        .timeOfDayMs;
  };
  EXPECT_LT(fence(), MachineMs() - 2 * kDayMs) << "a master on this machine has the same clock";
  request.header.boot = "b-2";
  request.header.timeOfDayMs = MachineMs() + 60'000;
  EXPECT_LT(fence(), MachineMs() - 2 * kDayMs) << "it shows another time";
  request.header.timeOfDayMs = MachineMs() + 5'000;
  EXPECT_GE(fence(), MachineMs() - 5'000);
}

TEST_F(TabletServerClockTest, AnAnsweredHeartbeatConfirmsAClock) {
  ASSERT_NO_FATAL_FAILURE(Begin());
  RestartWithLeap(3 * kDayMs);
  ASSERT_TRUE(Reported([](const idl::DiskReport& disk) { return IsAbout(disk.clockDoubtMs, 3 * kDayMs); }));
  master_->day_ms = [this] { return MachineMs() - 1000; };
  EXPECT_TRUE(Reported([](const idl::DiskReport& disk) { return disk.clockDoubtMs == 0; }));
}

}  // namespace
}  // namespace ebla::tabletserver
