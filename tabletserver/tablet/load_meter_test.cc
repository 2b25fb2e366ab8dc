#include "tabletserver/tablet/load_meter.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

TEST(LoadMeter, CountsFromManyThreadsAddUp) {
  LoadMeter meter;
  std::vector<std::thread> threads;
  for (size_t slot = 0; slot < 6; ++slot) {
    threads.emplace_back([&meter, slot] {
      for (int i = 0; i < 10'000; ++i) meter.CountReads(slot, 1, 10, Duration(3));
      meter.CountWrites(slot, 1, 100, Duration(5));
    });
  }
  for (std::thread& thread : threads) thread.join();
  const LoadTotals totals = meter.totals();
  EXPECT_EQ(totals.reads, 60'000u);
  EXPECT_EQ(totals.read_bytes, 600'000u);
  EXPECT_EQ(totals.writes, 6u);
  EXPECT_EQ(totals.write_bytes, 600u);
  EXPECT_EQ(totals.busy_ns, 180'000u + 30u);
}

TEST(LoadRates, ApproachASteadyLoadAndFadeAfterIt) {
  LoadRates rates;
  LoadTotals totals;
  MonotonicTime now{1s};
  rates.Update(totals, now);
  for (int second = 0; second < 30; ++second) {
    totals.reads += 1000;
    totals.busy_ns += 250'000'000;
    now = now + 1s;
    rates.Update(totals, now);
    EXPECT_LE(rates.reads, 1000);
  }
  EXPECT_NEAR(rates.reads, 1000, 10);
  EXPECT_NEAR(rates.busy_micros, 250'000, 2'500);
  for (int second = 0; second < 30; ++second) {
    now = now + 1s;
    rates.Update(totals, now);
  }
  EXPECT_LT(rates.reads, 10);
}

}  // namespace
}  // namespace ebla::tabletserver
