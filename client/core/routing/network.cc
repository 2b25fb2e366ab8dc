#include "client/core/routing/network.h"

#include "common/base/mutex.h"

namespace ebla::client {

// Several contexts may share a thread, as several connections to one server do.
size_t Network::ChooseContext() {
  const size_t count = io_contexts_.size();
  if (count == 1) return 0;
  const size_t first = turn_.fetch_add(1, std::memory_order_relaxed);
  for (size_t i = 0; i < count; ++i) {
    const size_t turn = (first + i) % count;
    if (io_contexts_[turn].executor->InThread()) return turn;
  }
  return first % count;
}

std::shared_ptr<rpc::Channel> Network::To(const rpc::Endpoint& endpoint) {
  const size_t turn = ChooseContext();
  {
    ReaderLock lock(mutex_);
    const auto found = channels_.find(endpoint);
    if (found != channels_.end()) return found->second[turn];
  }
  WriterLock lock(mutex_);
  auto& channels = channels_[endpoint];
  if (channels.empty()) {
    for (const IoContext& context : io_contexts_)
      channels.push_back(context.connector->Connect(endpoint, *context.executor));
  }
  return channels[turn];
}

std::shared_ptr<ServerGauge> Network::GaugeOf(const rpc::Endpoint& endpoint) {
  {
    ReaderLock lock(mutex_);
    if (const auto found = gauges_.find(endpoint); found != gauges_.end()) return found->second;
  }
  WriterLock lock(mutex_);
  auto& gauge = gauges_[endpoint];
  if (!gauge) gauge = std::make_shared<ServerGauge>();
  return gauge;
}

void Network::Clear() {
  std::map<rpc::Endpoint, std::vector<std::shared_ptr<rpc::Channel>>> channels;
  {
    WriterLock lock(mutex_);
    channels.swap(channels_);
  }
}

}  // namespace ebla::client
