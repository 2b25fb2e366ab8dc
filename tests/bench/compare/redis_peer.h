// tests/bench/compare/redis_peer.h
// Redis (Debian's redis-server) on this machine, driven by its own redis-benchmark.
// Threads: thread-compatible.
#pragma once

#include <string>

#include "tests/bench/compare/measured_process.h"
#include "tools/load/async_load.h"

namespace ebla::bench {

enum class RedisPersistence { kNone, kEverySecond, kAlways };

class RedisPeer {
 public:
  static Result<RedisPeer> Start(const std::string& directory, RedisPersistence persistence);

  enum class Operation { kSet, kGet };
  // Random keys of 100,000; so many connections with `pipeline` operations in flight each.
  Result<load::Timings> Measure(Operation operation, int connections, int pipeline, size_t value_bytes,
                                int64_t operations);
  const MeasuredProcess& process() const { return process_; }

 private:
  RedisPeer(std::string directory, uint16_t port, MeasuredProcess process)
      : directory_(std::move(directory)), port_(port), process_(std::move(process)) {}
  Status AwaitReady();

  const std::string directory_;
  const uint16_t port_;
  MeasuredProcess process_;
};

}  // namespace ebla::bench
