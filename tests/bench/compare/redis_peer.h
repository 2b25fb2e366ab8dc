// tests/bench/compare/redis_peer.h
// Redis (Debian's redis-server) on this machine, driven by its own redis-benchmark, which sends ready-made bytes.
// Threads: thread-compatible.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

enum class RedisPersistence { kNone, kEverySecond, kAlways };

class RedisPeer {
 public:
  // UNAVAILABLE where it is not installed. Nearly every record is there.
  static Result<RedisPeer> Start(const std::string& directory, RedisPersistence persistence);

  enum class Operation { kSet, kGet, kMultiGet };  // the last of 16 keys
  // Random keys; 32 connections with `pipeline` operations in flight each.
  Result<Figure> Measure(Operation operation, int pipeline, Duration each);
  // What its records take.
  Figure Room() const;

 private:
  RedisPeer(std::string directory, uint16_t port, MeasuredProcess process)
      : directory_(std::move(directory)), port_(port), process_(std::move(process)) {}
  Status AwaitReady();
  Result<load::Timings> Run(Operation operation, int pipeline, int64_t operations);

  const std::string directory_;
  const uint16_t port_;
  MeasuredProcess process_;
  double empty_bytes_ = 0;  // resident before there were records
};

}  // namespace ebla::bench
