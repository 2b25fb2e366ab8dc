// The distributions against what their definitions predict. Seeds are fixed, so a bound once met is always met.
#include "tools/ycsb/generators.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>
#include <set>

#include "tools/ycsb/keys.h"

namespace ebla::ycsb {
namespace {

using ::testing::HasSubstr;

constexpr int kDraws = 200'000;

std::map<uint64_t, int> Draw(NumberGenerator& generator, uint64_t seed, int draws = kDraws) {
  Random random(seed);
  std::map<uint64_t, int> counts;
  for (int i = 0; i < draws; ++i) ++counts[generator.Next(random)];
  return counts;
}

// Pearson's statistic: the sum of (observed - expected)^2 / expected.
double ChiSquare(const std::map<uint64_t, int>& counts, const std::map<uint64_t, double>& probabilities, int draws) {
  double sum = 0;
  for (const auto& [value, probability] : probabilities) {
    const auto it = counts.find(value);
    const double difference = (it == counts.end() ? 0 : it->second) - probability * draws;
    sum += difference * difference / (probability * draws);
  }
  return sum;
}

// The statistic has k - 1 degrees of freedom: mean k - 1, variance 2 (k - 1). Four deviations above is 1 in 30,000.
double ChiSquareBound(size_t values) {
  const double freedom = static_cast<double>(values - 1);
  return freedom + 4 * std::sqrt(2 * freedom);
}

TEST(Generators, UniformIsUniform) {
  UniformGenerator generator(10, 109);
  std::map<uint64_t, double> expected;
  for (uint64_t i = 10; i <= 109; ++i) expected[i] = 0.01;
  const auto counts = Draw(generator, 1);
  EXPECT_EQ(counts.begin()->first, 10u);
  EXPECT_EQ(counts.rbegin()->first, 109u);
  EXPECT_LT(ChiSquare(counts, expected, kDraws), ChiSquareBound(100));
}

TEST(Generators, ZetaIsTheSumAndYcsbsConstant) {
  EXPECT_DOUBLE_EQ(Zeta(1, 0.99), 1);
  EXPECT_DOUBLE_EQ(Zeta(3, 0.5), 1 + 1 / std::sqrt(2.0) + 1 / std::sqrt(3.0));
  double sum = 0;
  for (int i = 300'000; i >= 1; --i) sum += std::pow(i, -0.99);
  EXPECT_NEAR(Zeta(300'000, 0.99), sum, 1e-11);
  EXPECT_NEAR(Zeta(10'000'000'000, 0.99), 26.46902820178302, 1e-6);  // a sum of 10^10 doubles, as YCSB states it
}

TEST(Generators, ZipfianFollowsItsLaw) {
  constexpr uint64_t kItems = 1000;
  ZipfianGenerator generator(5, 5 + kItems - 1);
  const auto counts = Draw(generator, 2);
  EXPECT_EQ(counts.begin()->first, 5u);
  EXPECT_LE(counts.rbegin()->first, 5 + kItems - 1);
  const double zeta = Zeta(kItems, kZipfianConstant);
  // The two most popular items are exact in Gray's method, the rest approximate: within a tenth of the sums.
  EXPECT_NEAR(counts.at(5) / double{kDraws}, 1 / zeta, 0.004);
  EXPECT_NEAR(counts.at(6) / double{kDraws}, std::pow(2, -0.99) / zeta, 0.004);
  for (const uint64_t top : {10, 100, 500}) {
    double drawn = 0;
    for (uint64_t i = 0; i < top; ++i) drawn += counts.contains(5 + i) ? counts.at(5 + i) : 0;
    EXPECT_NEAR(drawn / kDraws, Zeta(top, 0.99) / zeta, 0.1 * Zeta(top, 0.99) / zeta) << top;
  }
}

TEST(Generators, ZipfianOverOneItemIsThatItem) {
  ZipfianGenerator generator(7, 7);
  EXPECT_EQ(Draw(generator, 3, 100), (std::map<uint64_t, int>{{7, 100}}));
}

TEST(Generators, ScrambledZipfianPutsTheHottestWhereItsHashSays) {
  constexpr uint64_t kItems = 1000;
  ScrambledZipfianGenerator generator(100, 100 + kItems - 1);
  const auto counts = Draw(generator, 4);
  for (const auto& [value, count] : counts) ASSERT_TRUE(value >= 100 && value < 100 + kItems) << value;
  std::multimap<int, uint64_t, std::greater<>> by_count;
  for (const auto& [value, count] : counts) by_count.emplace(count, value);
  EXPECT_EQ(by_count.begin()->second, 100 + FnvHash(0) % kItems);
  EXPECT_EQ(std::next(by_count.begin())->second, 100 + FnvHash(1) % kItems);
  // One draw in zeta(10^10) falls on the hottest item, and a share of the hashes of all further items.
  EXPECT_NEAR(by_count.begin()->first / double{kDraws}, 1 / 26.46902820178302 + 0.0009, 0.004);
  EXPECT_GT(counts.size(), 990u) << "nearly every item is drawn at times";
}

TEST(Generators, LatestPrefersWhatHasJustBeenAcknowledged) {
  InsertCounter inserts(1000);
  SkewedLatestGenerator generator(inserts);
  auto counts = Draw(generator, 5);
  EXPECT_EQ(counts.rbegin()->first, 999u);
  EXPECT_NEAR(counts.at(999) / double{kDraws}, 1 / Zeta(1000, 0.99), 0.004);
  EXPECT_GT(counts.at(999), counts.at(998));
  // Two inserts are numbered; the earlier is still under way, so no thread reads either.
  const uint64_t first = inserts.Next(), second = inserts.Next();
  EXPECT_EQ(first, 1000u);
  inserts.Acknowledge(second);
  EXPECT_EQ(Draw(generator, 6).rbegin()->first, 999u);
  inserts.Acknowledge(first);
  counts = Draw(generator, 7);
  EXPECT_EQ(counts.rbegin()->first, 1001u);
  EXPECT_NEAR(counts.at(1001) / double{kDraws}, 1 / Zeta(1002, 0.99), 0.004);
}

TEST(Generators, HotspotSharesOutAsToldAndEvenlyWithin) {
  HotspotGenerator generator(0, 99, 0.2, 0.8);
  std::map<uint64_t, double> expected;
  for (uint64_t i = 0; i < 100; ++i) expected[i] = i < 20 ? 0.8 / 20 : 0.2 / 80;
  EXPECT_LT(ChiSquare(Draw(generator, 8), expected, kDraws), ChiSquareBound(100));
  HotspotGenerator everything(3, 3, 1, 0);
  EXPECT_EQ(Draw(everything, 9, 10), (std::map<uint64_t, int>{{3, 10}}));
}

TEST(Generators, SequentialIsOneWalkOfAllThreads) {
  const auto position = std::make_shared<std::atomic<uint64_t>>(0);
  SequentialGenerator one(5, 7, position), other(5, 7, position);
  Random random(10);
  EXPECT_EQ(one.Next(random), 5u);
  EXPECT_EQ(other.Next(random), 6u);
  EXPECT_EQ(one.Next(random), 7u);
  EXPECT_EQ(other.Next(random), 5u);
}

TEST(Generators, ExponentialKeepsItsPercentileBelowTheRange) {
  ExponentialGenerator generator(95, 1000);
  int below = 0;
  double sum = 0;
  for (const auto& [value, count] : Draw(generator, 11)) {
    if (value < 1000) below += count;
    sum += static_cast<double>(value) * count;
  }
  EXPECT_NEAR(below / double{kDraws}, 0.95, 0.002);
  // The mean of an exponential is 1 / gamma; rounding down takes half from it.
  EXPECT_NEAR(sum / kDraws, 1000 / -std::log(0.05) - 0.5, 3);
}

TEST(Generators, WhatIsHotJumpsAndStaysAsHot) {
  uint64_t jumps = 0;
  JumpingGenerator jumping(std::make_unique<HotspotGenerator>(10, 109, 0.1, 0.9), 10, 109, [&jumps] { return jumps; });
  std::set<uint64_t> starts;
  for (; jumps < 5; ++jumps) {
    // The ten that follow each other and make nine tenths of the draws.
    const auto counts = Draw(jumping, 20 + jumps, 10'000);
    std::vector<bool> hot(100);
    for (const auto& [number, count] : counts) {
      ASSERT_GE(number, 10u);
      ASSERT_LE(number, 109u);
      hot[number - 10] = count > 500;
    }
    EXPECT_EQ(std::count(hot.begin(), hot.end(), true), 10);
    uint64_t start = 0;
    while (!hot[start] || hot[(start + 99) % 100]) ++start;
    for (uint64_t i = 0; i < 10; ++i) EXPECT_TRUE(hot[(start + i) % 100]) << jumps << ": one interval";
    for (const uint64_t other : starts) {
      const uint64_t apart = std::max(start, other) - std::min(start, other);
      EXPECT_GT(std::min(apart, 100 - apart), 9u) << "no two of them overlap";
    }
    starts.insert(start);
  }
  EXPECT_EQ(*starts.begin(), 0u) << "first it lies where it lies without jumps";
}

TEST(Generators, HistogramFollowsItsFile) {
  const std::string path = ::testing::TempDir() + "/ycsb_histogram.txt";
  std::ofstream(path) << "BlockSize\t10\n0\t1\n1\t0\n2\t3\n";
  const auto generator = HistogramGenerator::FromFile(path);
  ASSERT_TRUE(generator.has_value()) << generator.error();
  const auto counts = Draw(**generator, 12);
  EXPECT_EQ(counts.size(), 2u);
  EXPECT_LT(ChiSquare(counts, {{10, 0.25}, {30, 0.75}}, kDraws), ChiSquareBound(2));
  std::ofstream(path) << "BlockSize\t10\nzero\t1\n";
  EXPECT_THAT(HistogramGenerator::FromFile(path).error().message(), HasSubstr("zero"));
  std::ofstream(path) << "BlockSize\t10\n0\t0\n";
  EXPECT_FALSE(HistogramGenerator::FromFile(path).has_value());
  std::ofstream(path) << "Blocks\n";
  EXPECT_THAT(HistogramGenerator::FromFile(path).error().message(), HasSubstr("BlockSize"));
  std::remove(path.c_str());
  EXPECT_THAT(HistogramGenerator::FromFile(path).error().message(), HasSubstr(path));
}

TEST(Generators, TheSameSeedDrawsTheSame) {
  ScrambledZipfianGenerator one(0, 999), other(0, 999);
  EXPECT_EQ(Draw(one, 13, 1000), Draw(other, 13, 1000));
  EXPECT_NE(Draw(one, 13, 1000), Draw(other, 14, 1000));
}

TEST(InsertCounter, CountsOnlyWhatHasNoGapBelow) {
  InsertCounter counter(10);
  EXPECT_EQ(counter.Count(), 10u);
  counter.Acknowledge(12);
  counter.Acknowledge(11);
  EXPECT_EQ(counter.Count(), 10u);
  counter.Acknowledge(10);
  EXPECT_EQ(counter.Count(), 13u);
  counter.Acknowledge(10);  // again: changes nothing
  EXPECT_EQ(counter.Count(), 13u);
}

}  // namespace
}  // namespace ebla::ycsb
