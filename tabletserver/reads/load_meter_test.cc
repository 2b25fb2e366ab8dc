#include "tabletserver/reads/load_meter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace ebla::tabletserver {
namespace {

using namespace std::chrono_literals;

std::string_view NoKey(uint64_t) { return {}; }

TEST(LoadMeter, CountsFromManyThreadsAddUp) {
  LoadMeter meter;
  std::vector<std::thread> threads;
  for (size_t slot = 0; slot < 6; ++slot) {
    threads.emplace_back([&meter, slot] {
      for (int i = 0; i < 10'000; ++i) meter.CountReads(slot, 1, 10, Duration(3), NoKey);
      meter.CountWrites(slot, 1, 100, Duration(5));
      meter.CountCacheMisses(64);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const LoadTotals totals = meter.totals();
  EXPECT_EQ(totals.reads, 60'000u);
  EXPECT_EQ(totals.read_bytes, 600'000u);
  EXPECT_EQ(totals.writes, 6u);
  EXPECT_EQ(totals.write_bytes, 600u);
  EXPECT_EQ(totals.busy_ns, 180'000u + 30u);
  EXPECT_EQ(totals.cache_misses, 6 * 64u);
}

TEST(LoadRates, ApproachASteadyLoadAndFadeAfterIt) {
  LoadRates rates;
  LoadTotals totals;
  MonotonicTime now{1s};
  rates.Update(totals, now);
  for (int second = 0; second < 30; ++second) {
    totals.reads += 1000;
    totals.busy_ns += 250'000'000;
    totals.cache_misses += 640;
    now = now + 1s;
    rates.Update(totals, now);
    EXPECT_LE(rates.reads, 1000);
  }
  EXPECT_NEAR(rates.reads, 1000, 10);
  EXPECT_NEAR(rates.busy_micros, 250'000, 2'500);
  EXPECT_NEAR(rates.cache_misses, 640, 7);
  for (int second = 0; second < 30; ++second) {
    now = now + 1s;
    rates.Update(totals, now);
  }
  EXPECT_LT(rates.reads, 10);
  rates.Update({.reads = 5}, now + 1s);
  EXPECT_LT(rates.reads, 10) << "a meter that begins anew";
}

// A second of reads by two loops and writes by a shard; the keys noted of it.
std::vector<TouchedKey> OneSecond(LoadMeter& meter, MonotonicTime& now, uint64_t reads, uint64_t writes) {
  for (uint64_t i = 0; i < reads; ++i) meter.CountReads(i % 2, 1, 10, Duration(3), [](uint64_t) { return "read"; });
  for (uint64_t i = 0; i < writes; ++i) meter.OfferWrite(2, [](uint64_t) { return "written"; });
  now = now + 1s;
  return meter.TakeKeys(now);
}

size_t Written(const std::vector<TouchedKey>& keys) {
  return static_cast<size_t>(std::count_if(keys.begin(), keys.end(), [](const TouchedKey& one) { return one.write; }));
}

TEST(LoadMeter, NotesAboutAsManyKeysUnderAnyLoad) {
  LoadMeter meter;
  MonotonicTime now{1s};
  EXPECT_EQ(OneSecond(meter, now, 20, 5).size(), 25u) << "all of a quiet tablet's";
  EXPECT_EQ(OneSecond(meter, now, 100'000, 0).size(), LoadMeter::kKeysMax) << "bounded before the load is known";
  for (int second = 0; second < 10; ++second) {
    const auto keys = OneSecond(meter, now, 100'000, 25'000);
    if (second == 0) continue;  // each second is sampled as the one before it asked for
    EXPECT_NEAR(static_cast<double>(keys.size()), LoadMeter::kKeysPerSecond, 40);
    EXPECT_NEAR(static_cast<double>(Written(keys)), static_cast<double>(keys.size()) / 5, 15);
  }
  OneSecond(meter, now, 1'000, 0);  // the load falls to a hundredth
  EXPECT_NEAR(static_cast<double>(OneSecond(meter, now, 1'000, 0).size()), LoadMeter::kKeysPerSecond, 40);
}

TEST(LoadMeter, OneOfSeveralKeysIsChosenAlike) {
  LoadMeter meter;
  MonotonicTime now{1s};
  size_t low = 0, all = 0;
  for (int second = 0; second < 50; ++second) {
    for (int i = 0; i < 100; ++i) {
      meter.CountReads(0, 100, 10, Duration(3), [](uint64_t draw) { return draw % 100 < 50 ? "low" : "high"; });
    }
    now = now + 1s;
    for (const TouchedKey& one : meter.TakeKeys(now)) {
      ++all;
      low += one.key == "low" ? 1 : 0;
    }
  }
  EXPECT_GT(all, 5'000u);
  EXPECT_NEAR(static_cast<double>(low) / static_cast<double>(all), 0.5, 0.03);
}

TEST(LoadMeter, KeysFromManyThreadsAreNotedWhileTheyAreTaken) {
  LoadMeter meter;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> reads{0};
  std::vector<std::thread> threads;
  for (size_t slot = 0; slot < 4; ++slot) {
    threads.emplace_back([&, slot] {
      const std::string key = "key" + std::to_string(slot);
      uint64_t mine = 0;
      for (; !stop.load(std::memory_order_relaxed); ++mine) {
        meter.CountReads(slot, 1, 10, Duration(3), [&](uint64_t) { return std::string_view(key); });
      }
      reads.fetch_add(mine);
    });
  }
  MonotonicTime now{1s};
  size_t taken = 0;
  std::set<std::string> seen;
  while (taken < 5'000 || seen.size() < 4) {
    now = now + 20ms;
    for (TouchedKey& one : meter.TakeKeys(now)) {
      ++taken;
      seen.insert(std::move(one.key));
    }
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(seen, (std::set<std::string>{"key0", "key1", "key2", "key3"}));
  EXPECT_EQ(meter.totals().reads, reads.load());
}

TEST(LoadMeter, OfALongKeyTheBeginningIsNoted) {
  LoadMeter meter;
  meter.OfferWrite(0, [key = std::string(4'000, 'k')](uint64_t) { return std::string_view(key); });
  const auto keys = meter.TakeKeys(MonotonicTime{1s});
  ASSERT_EQ(keys.size(), 1u);
  EXPECT_EQ(keys[0].key, std::string(LoadMeter::kKeyBytesMax, 'k'));
  EXPECT_TRUE(keys[0].write);
}

TEST(LoadPeaks, HoldTheHighestRatesOfFiveMinutes) {
  LoadPeaks peaks;
  LoadRates rates;
  MonotonicTime now{12'345s};
  const MonotonicTime begun = now;
  peaks.Begin(now);
  EXPECT_EQ(peaks.operations(now), 0);
  for (int second = 0; second < 900; ++second, now = now + 1s) {
    const bool burst = second >= 100 && second < 110;
    rates.reads = burst ? 4'000 : 400;
    rates.writes = 100;
    rates.busy_micros = burst ? 500'000 : 50'000;
    peaks.Note(rates, now);
    const bool seen = second >= 100 && second < 110 + 299;
    const bool gone = second < 100 || second > 110 + 330;
    if (seen) {
      ASSERT_EQ(peaks.operations(now), 4'100) << second;
      ASSERT_EQ(peaks.busy_micros(now), 500'000) << second;
    } else if (gone) {
      ASSERT_EQ(peaks.operations(now), 500) << second;
    }
    ASSERT_EQ(peaks.covered(now), std::min<Duration>(now - begun, 5min));
  }
  rates.reads = 4'000;
  peaks.Note(rates, now);
  rates.reads = 400;
  peaks.Note(rates, now + 70s);
  EXPECT_EQ(peaks.operations(now + 70s), 4'100);
  peaks.Cover(30s);
  EXPECT_EQ(peaks.operations(now + 70s), 500) << "older than is asked for";
  EXPECT_EQ(peaks.covered(now + 70s), 30s);
  peaks.Cover(1h);
  EXPECT_EQ(peaks.covered(now + 70s), 5min) << "no more is kept";
  peaks.Begin(now + 15s);
  peaks.Note(rates, now + 14s);
  EXPECT_EQ(peaks.operations(now + 14s), 0) << "before it counts";
  EXPECT_EQ(peaks.covered(now + 14s), 0s);
  peaks.Note(rates, now + 16s);
  EXPECT_EQ(peaks.operations(now + 16s), 500);
  EXPECT_EQ(peaks.covered(now + 16s), 1s);
}

}  // namespace
}  // namespace ebla::tabletserver
