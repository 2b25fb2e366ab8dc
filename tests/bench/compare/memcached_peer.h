// tests/bench/compare/memcached_peer.h
// Memcached (Debian's memcached) on this machine: in memory alone, with room for all. memcached_load.h
// drives it.
// Threads: thread-compatible.
#pragma once

#include <string>

#include "tests/bench/compare/memcached_load.h"

namespace ebla::bench {

class MemcachedPeer {
 public:
  // UNAVAILABLE where it is not installed. Every record is there.
  static Result<MemcachedPeer> Start(const std::string& directory);

  Figure Measure(const MemcachedLoad& load, Duration each) const;
  // Empty, with so many MiB in all.
  static Result<MemcachedPeer> StartEmpty(const std::string& directory, int64_t memory_mb);
  uint16_t port() const { return port_; }
  // The memory of its records.
  Figure Room() const;

 private:
  MemcachedPeer(uint16_t port, MeasuredProcess process) : port_(port), process_(std::move(process)) {}
  Status AwaitStart();

  const uint16_t port_;
  MeasuredProcess process_;
  double empty_bytes_ = 0;  // resident before there were records
};

}  // namespace ebla::bench
