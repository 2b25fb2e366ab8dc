#include "client/core/network.h"

#include <mutex>

namespace ebla::client {

std::shared_ptr<rpc::Channel> Network::To(const rpc::Endpoint& endpoint) {
  const size_t turn = lanes_.size() == 1 ? 0 : turn_.fetch_add(1, std::memory_order_relaxed) % lanes_.size();
  {
    std::shared_lock lock(mutex_);
    const auto found = channels_.find(endpoint);
    if (found != channels_.end()) return found->second[turn];
  }
  std::unique_lock lock(mutex_);
  auto& channels = channels_[endpoint];
  if (channels.empty()) {
    for (const Lane& lane : lanes_) channels.push_back(lane.connector->Connect(endpoint, *lane.executor));
  }
  return channels[turn];
}

void Network::Clear() {
  std::map<rpc::Endpoint, std::vector<std::shared_ptr<rpc::Channel>>> channels;
  {
    std::unique_lock lock(mutex_);
    channels.swap(channels_);
  }
}

}  // namespace ebla::client
