#include "tools/load/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace ebla::load {
namespace {

TEST(Histogram, SmallNumbersAreExact) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(50), 0u);
  for (uint64_t i = 1; i <= 1000; ++i) histogram.Record(i);
  EXPECT_EQ(histogram.Count(), 1000u);
  EXPECT_EQ(histogram.Min(), 1u);
  EXPECT_EQ(histogram.Max(), 1000u);
  EXPECT_DOUBLE_EQ(histogram.Average(), 500.5);
  EXPECT_EQ(histogram.Percentile(0), 1u);
  EXPECT_EQ(histogram.Percentile(50), 500u);
  EXPECT_EQ(histogram.Percentile(99), 990u);
  EXPECT_EQ(histogram.Percentile(99.9), 999u);
  EXPECT_EQ(histogram.Percentile(100), 1000u);
}

TEST(Histogram, PercentilesAreWithinAThousandthWhateverTheSize) {
  std::mt19937_64 random(1);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 50'000; ++i) {
    values.push_back(random() >> (24 + random() % 40));  // all sizes up to the greatest
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.1, 1.0, 25.0, 50.0, 75.0, 90.0, 99.0, 99.99, 100.0}) {
    const auto rank = static_cast<size_t>(std::ceil(percent / 100 * static_cast<double>(values.size())));
    const uint64_t exact = values[rank - 1];
    EXPECT_GE(histogram.Percentile(percent), exact) << percent;
    EXPECT_LE(histogram.Percentile(percent), exact + exact / 1000 + 1) << percent;
  }
}

TEST(Histogram, AddingIsRecordingTogetherAndGiantsAreCapped) {
  Histogram one, other, both;
  for (uint64_t i = 0; i < 5000; i += 7) (one.Record(i * i), both.Record(i * i));
  for (uint64_t i = 1; i < 300; ++i) (other.Record(i), both.Record(i));
  one.Add(other);
  EXPECT_EQ(one.Count(), both.Count());
  EXPECT_EQ(one.Min(), both.Min());
  EXPECT_EQ(one.Max(), both.Max());
  for (const double percent : {1.0, 50.0, 99.0}) EXPECT_EQ(one.Percentile(percent), both.Percentile(percent));
  one.Record(UINT64_MAX);
  EXPECT_EQ(one.Max(), Histogram::kValueMax);
  EXPECT_EQ(one.Percentile(100), Histogram::kValueMax);
}

}  // namespace
}  // namespace ebla::load
