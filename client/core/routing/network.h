// client/core/routing/network.h
// The ports that a client runs over, and the channels it has made: one or more lanes (an executor and a connector), a
// channel per endpoint and lane, taken in turn, and a gauge per endpoint. It also knows where the client is.
// Threads: any; the maps are guarded by a lock held only to look up.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <shared_mutex>
#include <vector>

#include "client/core/routing/replica_choice.h"
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
  explicit Network(std::vector<Lane> lanes, Here here = {}) : lanes_(std::move(lanes)), here_(std::move(here)) {}

  std::shared_ptr<rpc::Channel> To(const rpc::Endpoint& endpoint);
  // The same for the same endpoint, as long as the client lives.
  std::shared_ptr<ServerGauge> GaugeOf(const rpc::Endpoint& endpoint);
  const Here& here() const { return here_; }
  Executor& executor() { return *lanes_.front().executor; }
  MonotonicTime Now() const { return lanes_.front().executor->Now(); }
  // Lets go of all channels: the client closes.
  void Clear();

 private:
  const std::vector<Lane> lanes_;
  const Here here_;
  std::atomic<uint32_t> turn_{0};
  std::shared_mutex mutex_;
  std::map<rpc::Endpoint, std::vector<std::shared_ptr<rpc::Channel>>> channels_;  // both guarded by mutex_
  std::map<rpc::Endpoint, std::shared_ptr<ServerGauge>> gauges_;
};

}  // namespace ebla::client
