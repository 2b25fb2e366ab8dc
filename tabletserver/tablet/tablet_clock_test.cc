#include "tabletserver/tablet/tablet_clock.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

namespace ebla::tabletserver {
namespace {

using std::chrono::milliseconds;

MonotonicTime At(int64_t ms) { return {milliseconds(ms)}; }

TEST(TabletClock, KnowsNothingAfterARestart) {
  const TabletClock clock;
  EXPECT_FALSE(clock.known());
  EXPECT_FALSE(clock.Now(At(5)));
}

TEST(TabletClock, GoesOnByItsOwnClock) {
  TabletClock clock;
  clock.RaiseTo(TabletTime{1000}, At(10));
  EXPECT_EQ(clock.Now(At(10)).value, 1000u);
  EXPECT_EQ(clock.Now(At(260)).value, 1250u);
  EXPECT_EQ(clock.Now(At(1)).value, 1000u);  // before it was seen: a reader's clock read a little earlier
}

TEST(TabletClock, StartsFromTheGreatestKnown) {
  TabletClock fresh;
  EXPECT_EQ(fresh.StartAt(At(0), TabletTime{700}, 1000, true).value, 1000u);   // the day is later than the log
  EXPECT_EQ(fresh.StartAt(At(0), TabletTime{1700}, 1000, true).value, 1700u);  // the log is later than the day
  // tablet time was known, so the day does not count
  EXPECT_EQ(fresh.StartAt(At(0), TabletTime{700}, 1000, false).value, 700u);
  TabletClock running;
  running.RaiseTo(TabletTime{500}, At(0));
  EXPECT_EQ(running.StartAt(At(100), TabletTime{550}, 1000, true).value, 600u);
}

TEST(TabletClock, NeverRunsBack) {
  EXPECT_TRUE(rc::check("times given out never fall", [] {
    TabletClock clock;
    clock.RaiseTo(TabletTime{1}, At(0));
    int64_t now = 0;
    TabletTime last;
    for (int i = 0; i < 30; ++i) {
      now += *rc::gen::inRange(0, 50);
      const TabletTime seen{*rc::gen::inRange<uint64_t>(1, 2000)};
      if (*rc::gen::arbitrary<bool>()) {
        clock.RaiseTo(seen, At(now));
        RC_ASSERT(clock.Now(At(now)) >= seen);
      }
      RC_ASSERT(clock.Now(At(now)) >= last);
      last = clock.Now(At(now));
    }
  }));
}

}  // namespace
}  // namespace ebla::tabletserver
