// tools/ycsb/random.h
// The chance that one thread of the benchmark draws from: fast, seeded, the same on every machine.
// Place:   each worker thread owns one and hands it to the generators, which keep no chance of their own.
// Threads: thread-compatible.
#pragma once

#include <cstdint>

namespace ebla::ycsb {

// xorshift64* over a SplitMix64-scrambled seed: good enough to draw keys, and a few cycles each.
class Random {
 public:
  explicit Random(uint64_t seed) {
    seed += 0x9E3779B97F4A7C15u;
    seed = (seed ^ (seed >> 30)) * 0xBF58476D1CE4E5B9u;
    seed = (seed ^ (seed >> 27)) * 0x94D049BB133111EBu;
    state_ = (seed ^ (seed >> 31)) | 1;  // zero would stay zero for ever
  }

  uint64_t Next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545F4914F6CDD1Du;
  }
  // In [0, 1).
  double Unit() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }
  // In [0, bound), bound > 0; the bias is below bound / 2^64.
  uint64_t Below(uint64_t bound) {
    return static_cast<uint64_t>((static_cast<unsigned __int128>(Next()) * bound) >> 64);
  }

 private:
  uint64_t state_;
};

}  // namespace ebla::ycsb
