#include "tools/ycsb/generators.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>

#include "tools/ycsb/keys.h"

namespace ebla::ycsb {
namespace {

constexpr uint64_t kZetaTermsMax = 10'000;
constexpr uint64_t kScrambledItems = 10'000'000'000;
constexpr uint64_t kHistogramBucketsMax = 1'000'000;

}  // namespace

double Zeta(uint64_t n, double theta) {
  const uint64_t direct = std::min(n, kZetaTermsMax);
  double sum = 0;
  for (uint64_t i = direct; i >= 1; --i) sum += std::pow(static_cast<double>(i), -theta);  // the small ones first
  if (n == direct) return sum;
  const double from = static_cast<double>(direct);
  const double to = static_cast<double>(n);
  sum += (std::pow(to, 1 - theta) - std::pow(from, 1 - theta)) / (1 - theta);
  sum += (std::pow(to, -theta) - std::pow(from, -theta)) / 2;
  sum += theta / 12 * (std::pow(from, -theta - 1) - std::pow(to, -theta - 1));
  return sum;
}

ZipfianGenerator::ZipfianGenerator(uint64_t min, uint64_t max, double theta)
    : min_(min), theta_(theta), zeta2_(Zeta(2, theta)) {
  Resize(max - min + 1);
}

void ZipfianGenerator::Resize(uint64_t items) {
  items_ = items;
  zetan_ = Zeta(items, theta_);
  eta_ = (1 - std::pow(2.0 / static_cast<double>(items), 1 - theta_)) / (1 - zeta2_ / zetan_);
}

uint64_t ZipfianGenerator::NextBelow(uint64_t items, Random& random) {
  if (items <= 1) return 0;
  // Zeta costs some ten thousand terms. A growing set is measured anew only when it has grown by a thousandth, which
  // changes no popularity by more than that.
  if (items < items_ || items > items_ + items_ / 1000) Resize(items);
  const double u = random.Unit();
  const double uz = u * zetan_;
  if (uz < 1) return 0;
  if (uz < 1 + std::pow(0.5, theta_)) return 1;
  const double rank = static_cast<double>(items) * std::pow(eta_ * u - eta_ + 1, 1 / (1 - theta_));
  return std::min(static_cast<uint64_t>(rank), items - 1);
}

ScrambledZipfianGenerator::ScrambledZipfianGenerator(uint64_t min, uint64_t max)
    : min_(min), span_(max - min + 1), zipfian_(0, kScrambledItems - 1) {}

uint64_t ScrambledZipfianGenerator::Next(Random& random) { return min_ + FnvHash(zipfian_.Next(random)) % span_; }

SkewedLatestGenerator::SkewedLatestGenerator(const InsertCounter& inserts)
    : inserts_(inserts), zipfian_(0, std::max<uint64_t>(inserts.Count(), 1) - 1) {}

uint64_t SkewedLatestGenerator::Next(Random& random) {
  const uint64_t count = std::max<uint64_t>(inserts_.Count(), 1);
  return count - 1 - zipfian_.NextBelow(count, random);
}

HotspotGenerator::HotspotGenerator(uint64_t min, uint64_t max, double data_fraction, double operation_fraction)
    : min_(min),
      hot_(std::clamp<uint64_t>(static_cast<uint64_t>(static_cast<double>(max - min + 1) * data_fraction), 1,
                                max - min + 1)),
      cold_(max - min + 1 - hot_),
      operation_fraction_(operation_fraction) {}

uint64_t HotspotGenerator::Next(Random& random) {
  if (cold_ == 0 || random.Unit() < operation_fraction_) return min_ + random.Below(hot_);
  return min_ + hot_ + random.Below(cold_);
}

JumpingGenerator::JumpingGenerator(std::unique_ptr<NumberGenerator> from, uint64_t min, uint64_t max,
                                   std::function<uint64_t()> jumps)
    : from_(std::move(from)), min_(min), span_(max - min + 1), jumps_(std::move(jumps)) {}

uint64_t JumpingGenerator::Next(Random& random) {
  const uint64_t drawn = from_->Next(random);
  if (drawn < min_ || drawn - min_ >= span_) return drawn;
  // Multiples of the golden ratio, modulo one, keep away from each other.
  const double turns = static_cast<double>(jumps_() % (uint64_t{1} << 32)) * 0.6180339887498949;
  const auto shift = static_cast<uint64_t>((turns - std::floor(turns)) * static_cast<double>(span_));
  return min_ + (drawn - min_ + shift) % span_;
}

SequentialGenerator::SequentialGenerator(uint64_t min, uint64_t max, std::shared_ptr<std::atomic<uint64_t>> position)
    : min_(min), span_(max - min + 1), position_(std::move(position)) {}

uint64_t SequentialGenerator::Next(Random&) {
  return min_ + position_->fetch_add(1, std::memory_order_relaxed) % span_;
}

ExponentialGenerator::ExponentialGenerator(double percentile, double range)
    : gamma_(-std::log(1 - percentile / 100) / range) {}

uint64_t ExponentialGenerator::Next(Random& random) {
  return static_cast<uint64_t>(-std::log(1 - random.Unit()) / gamma_);  // 1 - Unit() is never zero
}

Result<std::unique_ptr<HistogramGenerator>> HistogramGenerator::Make(uint64_t block_size,
                                                                     const std::vector<uint64_t>& counts) {
  std::vector<uint64_t> sums;
  uint64_t sum = 0;
  for (const uint64_t count : counts) sums.push_back(sum += count);
  if (sum == 0 || block_size == 0) return Error(Code::kInvalidArgument, "a histogram of field lengths needs counts");
  return std::unique_ptr<HistogramGenerator>(new HistogramGenerator(block_size, std::move(sums)));
}

Result<std::unique_ptr<HistogramGenerator>> HistogramGenerator::FromFile(const std::string& path) {
  std::ifstream in(path);
  const auto malformed = [&path](const std::string& why) {
    return Error(Code::kInvalidArgument, "fieldlengthhistogram=" + path + ": " + why);
  };
  if (!in) return malformed("cannot be read");
  std::string line, word;
  uint64_t block_size = 0;
  if (!std::getline(in, line) || !(std::istringstream(line) >> word >> block_size) || word != "BlockSize")
    return malformed("the first line should be BlockSize, a tab and a number");
  std::vector<uint64_t> counts;
  while (std::getline(in, line)) {
    if (line.empty()) continue;
    uint64_t bucket = 0, count = 0;
    if (!(std::istringstream(line) >> bucket >> count) || bucket >= kHistogramBucketsMax)
      return malformed("\"" + line + "\" should be a bucket's number, a tab and its count");
    if (counts.size() <= bucket) counts.resize(bucket + 1);
    counts[bucket] = count;
  }
  return Make(block_size, counts);
}

uint64_t HistogramGenerator::Next(Random& random) {
  const uint64_t at = random.Below(sums_.back());
  const auto bucket = std::upper_bound(sums_.begin(), sums_.end(), at) - sums_.begin();
  return (static_cast<uint64_t>(bucket) + 1) * block_size_;
}

}  // namespace ebla::ycsb
