#include "tools/backup/pace.h"

#include <gtest/gtest.h>

namespace ebla::backup {
namespace {

using namespace std::chrono_literals;

constexpr uint64_t kMegabyte = 1 << 20;
constexpr Pace::Clock::time_point kStart{1h};

TEST(PaceTest, AGuestReadsATabletAtOnceAndThenRestsFourTimesAsLong) {
  Pace pace({});
  EXPECT_EQ(pace.AfterPage(kStart, kMegabyte), kStart);
  EXPECT_EQ(pace.AfterTablet(kStart + 2s, kStart), kStart + 10s);
}

TEST(PaceTest, AnOperatorsRateIsKeptWithinTabletsAndBetweenThem) {
  Pace pace(20 * kMegabyte);
  // A second's worth is free.
  for (int page = 0; page < 20; ++page) EXPECT_LE(pace.AfterPage(kStart, kMegabyte), kStart);
  EXPECT_EQ(pace.AfterPage(kStart, kMegabyte), kStart + 50ms);
  EXPECT_EQ(pace.AfterPage(kStart + 50ms, kMegabyte), kStart + 100ms);
  EXPECT_EQ(pace.AfterTablet(kStart + 9s, kStart), kStart + 9s);
}

TEST(PaceTest, APauseIsNotMadeUpFor) {
  Pace pace(20 * kMegabyte);
  const auto later = kStart + 10min;
  EXPECT_EQ(pace.AfterPage(later, kMegabyte), later - 950ms);
  EXPECT_EQ(pace.AfterPage(later, 100 * kMegabyte), later + 4050ms);
}

}  // namespace
}  // namespace ebla::backup
