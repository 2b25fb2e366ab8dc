// client/core/routing/network.h
// The ports that a client runs over, and the channels it has made: one or more I/O contexts (an executor and a
// connector), a channel per endpoint and context, and a gauge per endpoint. A call on a context's thread uses that
// context's channel, so that its reply needs no other thread; calls of other threads use the contexts in turn. It also
// knows where the client is.
// Threads: any; the maps are guarded by a lock held only to look up.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <vector>

#include "client/core/routing/replica_choice.h"
#include "common/base/executor.h"
#include "common/base/mutex.h"
#include "common/rpc/channel.h"

namespace ebla::client {

struct IoContext {
  Executor* executor = nullptr;
  rpc::Connector* connector = nullptr;
};

class Network {
 public:
  // At least one context; the first one's executor also runs timers.
  explicit Network(std::vector<IoContext> io_contexts, ClientLocation location = {})
      : io_contexts_(std::move(io_contexts)), location_(std::move(location)) {}

  std::shared_ptr<rpc::Channel> To(const rpc::Endpoint& endpoint);
  // The same for the same endpoint, as long as the client lives.
  std::shared_ptr<ServerGauge> GaugeOf(const rpc::Endpoint& endpoint);
  const ClientLocation& location() const { return location_; }
  Executor& executor() { return *io_contexts_.front().executor; }
  MonotonicTime Now() const { return io_contexts_.front().executor->Now(); }
  // Lets go of all channels: the client closes.
  void Clear();

 private:
  size_t ChooseContext();

  const std::vector<IoContext> io_contexts_;
  const ClientLocation location_;
  std::atomic<uint32_t> turn_{0};
  SharedMutex mutex_;
  std::map<rpc::Endpoint, std::vector<std::shared_ptr<rpc::Channel>>> channels_ EBLA_GUARDED_BY(mutex_);
  std::map<rpc::Endpoint, std::shared_ptr<ServerGauge>> gauges_ EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::client
