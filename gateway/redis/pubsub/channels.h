// gateway/redis/pubsub/channels.h
// The subscribers of this gateway's channels, and the delivery of messages to them. A shard channel is a kind of its
// own, as in Redis 7; here it differs in nothing else.
// Place:      one for all connections; subscriptions.h is one connection's part. Other gateways: peers.h.
// Delivery:   at most once, as in Redis: to the subscribers of the moment. A subscriber gets the messages of one
//             publisher in their order.
// Threads:    any.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/mutex.h"
#include "gateway/server/protocol.h"

namespace ebla::gateway::redis {

// A pattern that would take more steps to match a name does not match it, so that no pattern costs much more than the
// longest name.
inline constexpr size_t kChannelStepsMax = 16'384;

enum class ChannelKind : uint8_t { kChannel, kPattern, kShard };

// The kind of the channel that PUBLISH or SPUBLISH names.
inline ChannelKind KindOfPublished(std::string_view command) {
  return command == "spublish" ? ChannelKind::kShard : ChannelKind::kChannel;
}

// A connection with a subscription.
struct Subscriber {
  std::weak_ptr<Sink> sink;
  std::atomic<int> protocol{2};
};

class Channels {
 public:
  void Add(ChannelKind kind, const std::string& name, const std::shared_ptr<Subscriber>& subscriber);
  void Remove(ChannelKind kind, const std::string& name, const std::shared_ptr<Subscriber>& subscriber);

  // Delivers to all subscribers of the channel and of patterns that match it, and returns their number. Not for
  // kPattern.
  int64_t Deliver(ChannelKind kind, const std::string& channel, std::string_view message) const;
  // How many subscribers a message would reach now; and how many name the channel itself.
  int64_t Reached(ChannelKind kind, const std::string& channel) const;
  int64_t SubscribersOf(ChannelKind kind, const std::string& channel) const;
  // The matching names, in order, until they have so many bytes. None: the search takes too long.
  static constexpr size_t kShownBytesMax = 64 << 20;
  std::optional<std::vector<std::string>> Names(ChannelKind kind, const std::string& pattern) const;
  int64_t Count(ChannelKind kind) const;  // of names

 private:
  // Each is removed by Remove(), which discards its messages on their way.
  using Subscribers = std::map<std::shared_ptr<Subscriber>, std::shared_ptr<std::atomic<bool>>>;
  using ByName = std::map<std::string, Subscribers>;

  using Copied = std::vector<Subscribers::value_type>;

  Copied SubscribersTo(ChannelKind kind, const std::string& name) const;
  // Replaces the names, by which the search continues (an empty list: from the start), by some of those behind them.
  // False: there are none. So no caller holds the mutex while it matches names.
  bool NextNames(ChannelKind kind, std::vector<std::string>& names) const;
  // The subscribers of the channel, then those of each matching pattern (null for the channel).
  using Visitor = std::function<void(const std::string* pattern, const Copied& subscribers)>;
  void VisitReached(ChannelKind kind, const std::string& channel, const Visitor& visit) const;

  ByName& Of(ChannelKind kind) EBLA_REQUIRES(mutex_) { return by_name_[static_cast<size_t>(kind)]; }
  const ByName& Of(ChannelKind kind) const EBLA_REQUIRES(mutex_) { return by_name_[static_cast<size_t>(kind)]; }

  mutable Mutex mutex_;
  ByName by_name_[3] EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis
