// tests/bench/compare/memcached_peer.h
// Memcached (Debian's memcached) on this machine, driven over its text protocol by one thread that does nothing else:
// the tools of libmemcached have no pipeline and one thread for each connection.
// Threads: thread-compatible.
#pragma once

#include <string>

#include "tests/bench/compare/measured_process.h"
#include "tools/load/async_load.h"

namespace ebla::bench {

class MemcachedPeer {
 public:
  // With room for a few times 100,000 records. They are in memory alone.
  static Result<MemcachedPeer> Start(const std::string& directory);

  enum class Operation { kSet, kGet };
  // Random keys of 100,000; so many connections with `pipeline` operations in flight each. An operation's time is that
  // of all that were sent with it. `operations`: counts those that were answered.
  Result<load::Timings> Measure(Operation operation, int connections, int pipeline, size_t value_bytes,
                                std::chrono::nanoseconds duration, int64_t& operations) const;
  // Sets all 100,000.
  Status Fill(size_t value_bytes) const;
  const MeasuredProcess& process() const { return process_; }

 private:
  MemcachedPeer(uint16_t port, MeasuredProcess process) : port_(port), process_(std::move(process)) {}

  const uint16_t port_;
  MeasuredProcess process_;
};

}  // namespace ebla::bench
