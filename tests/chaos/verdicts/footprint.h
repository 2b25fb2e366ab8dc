// tests/chaos/verdicts/footprint.h
// A process's resident memory, against a bound of the records that it may keep in memory.
// Judged:  1. No sample exceeds the bound and the empty process's size by more than kSlack.
//          2. The greatest sample is near them, because otherwise the bound was not tested.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace ebla::chaos {

class Footprint {
 public:
  static constexpr double kSlack = 0.05;  // of base and bound
  static constexpr double kNear = 0.9;

  // Bytes: what it takes empty, and what it may keep beyond that.
  Footprint(int64_t base, int64_t bound) : base_(base), bound_(bound) {}

  // `when` is for the problem's text.
  void Sample(int64_t bytes, const std::string& when);
  std::vector<std::string> Judge() const;

  // Whether it has come near the bound.
  bool Tried() const { return PeakPart() >= kNear; }
  int64_t samples() const { return samples_; }
  int64_t peak() const { return peak_; }
  // The highest sample's part of base and bound: 1 is just at them.
  double PeakPart() const { return static_cast<double>(peak_) / static_cast<double>(base_ + bound_); }
  // The same beyond the base, of the bound alone.
  double PeakPartOfBound() const { return static_cast<double>(peak_ - base_) / static_cast<double>(bound_); }

 private:
  const int64_t base_, bound_;
  int64_t samples_ = 0, above_ = 0;
  int64_t peak_ = 0;
  std::string peak_when_;
};

}  // namespace ebla::chaos
