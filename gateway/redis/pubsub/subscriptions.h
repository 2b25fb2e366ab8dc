// gateway/redis/pubsub/subscriptions.h
// One connection's subscriptions, and the commands that change them: SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE and their
// opposites.
// Source:  Redis 7.0's documentation of each command.
// Threads: the connection's loop.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>

#include "gateway/redis/commands/command_table.h"
#include "gateway/redis/pubsub/channels.h"

namespace ebla::gateway::redis {

class Subscriptions {
 public:
  static constexpr size_t kBytesMax = 16 << 20;  // of all names of one connection
  static constexpr size_t kPatternsMax = 2'000;  // of one connection: each is matched with every message

  Subscriptions(std::shared_ptr<Channels> channels, std::weak_ptr<Sink> sink);
  ~Subscriptions() { Clear(); }
  Subscriptions(const Subscriptions&) = delete;
  Subscriptions& operator=(const Subscriptions&) = delete;

  // None: another command.
  std::optional<std::string> Answer(const CommandInfo& command, const Words& words, int protocol);
  // The version in which messages are encoded from now on.
  void set_protocol(int protocol);
  bool any() const { return !Of(ChannelKind::kChannel).empty() || !Of(ChannelKind::kPattern).empty() || shards() > 0; }
  size_t channels() const { return Of(ChannelKind::kChannel).size(); }
  size_t patterns() const { return Of(ChannelKind::kPattern).size(); }
  size_t shards() const { return Of(ChannelKind::kShard).size(); }
  size_t held_bytes() const { return bytes_; }
  void Clear();

 private:
  using Names = std::set<std::string, std::less<>>;

  Names& Of(ChannelKind kind) { return names_[static_cast<size_t>(kind)]; }
  const Names& Of(ChannelKind kind) const { return names_[static_cast<size_t>(kind)]; }
  int64_t CountShown(ChannelKind kind) const;
  void Subscribe(ChannelKind kind, const Words& words, Reply& reply);
  void Unsubscribe(ChannelKind kind, const Words& words, Reply& reply);

  const std::shared_ptr<Channels> channels_;
  const std::shared_ptr<Subscriber> subscriber_ = std::make_shared<Subscriber>();
  Names names_[3];
  size_t bytes_ = 0;
};

// PUBSUB, of this gateway's subscribers.
void DescribeChannels(const Channels& channels, const Words& words, Reply& reply);

}  // namespace ebla::gateway::redis
