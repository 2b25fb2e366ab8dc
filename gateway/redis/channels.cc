#include "gateway/redis/channels.h"

#include <utility>

#include "gateway/redis/glob.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {
namespace {

// What is sent is made once for each version of the protocol, and only if somebody speaks it.
class Frame {
 public:
  // With a pattern it is told, too.
  Frame(std::string_view type, const std::string* pattern, std::string_view channel, std::string_view message)
      : type_(type), pattern_(pattern), channel_(channel), message_(message) {}

  const std::shared_ptr<const std::string>& In(int protocol) {
    auto& bytes = protocol >= 3 ? resp3_ : resp2_;
    if (bytes == nullptr) {
      Reply reply(protocol);
      reply.Push(pattern_ == nullptr ? 3 : 4).Bulk(type_);
      if (pattern_ != nullptr) reply.Bulk(*pattern_);
      bytes = std::make_shared<const std::string>(reply.Bulk(channel_).Bulk(message_).Take());
    }
    return bytes;
  }

 private:
  const std::string_view type_;
  const std::string* const pattern_;
  const std::string_view channel_, message_;
  std::shared_ptr<const std::string> resp2_, resp3_;
};

}  // namespace

void Channels::Add(ChannelKind kind, const std::string& name, const std::shared_ptr<Listener>& listener) {
  MutexLock lock(mutex_);
  Of(kind)[name].try_emplace(listener, std::make_shared<std::atomic<bool>>(true));
}

void Channels::Remove(ChannelKind kind, const std::string& name, const std::shared_ptr<Listener>& listener) {
  MutexLock lock(mutex_);
  const auto found = Of(kind).find(name);
  if (found == Of(kind).end()) return;
  if (const auto one = found->second.extract(listener)) *one.mapped() = false;
  if (found->second.empty()) Of(kind).erase(found);
}

int64_t Channels::Deliver(ChannelKind kind, const std::string& channel, std::string_view message) const {
  struct Push {
    std::shared_ptr<Outlet> outlet;
    std::shared_ptr<const std::string> bytes;
    Outlet::Wanted wanted;
  };
  std::vector<Push> pushes;
  {
    MutexLock lock(mutex_);
    const auto take = [&](const Listeners& listeners, Frame frame) {
      for (const auto& [listener, wanted] : listeners) {
        if (auto outlet = listener->outlet.lock())
          pushes.push_back({std::move(outlet), frame.In(listener->protocol), wanted});
      }
    };
    const auto found = Of(kind).find(channel);
    const bool shard = kind == ChannelKind::kShard;
    if (found != Of(kind).end()) take(found->second, {shard ? "smessage" : "message", nullptr, channel, message});
    if (!shard) {
      for (const auto& [pattern, listeners] : Of(ChannelKind::kPattern)) {
        if (Matches(pattern, channel)) take(listeners, {"pmessage", &pattern, channel, message});
      }
    }
  }
  for (Push& push : pushes) push.outlet->Push(std::move(push.bytes), std::move(push.wanted));
  return std::ssize(pushes);
}

int64_t Channels::ListenersOf(ChannelKind kind, const std::string& channel) const {
  MutexLock lock(mutex_);
  const auto found = Of(kind).find(channel);
  return found == Of(kind).end() ? 0 : std::ssize(found->second);
}

std::vector<std::string> Channels::Names(ChannelKind kind, const std::string& pattern) const {
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  size_t bytes = 0;
  for (const auto& [name, listeners] : Of(kind)) {
    if (!Matches(pattern, name)) continue;
    if ((bytes += name.size()) > kShownBytesMax) break;
    names.push_back(name);
  }
  return names;
}

int64_t Channels::Count(ChannelKind kind) const {
  MutexLock lock(mutex_);
  return std::ssize(Of(kind));
}

}  // namespace ebla::gateway::redis
