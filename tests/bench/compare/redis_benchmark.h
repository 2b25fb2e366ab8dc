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

  enum class Operation { kSet, kGet, kIncrement, kMultiSet, kMultiGet };  // of 10 keys, of 16 keys
  struct Load {
    Operation operation;
    int pipeline = 1;  // operations in flight on each connection
    int connections = kConnections;
    size_t value_bytes = kValueBytes;
    int keys = kRecords;  // random ones of so many; 0: the tool's default, which is one key
  };
  // Keys are in the database before that: by Fill, or by a load of sets.
  Result<Figure> Measure(const Servers& servers, const Load& load, Duration each) const;
  // So that nearly every record is there.
  Status Fill() const;
  // Sets the one key that loads without random keys have.
  Status FillOne(size_t value_bytes) const;

 private:
  Result<load::Timings> Run(const Load& load, int64_t operations) const;

  const std::string directory_;
  const uint16_t port_;
  const int database_;
};

}  // namespace ebla::bench
