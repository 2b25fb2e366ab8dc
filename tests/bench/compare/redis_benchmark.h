// tests/bench/compare/redis_benchmark.h
// Redis's own load generator (Debian's redis-tools), which sends ready-made bytes, against any server that speaks its
// protocol.
// Threads: thread-compatible.
#pragma once

#include <cstdint>
#include <string>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

class RedisBenchmark {
 public:
  // Its output is stored below `directory`.
  RedisBenchmark(std::string directory, uint16_t port, int database = 0)
      : directory_(std::move(directory)), port_(port), database_(database) {}

  enum class Operation { kSet, kGet, kIncrement, kMultiGet };  // the last of 16 keys
  // Random keys of kRecords; 32 connections with `pipeline` operations in flight each.
  Result<Figure> Measure(const Servers& servers, Operation operation, int pipeline, Duration each) const;
  // So that nearly every record is there.
  Status Fill() const;

 private:
  Result<load::Timings> Run(Operation operation, int pipeline, int64_t operations) const;

  const std::string directory_;
  const uint16_t port_;
  const int database_;
};

}  // namespace ebla::bench
