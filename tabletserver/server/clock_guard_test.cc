// A server believes or doubts its machine's clock; the test sets the machine's clocks by hand.
#include "tabletserver/server/clock_guard.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;
using std::chrono::milliseconds;

constexpr int64_t kDayMs = 86'400'000;
constexpr int64_t kYearMs = 365 * kDayMs;
constexpr int64_t kMarkedMs = 1'700'000'000'000;  // in the mark
constexpr Duration kMarkedSince = 5000s;          // the machine had run for so long then

class Machine final : public Executor {
 public:
  MonotonicTime Now() const override {
    if (pause_) {  // the process is stopped between two looks
      since_ += *pause_;
      day_ms_ += std::chrono::duration_cast<milliseconds>(*std::exchange(pause_, std::nullopt)).count();
    }
    return {since_};
  }
  int64_t TimeOfDayMs() const override {
    const int64_t day_ms = day_ms_;
    pause_ = std::exchange(pause_after_, std::nullopt);
    return day_ms;
  }
  uint64_t Random() override { return 0; }
  void Post(Task) override {}
  TimerId After(Duration, Task) override { return {}; }
  void Cancel(TimerId) override {}
  bool InThread() const override { return true; }

  void Pass(Duration time) {
    since_ += time;
    day_ms_ += std::chrono::duration_cast<milliseconds>(time).count();
  }
  void Set(int64_t day_ms) { day_ms_ = day_ms; }
  void Leap(int64_t ms) { day_ms_ += ms; }
  void Reboot() { since_ = 10s; }
  // The next look at both clocks is interrupted for so long.
  void PauseWithin(Duration time) { pause_after_ = time; }

 private:
  mutable Duration since_ = kMarkedSince;
  mutable int64_t day_ms_ = kMarkedMs;
  mutable std::optional<Duration> pause_, pause_after_;
};

class ClockGuardTest : public ::testing::Test {
 protected:
  // A server starts: on the boot of the mark, or another, or with no mark.
  ClockGuard StartOn(const std::string& boot, std::optional<ClockMark> found = kFound) {
    return {machine_, {.boot = boot, .found = std::move(found), .synchronized = [this] { return Synchronized(); }}};
  }
  // The kernel's answers in turn; the last of `ntp_` stays.
  bool Synchronized() {
    const bool now = ntp_.front();
    if (ntp_.size() > 1) ntp_.erase(ntp_.begin());
    return now;
  }
  static inline const ClockMark kFound{.boot = "b-1",
                                       .since_boot_ms = std::chrono::duration_cast<milliseconds>(kMarkedSince).count(),
                                       .day_ms = kMarkedMs};

  Machine machine_;
  std::vector<bool> ntp_ = {false};
};

void ExpectBelieved(const ClockGuard& guard, const Machine& machine) {
  EXPECT_EQ(guard.DayMs(), machine.TimeOfDayMs());
  EXPECT_NE(guard.trust(), ClockTrust::kDoubted);
  EXPECT_EQ(guard.state().doubt_ms, 0);
}

TEST_F(ClockGuardTest, WithoutAMarkAnyClockIsBelieved) {
  for (const int64_t day_ms : {int64_t{1000}, kMarkedMs, kMarkedMs + 50 * kYearMs}) {
    machine_.Set(day_ms);
    ExpectBelieved(StartOn("b-1", std::nullopt), machine_);
  }
  machine_.Set(kMarkedMs + kYearMs);
  ExpectBelieved(StartOn("b-1", ClockMark{"b-1", 0, -5}), machine_);  // no clock has shown that
}

