// tests/bench/compare/memcached_trace.h
// The hit rate of a cache that is too small. A client of Memcached's text protocol reads keys, a zipfian few of them
// most often, and puts the misses. Every server gets the same keys in the same order.
// Errors:  any ends the program.
// Threads: functions.
#pragma once

#include <cstdint>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

struct TraceShape {
  int64_t keys = 1'000'000;
  size_t value_bytes = 300;
  int64_t reads = 2'400'000;  // of which the second half counts
  double theta = 0.99;        // of the zipfian

  int64_t DataBytes() const;  // of all keys and their values
};

// Its hits, of a hundred reads, and how many reads it answered a second.
Figure MeasureHits(uint16_t port, const TraceShape& shape);

}  // namespace ebla::bench
