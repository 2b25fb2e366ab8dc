// gateway/redis/pubsub/channels.h
// Who listens to which channel of this gateway, and the way of a message to them. A shard channel is one of a kind of its
// own, as in Redis 7; here it is no different otherwise.
// Place:      one for all connections; subscriptions.h is one connection's part. Other gateways: peers.h.
// Delivery:   at most once, as Redis does it: to who listens when it comes, and nobody else. Messages of one publisher reach
//             a subscriber in their order.
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

// A pattern that would take more to match a name does not match it: so none costs much more than the longest name.
inline constexpr size_t kChannelStepsMax = 16'384;

enum class ChannelKind : uint8_t { kChannel, kPattern, kShard };

// Of the channel that PUBLISH or SPUBLISH names.
inline ChannelKind KindOfPublished(std::string_view command) {
  return command == "spublish" ? ChannelKind::kShard : ChannelKind::kChannel;
}

// One connection that listens.
struct Subscriber {
  std::weak_ptr<Sink> sink;
  std::atomic<int> protocol{2};
};

class Channels {
 public:
  void Add(ChannelKind kind, const std::string& name, const std::shared_ptr<Subscriber>& subscriber);
  void Remove(ChannelKind kind, const std::string& name, const std::shared_ptr<Subscriber>& subscriber);

  // To all who listen to the channel, or to a pattern that it matches; how many they are. Not of kPattern.
  int64_t Deliver(ChannelKind kind, const std::string& channel, std::string_view message) const;
  // How many would get a message now; and who listen to that very name.
  int64_t Reached(ChannelKind kind, const std::string& channel) const;
  int64_t SubscribersOf(ChannelKind kind, const std::string& channel) const;
  // Those whose names match, by name: so many bytes of them at most, and then no more. None: it takes too long.
  static constexpr size_t kShownBytesMax = 64 << 20;
  std::optional<std::vector<std::string>> Names(ChannelKind kind, const std::string& pattern) const;
  int64_t Count(ChannelKind kind) const;  // of names

 private:
  // Each until it is removed: what is on its way then is thrown away.
  using Subscribers = std::map<std::shared_ptr<Subscriber>, std::shared_ptr<std::atomic<bool>>>;
  using ByName = std::map<std::string, Subscribers>;

  using Copied = std::vector<Subscribers::value_type>;

  Copied SubscribersTo(ChannelKind kind, const std::string& name) const;
  // Takes the place of the names there, which begin with the first for an empty list, by some of those behind them. False:
  // there are none. So nobody holds the mutex while he matches names.
  bool NextNames(ChannelKind kind, std::vector<std::string>& names) const;
  // Those who listen to the channel, then those of each pattern (else null) that it matches.
  using Visitor = std::function<void(const std::string* pattern, const Copied& subscribers)>;
  void VisitReached(ChannelKind kind, const std::string& channel, const Visitor& visit) const;

  ByName& Of(ChannelKind kind) EBLA_REQUIRES(mutex_) { return by_name_[static_cast<size_t>(kind)]; }
  const ByName& Of(ChannelKind kind) const EBLA_REQUIRES(mutex_) { return by_name_[static_cast<size_t>(kind)]; }

  mutable Mutex mutex_;
  ByName by_name_[3] EBLA_GUARDED_BY(mutex_);
};

}  // namespace ebla::gateway::redis
