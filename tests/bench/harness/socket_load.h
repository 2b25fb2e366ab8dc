// tests/bench/harness/socket_load.h
// A client that costs as little as can be: one thread, a number of connections, a number of calls in flight on each,
// all of them the same bytes but for their sequence ids. It only counts replies, so that what is measured is the
// server.
// Threads: blocks the calling thread.
#pragma once

#include <string>

#include "common/base/executor.h"
#include "common/rpc/channel.h"

namespace ebla::bench {

struct Load {
  rpc::Endpoint server;
  rpc::EncodedCall call;  // sent again and again
  size_t connections = 1;
  size_t in_flight = 1;  // per connection
};

// Replies per second, over `duration` after a tenth of it to warm up.
double MeasureLoad(const Load& load, Duration duration);

}  // namespace ebla::bench