TEST_F(ClockGuardTest, InTheSameBootTheTimeIsKnownToAMinute) {
  machine_.Pass(3h);
  ExpectBelieved(StartOn("b-1"), machine_);
  machine_.Leap(60'000);
  ExpectBelieved(StartOn("b-1"), machine_);
  machine_.Leap(-120'000);
  ExpectBelieved(StartOn("b-1"), machine_);
  for (const int64_t leap_ms : {int64_t{61'000}, kYearMs, int64_t{-61'000}, -kYearMs}) {
    machine_.Set(kMarkedMs + 3 * 3'600'000 + leap_ms);
    const ClockGuard guard = StartOn("b-1");
    EXPECT_EQ(guard.trust(), ClockTrust::kDoubted) << leap_ms;
    EXPECT_EQ(guard.DayMs(), kMarkedMs + 3 * 3'600'000);
    EXPECT_EQ(guard.state().doubt_ms, leap_ms);
    EXPECT_EQ(guard.state().machine_ms, machine_.TimeOfDayMs());
  }
}

TEST_F(ClockGuardTest, AfterAnotherBootADayMayHavePassed) {
  machine_.Reboot();
  for (const int64_t ms : {int64_t{-60'000}, int64_t{0}, kDayMs}) {
    machine_.Set(kMarkedMs + ms);
    ExpectBelieved(StartOn("b-2"), machine_);
  }
  for (const int64_t ms : {int64_t{-61'000}, kDayMs + 1000, kYearMs}) {
    machine_.Set(kMarkedMs + ms);
    const ClockGuard guard = StartOn("b-2");
    EXPECT_EQ(guard.trust(), ClockTrust::kDoubted) << ms;
    EXPECT_EQ(guard.DayMs(), kMarkedMs);
    machine_.Pass(1h);
    EXPECT_EQ(guard.DayMs(), kMarkedMs + 3'600'000);
    EXPECT_EQ(guard.state().doubt_ms, ms);
  }
  machine_.Set(kMarkedMs + kDayMs);
  ExpectBelieved(StartOn("", ClockMark{"", 0, kMarkedMs}), machine_);  // two unknown boots are not the same
  machine_.Leap(kDayMs);
  EXPECT_EQ(StartOn("", ClockMark{"", 0, kMarkedMs}).trust(), ClockTrust::kDoubted);
}

// A machine without a hardware clock begins with the time at which it ended, or with that of a zone.
TEST_F(ClockGuardTest, TheDayAfterAnotherBootHoldsForTheWholeLife) {
  machine_.Reboot();
  const ClockGuard guard = StartOn("b-2");
  ExpectBelieved(guard, machine_);
  machine_.Pass(5s);
  machine_.Leap(kDayMs - 1000);
  ExpectBelieved(guard, machine_);
  machine_.Leap(-kDayMs / 2);
  ExpectBelieved(guard, machine_);
  machine_.Pass(100h);
  machine_.Leap(kDayMs / 2);
  ExpectBelieved(guard, machine_);
  machine_.Leap(62'000);  // a day and a minute in all
  EXPECT_EQ(guard.trust(), ClockTrust::kDoubted);
  machine_.Leap(-2 * kDayMs);
  EXPECT_EQ(guard.trust(), ClockTrust::kDoubted);
}

TEST_F(ClockGuardTest, AClockThatNtpHasSynchronizedIsBelieved) {
  for (const int64_t leap_ms : {kYearMs, -kYearMs}) {
    for (const char* const boot : {"b-1", "b-2", ""}) {
      machine_.Set(kMarkedMs + leap_ms);
      ntp_ = {false};
      const ClockGuard guard = StartOn(boot);
      EXPECT_EQ(guard.trust(), ClockTrust::kDoubted) << leap_ms << boot;
      ntp_ = {true};
      EXPECT_EQ(guard.trust(), ClockTrust::kSure) << leap_ms << boot;
      ExpectBelieved(guard, machine_);
      ExpectBelieved(StartOn(boot), machine_);
    }
  }
}

TEST_F(ClockGuardTest, OnceNtpHasSynchronizedItAClockMayLeapADayNoMore) {
  machine_.Reboot();
  const ClockGuard guard = StartOn("b-2");
  ntp_ = {true};
  ExpectBelieved(guard, machine_);
  ntp_ = {false};  // as the kernel reports once the clock is set by hand
  machine_.Leap(kDayMs / 2);
  EXPECT_EQ(guard.trust(), ClockTrust::kDoubted);
}

TEST_F(ClockGuardTest, AClockThatIsSetWhileItIsReadIsNotBelieved) {
  const ClockGuard guard = StartOn("b-1");
  machine_.Leap(kYearMs);
  for (const bool before : {true, false}) {
    ntp_ = {before, !before, false};
    EXPECT_EQ(guard.trust(), ClockTrust::kDoubted);
  }
}

TEST_F(ClockGuardTest, ARunningServerFollowsNoLeapAndAllSmallSteps) {
  const ClockGuard guard = StartOn("b-1", std::nullopt);
  machine_.Pass(1h);
  ExpectBelieved(guard, machine_);
  const int64_t before_ms = guard.DayMs();
  for (const int64_t leap_ms : {kYearMs, -2 * kYearMs}) {
    machine_.Leap(leap_ms);
    machine_.Pass(1s);
    EXPECT_EQ(guard.trust(), ClockTrust::kDoubted);
  }
  EXPECT_EQ(guard.DayMs(), before_ms + 2000);
  machine_.Leap(kYearMs);  // as it was
  ExpectBelieved(guard, machine_);
  for (int i = 0; i < 10; ++i) {
    machine_.Leap(50'000);
    machine_.Pass(1h);
    ExpectBelieved(guard, machine_);
  }
  machine_.Leap(kDayMs / 2);  // the day is for starts in another boot
  EXPECT_EQ(guard.trust(), ClockTrust::kDoubted);
}

TEST_F(ClockGuardTest, AProcessThatIsStoppedBetweenItsClocksDoubtsNothing) {
  const ClockGuard guard = StartOn("b-1", std::nullopt);
  machine_.PauseWithin(2h);
  EXPECT_EQ(guard.trust(), ClockTrust::kSure);
  ExpectBelieved(guard, machine_);
}

TEST_F(ClockGuardTest, AnOperatorEndsADoubtUntilTheNextLeap) {
  machine_.Leap(kYearMs);
  ClockGuard guard = StartOn("b-1");
  ASSERT_EQ(guard.trust(), ClockTrust::kDoubted);
  guard.Accept();
  EXPECT_EQ(guard.trust(), ClockTrust::kAccepted);
  ExpectBelieved(guard, machine_);
  machine_.Pass(10h);
  EXPECT_EQ(guard.trust(), ClockTrust::kAccepted);
  machine_.Leap(-kYearMs);
  EXPECT_EQ(guard.trust(), ClockTrust::kDoubted);
  machine_.Leap(kYearMs);
  EXPECT_EQ(guard.trust(), ClockTrust::kSure) << "the accepted doubt is not this one";
  guard.Accept();
  EXPECT_EQ(guard.trust(), ClockTrust::kSure) << "there was none";
}

TEST_F(ClockGuardTest, AMasterOnAnotherMachineEndsADoubtWhereItsClockAgrees) {
  machine_.Leap(3 * kDayMs);
  ClockGuard guard = StartOn("b-2");
  const int64_t day_ms = machine_.TimeOfDayMs();
  const std::pair<int64_t, std::string> nothing[] = {
      {day_ms, "b-2"}, {day_ms, ""},       {day_ms - 10'001, "b-9"}, {day_ms + 10'001, "b-9"},
      {0, "b-9"},      {INT64_MIN, "b-9"}, {INT64_MAX, "b-9"},       {kMarkedMs, "b-9"}};
  for (const auto& [masters_ms, boot] : nothing) {
    guard.Compare(masters_ms, boot);
    EXPECT_EQ(guard.trust(), ClockTrust::kDoubted) << masters_ms << " of " << boot;
  }
  guard.Compare(day_ms - 10'000, "b-9");
  EXPECT_EQ(guard.trust(), ClockTrust::kSure);
  ExpectBelieved(guard, machine_);
  ClockGuard nowhere = StartOn("");
  nowhere.Compare(day_ms, "b-9");
  EXPECT_EQ(nowhere.trust(), ClockTrust::kDoubted) << "the master may be on this very machine";
}

TEST_F(ClockGuardTest, TheMarkOfADoubtIsTheLastSureTime) {
  {
    const ClockGuard guard = StartOn("b-1");
    machine_.Pass(1h);
    EXPECT_EQ(guard.mark(), (ClockMark{"b-1", kFound.since_boot_ms + 3'600'000, kMarkedMs + 3'600'000}));
    machine_.Leap(kYearMs);
    EXPECT_EQ(guard.mark(), (ClockMark{"b-1", kFound.since_boot_ms + 3'600'000, kMarkedMs + 3'600'000}));
  }
  const ClockMark left = StartOn("b-1").mark();
  EXPECT_EQ(StartOn("b-1", left).trust(), ClockTrust::kDoubted) << "a second start does not believe it either";
}

// The mark names the boot in which the time was sure: what may have passed until the machine was started again stays
// unknown, however often the server is.
TEST_F(ClockGuardTest, AClockThatIsSetAfterASecondStartMayStillBeADayLater) {
  machine_.Reboot();
  machine_.Leap(kYearMs);
  ClockMark left;
  {
    const ClockGuard guard = StartOn("b-2");
    machine_.Pass(1h);
    left = guard.mark();
    EXPECT_EQ(left.day_ms, kMarkedMs + 3'600'000);
  }
  const ClockGuard again = StartOn("b-2", left);
  EXPECT_EQ(again.trust(), ClockTrust::kDoubted);
  machine_.Set(kMarkedMs + kDayMs);  // the machine was off for 23 hours
  ExpectBelieved(again, machine_);
  EXPECT_EQ(again.mark().boot, "b-2");
  EXPECT_EQ(StartOn("", std::nullopt).mark().boot, "unknown") << "no boot: there is no mark";
}

}  // namespace
}  // namespace ebla::tabletserver
