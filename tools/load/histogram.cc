#include "tools/load/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace ebla::load {
namespace {

// Values below 2048 have a bucket each. Above, each doubling is cut into 1024 buckets.
constexpr int kExactBits = 11;
constexpr uint64_t kExact = uint64_t{1} << kExactBits;
constexpr uint64_t kHalf = kExact / 2;

size_t BucketOf(uint64_t value) {
  if (value < kExact) return value;
  const int shift = std::bit_width(value) - kExactBits;  // 1, 2, ...
  return kExact + static_cast<uint64_t>(shift - 1) * kHalf + ((value >> shift) - kHalf);
}

// The greatest value that falls into the bucket.
uint64_t Highest(size_t bucket) {
  if (bucket < kExact) return bucket;
  const uint64_t above = bucket - kExact;
  const int shift = static_cast<int>(above / kHalf) + 1;
  return ((above % kHalf + kHalf + 1) << shift) - 1;
}

}  // namespace

void Histogram::Record(uint64_t value) {
  value = std::min(value, kValueMax);
  const size_t bucket = BucketOf(value);
  if (bucket >= buckets_.size()) buckets_.resize(bucket + 1);
  ++buckets_[bucket];
  min_ = count_ == 0 ? value : std::min(min_, value);
  max_ = std::max(max_, value);
  sum_ += static_cast<double>(value);
  ++count_;
}

void Histogram::Add(const Histogram& other) {
  if (other.count_ == 0) return;
  if (buckets_.size() < other.buckets_.size()) buckets_.resize(other.buckets_.size());
  for (size_t i = 0; i < other.buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  min_ = count_ == 0 ? other.min_ : std::min(min_, other.min_);
  max_ = std::max(max_, other.max_);
  sum_ += other.sum_;
  count_ += other.count_;
}

void Histogram::Clear() {
  std::fill(buckets_.begin(), buckets_.end(), 0);
  count_ = min_ = max_ = 0;
  sum_ = 0;
}

uint64_t Histogram::Percentile(double percent) const {
  const double exact = std::clamp(percent, 0.0, 100.0) / 100 * static_cast<double>(count_);
  // A hair less, as 99.9% of 1000 computed in doubles is a little more than 999.
  const uint64_t wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(exact * (1 - 1e-12))));
  uint64_t seen = 0;
  for (size_t i = 0; i < buckets_.size(); ++i) {
    seen += buckets_[i];
    if (seen >= wanted) return std::min(Highest(i), max_);
  }
  return max_;
}

}  // namespace ebla::load
