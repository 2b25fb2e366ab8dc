// tests/bench/compare/memcached_load.h
// The cheapest load in Memcached's text protocol (harness/socket_load.h), against any server that speaks it, because
// its clients have no load generator that pipelines.
// Errors:  any ends the program.
// Threads: functions.
#pragma once

#include <cstdint>

#include "tests/bench/compare/figures.h"

namespace ebla::bench {

enum class MemcachedOperation { kSet, kGet, kMultiGet };  // the last of 16 keys, which is what its clients do for speed

struct MemcachedLoad {
  MemcachedOperation operation;
  int pipeline = 1;  // operations in flight on each connection
  int connections = kConnections;
};
// Random keys.
Figure MeasureMemcached(const Servers& servers, uint16_t port, const MemcachedLoad& load, Duration each);
// Writes every record. UNAVAILABLE: no server listens yet.
Status FillMemcached(uint16_t port);
// A socket. UNAVAILABLE: no server listens yet.
Result<int> ConnectMemcached(uint16_t port);

}  // namespace ebla::bench
