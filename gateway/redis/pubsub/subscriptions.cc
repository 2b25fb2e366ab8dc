#include "gateway/redis/pubsub/subscriptions.h"

#include <algorithm>

#include "gateway/redis/commands/subcommands.h"
#include "gateway/redis/databases/databases.h"
#include "gateway/redis/wire/glob.h"

namespace ebla::gateway::redis {
namespace {

constexpr size_t kNameBytes = 400;  // that a name costs beside itself, which is kept twice

ChannelKind KindIn(std::string_view command) {
  if (command.starts_with('p')) return ChannelKind::kPattern;
  return command == "ssubscribe" || command == "sunsubscribe" ? ChannelKind::kShard : ChannelKind::kChannel;
}

}  // namespace

Subscriptions::Subscriptions(std::shared_ptr<Channels> channels, std::weak_ptr<Sink> sink)
    : channels_(std::move(channels)) {
  subscriber_->sink = std::move(sink);
}

void Subscriptions::Clear() {
  for (const ChannelKind kind : {ChannelKind::kChannel, ChannelKind::kPattern, ChannelKind::kShard}) {
    for (const std::string& name : Of(kind)) channels_->Remove(kind, name, subscriber_);
    Of(kind).clear();
  }
  bytes_ = 0;
}

void Subscriptions::set_protocol(int protocol) {
  if (subscriber_->protocol.exchange(protocol) == protocol) return;
  // Messages on their way keep their version of the protocol.
  for (const ChannelKind kind : {ChannelKind::kChannel, ChannelKind::kPattern, ChannelKind::kShard}) {
    for (const std::string& name : Of(kind)) {
      channels_->Remove(kind, name, subscriber_);
      channels_->Add(kind, name, subscriber_);
    }
  }
}

// Channels and patterns are counted together.
int64_t Subscriptions::CountShown(ChannelKind kind) const {
  return static_cast<int64_t>(kind == ChannelKind::kShard ? shards() : channels() + patterns());
}

std::optional<std::string> Subscriptions::Answer(const CommandInfo& command, const Words& words, int protocol) {
  if (!command.name.ends_with("subscribe")) return std::nullopt;
  set_protocol(protocol);
  Reply reply(protocol);
  const ChannelKind kind = KindIn(command.name);
  command.name.ends_with("unsubscribe") ? Unsubscribe(kind, words, reply) : Subscribe(kind, words, reply);
  return reply.Take();
}

void Subscriptions::Subscribe(ChannelKind kind, const Words& words, Reply& reply) {
  size_t more = 0;
  for (size_t at = 1; at < words.size(); ++at) {
    if (words[at].size() > kChannelNameMax)
      return void(reply.Failure("ERR the name of a channel has at most 4096 bytes"));
    more += words[at].size() + kNameBytes;
  }
  const bool too_many_patterns = kind == ChannelKind::kPattern && patterns() + words.size() - 1 > kPatternsMax;
  if (bytes_ + more > kBytesMax || too_many_patterns)
    return void(reply.Failure("ERR this connection listens to too many channels"));
  for (size_t at = 1; at < words.size(); ++at) {
    if (Of(kind).insert(words[at]).second) {
      bytes_ += words[at].size() + kNameBytes;
      channels_->Add(kind, words[at], subscriber_);
    }
    reply.Push(3).Bulk(ToLower(words[0])).Bulk(words[at]).Number(CountShown(kind));
  }
}

void Subscriptions::Unsubscribe(ChannelKind kind, const Words& words, Reply& reply) {
  Words names(words.begin() + 1, words.end());
  if (names.empty()) names.assign(Of(kind).begin(), Of(kind).end());
  for (const std::string& name : names) {
    if (Of(kind).erase(name) > 0) {
      bytes_ -= name.size() + kNameBytes;
      channels_->Remove(kind, name, subscriber_);
    }
    reply.Push(3).Bulk(ToLower(words[0])).Bulk(name).Number(CountShown(kind));
  }
  if (names.empty()) reply.Push(3).Bulk(ToLower(words[0])).Null().Number(CountShown(kind));
}

void DescribeChannels(const Channels& channels, const Words& words, Reply& reply) {
  const std::string what = ToUpper(words[1]);
  if (words.size() == 3 && words[2].size() > kChannelNameMax)
    return void(reply.Failure("ERR the name of a channel has at most 4096 bytes"));
  const auto names = [&](ChannelKind kind) {
    const auto all = channels.Names(kind, words.size() == 3 ? words[2] : "*");
    if (!all) return void(reply.Failure(kPatternTooSlow));
    reply.Array(all->size());
    for (const std::string& name : *all) reply.Bulk(name);
  };
  const auto counts = [&](ChannelKind kind) {
    reply.Array(2 * (words.size() - 2));
    for (size_t at = 2; at < words.size(); ++at) reply.Bulk(words[at]).Number(channels.SubscribersOf(kind, words[at]));
  };
  if (what == "CHANNELS" && words.size() <= 3) {
    names(ChannelKind::kChannel);
  } else if (what == "SHARDCHANNELS" && words.size() <= 3) {
    names(ChannelKind::kShard);
  } else if (what == "CHANNELS" || what == "SHARDCHANNELS") {
    reply.Failure(UnknownOrWrongNumber(words));
  } else if (what == "NUMSUB") {
    counts(ChannelKind::kChannel);
  } else if (what == "SHARDNUMSUB") {
    counts(ChannelKind::kShard);
  } else if (what == "NUMPAT" && words.size() == 2) {
    reply.Number(channels.Count(ChannelKind::kPattern));
  } else if (what == "HELP" && words.size() == 2) {
    AnswerHelp("PUBSUB",
               {{"CHANNELS [<pattern>]", "Shows the channels with a subscriber at this gateway."},
                {"NUMPAT", "Shows how many patterns are listened to."},
                {"NUMSUB [<channel> ...]", "Shows how many listen to each."},
                {"SHARDCHANNELS [<pattern>]", "The same of shard channels."},
                {"SHARDNUMSUB [<channel> ...]", "The same of shard channels."}},
               reply);
  } else {
    reply.Failure(WrongWithSubcommand(words));
  }
}

}  // namespace ebla::gateway::redis
