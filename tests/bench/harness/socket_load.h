// tests/bench/harness/socket_load.h
// A client that costs as little as can be: one thread, a number of connections, a number of calls in flight on each.
// It only counts replies, so that what is measured is the server.
// Threads: blocks the calling thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/executor.h"
#include "common/rpc/channel.h"
#include "tools/load/async_load.h"

namespace ebla::bench {

// The messages of one connection. Replies arrive in the order of the calls.
class Conversation {
 public:
  virtual ~Conversation() = default;
  virtual void AppendCall(std::string& out) = 0;
  // Takes what has come; returns how many replies ended in it.
  virtual size_t CountReplies(std::string_view received) = 0;
};
using MakeConversation = std::function<std::unique_ptr<Conversation>()>;

// The same bytes again and again, but for their sequence ids, each behind its length.
MakeConversation FramedCalls(rpc::EncodedCall call);

struct Load {
  rpc::Endpoint server;
  MakeConversation conversation;
  size_t connections = 1;
  size_t in_flight = 1;  // per connection
  // A connection sends its next calls when all are answered, as redis-benchmark does, not whenever one is. Without it
  // a server that answers quickly gets its calls one by one.
  bool together = false;
};

struct LoadResult {
  load::Timings timings;
  uint64_t replies = 0;  // while it warmed up, too
};

// For `duration`, after a tenth of it to warm up.
LoadResult MeasureLoad(const Load& load, Duration duration);

}  // namespace ebla::bench
