// tools/load/histogram.h
// How long operations took, in microseconds: counts in buckets that are never wider than a thousandth of their value,
// as in Gil Tene's HdrHistogram. Memory is bounded (about 260 KiB) whatever is recorded, and starts small.
// Invariants: Count, Min, Max and Average are exact; a percentile is at most 0.1% above the value it stands for.
// Threads:    thread-compatible.
#pragma once

#include <cstdint>
#include <vector>

namespace ebla::load {

class Histogram {
 public:
  // Greater values count as this one: twelve days.
  static constexpr uint64_t kValueMax = (uint64_t{1} << 40) - 1;

  void Record(uint64_t value);
  void Add(const Histogram& other);
  void Clear();

  uint64_t Count() const { return count_; }
  uint64_t Min() const { return count_ == 0 ? 0 : min_; }
  uint64_t Max() const { return max_; }
  double Average() const { return count_ == 0 ? 0 : sum_ / static_cast<double>(count_); }
  // The least recorded value (to 0.1%) that at least `percent` percent of all values do not exceed; 0 when empty.
  uint64_t Percentile(double percent) const;
  // The number of values in each bucket, up to that of the greatest value. The buckets equal those of an HdrHistogram
  // with three significant digits.
  const std::vector<uint64_t>& buckets() const { return buckets_; }

 private:
  std::vector<uint64_t> buckets_;  // as long as the greatest value so far needs
  uint64_t count_ = 0;
  uint64_t min_ = 0;
  uint64_t max_ = 0;
  double sum_ = 0;
};

}  // namespace ebla::load
