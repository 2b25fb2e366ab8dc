// common/rpc/channel.h
// The port to other processes: a Channel carries encoded Thrift calls to one service endpoint and returns their
// replies. Hosts use the generated asynchronous ...CobSvIf interfaces instead, which common/rpc/stubs.h implements over
// a Channel. So the production network (pipelined_channel.h) and the simulator's carry the same bytes.
// Errors:  a call ends exactly once, with the reply's bytes or with a Status. UNAVAILABLE: it was never sent or surely
//          not executed; UNKNOWN_OUTCOME: it was sent and the connection broke; DEADLINE_EXCEEDED: `timeout` passed.
//          Stubs turn these into replies with that code; no exception crosses this.
// Threads: Call() from any thread; `done` runs on the executor that the Channel was made for, never inside Call().
#pragma once

#include <any>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/executor.h"
#include "common/base/status.h"

namespace ebla::rpc {

struct Endpoint {
  std::string host;
  uint16_t port = 0;

  std::string ToString() const;  // "host:port", or "[v6]:port"
  static Result<Endpoint> Parse(std::string_view text);
  friend auto operator<=>(const Endpoint&, const Endpoint&) = default;
};

// One encoded Thrift message (no frame header), strict binary protocol, with a sequence id of 0 that the channel
// overwrites in place: `sequence_offset` is where its four bytes stand.
struct EncodedCall {
  std::string message;
  size_t sequence_offset = 0;
};

// Calls of a service in this process, with the structs of the IDL as they are.
class LocalCalls {
 public:
  // The struct that the method returns; it is the caller's.
  using Done = std::move_only_function<void(Result<std::shared_ptr<void>>)>;

  // `request`: a pointer to the const struct that the method takes, valid until this returns; of another type it is a
  // broken invariant. A field that is not set has its default. Else as Channel::Call.
  virtual void Call(std::string_view method, const std::any& request, Duration timeout, Done done) = 0;

 protected:
  ~LocalCalls() = default;
};

class Channel {
 public:
  // The reply's message bytes (no frame header).
  using Done = std::move_only_function<void(Result<std::string>)>;

  virtual ~Channel() = default;
  virtual void Call(EncodedCall call, Duration timeout, Done done) = 0;
  // The receiver of requests as structs from this thread; null: they must be encoded.
  virtual LocalCalls* SameThreadCalls() { return nullptr; }
};

// Makes channels: the only way that a host reaches another process.
// Threads: any.
class Connector {
 public:
  virtual ~Connector() = default;
  // Never fails and never blocks: the channel connects when first called and reconnects as needed, with backoff.
  // `executor` runs the replies and outlives the channel.
  virtual std::shared_ptr<Channel> Connect(const Endpoint& endpoint, Executor& executor) = 0;
};

}  // namespace ebla::rpc
