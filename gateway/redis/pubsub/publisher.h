// gateway/redis/pubsub/publisher.h
// Delivers a message to all subscribers of its channel: here at this gateway alone, in peers.h at all gateways.
// Threads: any.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "gateway/redis/pubsub/channels.h"

namespace ebla::gateway::redis {

class Publisher {
 public:
  explicit Publisher(std::shared_ptr<Channels> channels) : channels_(std::move(channels)) {}
  virtual ~Publisher() = default;

  // `done` gets the number of subscribers that were reached, as far as it is known. It is called once, on any thread,
  // perhaps within the call.
  using Done = std::move_only_function<void(int64_t subscribers)>;
  virtual void Publish(ChannelKind kind, const std::string& channel, const std::string& message, Done done) {
    done(channels_->Deliver(kind, channel, message));
  }
  // A new gateway has appeared.
  virtual void LookSoon() {}
  // The channels of this gateway.
  Channels& channels() const { return *channels_; }

 private:
  const std::shared_ptr<Channels> channels_;
};

}  // namespace ebla::gateway::redis
