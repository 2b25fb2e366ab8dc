// tests/bench/compare/redis_peer.h
// Redis (Debian's redis-server) on this machine, driven by its own redis-benchmark.
// Threads: thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/compare/redis_benchmark.h"

namespace ebla::bench {

enum class RedisPersistence { kNone, kEverySecond, kAlways };

class RedisPeer {
 public:
  // UNAVAILABLE where it is not installed. Nearly every record is there.
  static Result<RedisPeer> Start(const std::string& directory, RedisPersistence persistence);

  Result<Figure> Measure(const RedisBenchmark::Load& load, Duration each) const;
  // For another database than the one that has every record.
  RedisBenchmark Database(int number) const { return {directory_, port_, number}; }
  Servers servers() const { return process_.servers(); }
  // The memory of its records.
  Figure Room() const;

 private:
  RedisPeer(std::string directory, uint16_t port, MeasuredProcess process)
      : directory_(directory), port_(port), benchmark_(std::move(directory), port), process_(std::move(process)) {}

  const std::string directory_;
  const uint16_t port_;
  const RedisBenchmark benchmark_;
  MeasuredProcess process_;
  double empty_bytes_ = 0;  // resident before there were records
};

}  // namespace ebla::bench
