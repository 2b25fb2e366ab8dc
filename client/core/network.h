// client/core/network.h
// The ports that a client runs over, and the channels it has made: one or more lanes (an executor and a connector), a
// channel per endpoint and lane, taken in turn.
// Threads: any; the map is guarded by a lock held only to look up.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "common/base/executor.h"
#include "common/rpc/channel.h"

namespace ebla::client {

struct Lane {
  Executor* executor = nullptr;
  rpc::Connector* connector = nullptr;
};

class Network {
 public:
  // At least one lane; the first one's executor also runs timers.
  explicit Network(std::vector<Lane> lanes) : lanes_(std::move(lanes)) {}

  std::shared_ptr<rpc::Channel> To(const rpc::Endpoint& endpoint);
  Executor& executor() { return *lanes_.front().executor; }
  MonotonicTime Now() const { return lanes_.front().executor->Now(); }
  // Lets go of all channels: the client closes.
  void Clear();

 private:
  const std::vector<Lane> lanes_;
  std::atomic<uint32_t> turn_{0};
  std::shared_mutex mutex_;
  std::map<rpc::Endpoint, std::vector<std::shared_ptr<rpc::Channel>>> channels_;  // guarded by mutex_
};

}  // namespace ebla::client
