// tools/ycsb/generators.h
// Random numbers of a run: the record, the field and the length. Each is a distribution of YCSB's, with its constants
// and its quirks, so that hot records are as hot here as in YCSB.
// Place:   workload.h makes one set for each worker thread; the counters that threads share are in insert_counter.h.
// Threads: thread-compatible, but SequentialGenerator, whose position all threads share.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "common/base/status.h"
#include "tools/ycsb/insert_counter.h"
#include "tools/ycsb/random.h"

namespace ebla::ycsb {

class NumberGenerator {
 public:
  virtual ~NumberGenerator() = default;
  virtual uint64_t Next(Random& random) = 0;
};

inline constexpr double kZipfianConstant = 0.99;

// The sum of 1 / i^theta for i from 1 to n: exact below 10,000 terms, beyond that by the Euler-Maclaurin formula, whose
// error there is below 1e-13, so that a billion records do not delay the start.
double Zeta(uint64_t n, double theta);

class ConstantGenerator : public NumberGenerator {
 public:
  explicit ConstantGenerator(uint64_t value) : value_(value) {}
  uint64_t Next(Random&) override { return value_; }

 private:
  const uint64_t value_;
};

// Each of min to max alike.
class UniformGenerator : public NumberGenerator {
 public:
  UniformGenerator(uint64_t min, uint64_t max) : min_(min), span_(max - min + 1) {}
  uint64_t Next(Random& random) override { return min_ + random.Below(span_); }

 private:
  const uint64_t min_;
  const uint64_t span_;
};

// min is the most popular, then min + 1, and so on (Gray et al., "Quickly generating billion-record synthetic
// databases", SIGMOD 1994).
class ZipfianGenerator : public NumberGenerator {
 public:
  ZipfianGenerator(uint64_t min, uint64_t max, double theta = kZipfianConstant);
  uint64_t Next(Random& random) override { return min_ + NextBelow(items_, random); }
  // In [0, items): for a number of items that grows from call to call.
  uint64_t NextBelow(uint64_t items, Random& random);

 private:
  void Resize(uint64_t items);

  const uint64_t min_;
  const double theta_;
  const double zeta2_;
  uint64_t items_ = 0;
  double zetan_ = 0;
  double eta_ = 0;
};

// Items as popular as in a zipfian over ten billion items, but scattered over min to max by hashing.
class ScrambledZipfianGenerator : public NumberGenerator {
 public:
  ScrambledZipfianGenerator(uint64_t min, uint64_t max);
  uint64_t Next(Random& random) override;

 private:
  const uint64_t min_;
  const uint64_t span_;
  ZipfianGenerator zipfian_;
};

// Zipfian backwards from the last acknowledged insert: the newest is the most popular.
class SkewedLatestGenerator : public NumberGenerator {
 public:
  explicit SkewedLatestGenerator(const InsertCounter& inserts);
  uint64_t Next(Random& random) override;

 private:
  const InsertCounter& inserts_;
  ZipfianGenerator zipfian_;
};

// A share `operation_fraction` of the draws falls evenly on the first `data_fraction` of min to max, the rest evenly on
// the rest.
class HotspotGenerator : public NumberGenerator {
 public:
  HotspotGenerator(uint64_t min, uint64_t max, double data_fraction, double operation_fraction);
  uint64_t Next(Random& random) override;

 private:
  const uint64_t min_;
  const uint64_t hot_;
  const uint64_t cold_;
  const double operation_fraction_;
};

// Shifts the draws of another generator among min to max at every jump, so that the hot items move: to the same place
// for all threads, and far from their last few places. Draws beyond max stay.
class JumpingGenerator : public NumberGenerator {
 public:
  // `jumps` tells how many there have been.
  JumpingGenerator(std::unique_ptr<NumberGenerator> from, uint64_t min, uint64_t max, std::function<uint64_t()> jumps);
  uint64_t Next(Random& random) override;

 private:
  const std::unique_ptr<NumberGenerator> from_;
  const uint64_t min_;
  const uint64_t span_;
  const std::function<uint64_t()> jumps_;
};

// min, min + 1, ... max, min, ...: one walk that all threads share.
class SequentialGenerator : public NumberGenerator {
 public:
  SequentialGenerator(uint64_t min, uint64_t max, std::shared_ptr<std::atomic<uint64_t>> position);
  uint64_t Next(Random& random) override;

 private:
  const uint64_t min_;
  const uint64_t span_;
  const std::shared_ptr<std::atomic<uint64_t>> position_;  // shared by the generators of all threads
};

// Exponential: `percentile` percent of the draws are below `range`.
class ExponentialGenerator : public NumberGenerator {
 public:
  ExponentialGenerator(double percentile, double range);
  uint64_t Next(Random& random) override;

 private:
  const double gamma_;
};

// Sizes from a histogram: bucket i stands for (i + 1) * block_size and is as likely as its count.
class HistogramGenerator : public NumberGenerator {
 public:
  // Refuses a histogram without any count.
  static Result<std::unique_ptr<HistogramGenerator>> Make(uint64_t block_size, const std::vector<uint64_t>& counts);
  // YCSB's file: "BlockSize<tab>N", then lines of "bucket<tab>count".
  static Result<std::unique_ptr<HistogramGenerator>> FromFile(const std::string& path);
  uint64_t Next(Random& random) override;

 private:
  HistogramGenerator(uint64_t block_size, std::vector<uint64_t> sums)
      : block_size_(block_size), sums_(std::move(sums)) {}

  const uint64_t block_size_;
  const std::vector<uint64_t> sums_;  // running sums of the counts
};

}  // namespace ebla::ycsb
