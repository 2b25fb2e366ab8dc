// tests/bench/compare/memcached_peer.h
// Memcached (Debian's memcached) on this machine: in memory alone, with room for all. Its clients have no load
// generator that pipelines, so it gets the cheapest load there is: harness/socket_load.h, in its text protocol.
// Threads: thread-compatible.
#pragma once

#include <string>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

class MemcachedPeer {
 public:
  // UNAVAILABLE where it is not installed. Every record is there.
  static Result<MemcachedPeer> Start(const std::string& directory);

  enum class Operation { kSet, kGet, kMultiGet };  // the last of 16 keys, which is what its clients do for speed
  // Random keys; 32 connections with `pipeline` operations in flight each.
  Figure Measure(Operation operation, int pipeline, Duration each) const;
  // What its records take.
  Figure Room() const;

 private:
  MemcachedPeer(uint16_t port, MeasuredProcess process) : port_(port), process_(std::move(process)) {}
  Status Fill();

  const uint16_t port_;
  MeasuredProcess process_;
  double empty_bytes_ = 0;  // resident before there were records
};

}  // namespace ebla::bench
