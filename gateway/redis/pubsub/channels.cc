#include "gateway/redis/pubsub/channels.h"

#include <set>
#include <utility>

#include "gateway/redis/wire/glob.h"
#include "gateway/redis/wire/names.h"

namespace ebla::gateway::redis {
namespace {

// A message as it is sent, made once for each version of the protocol that a subscriber speaks.
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

void Channels::Add(ChannelKind kind, const std::string& name, const std::shared_ptr<Subscriber>& subscriber) {
  MutexLock lock(mutex_);
  Of(kind)[name].try_emplace(subscriber, std::make_shared<std::atomic<bool>>(true));
}

void Channels::Remove(ChannelKind kind, const std::string& name, const std::shared_ptr<Subscriber>& subscriber) {
  MutexLock lock(mutex_);
  const auto found = Of(kind).find(name);
  if (found == Of(kind).end()) return;
  if (const auto one = found->second.extract(subscriber)) *one.mapped() = false;
  if (found->second.empty()) Of(kind).erase(found);
}

Channels::Copied Channels::SubscribersTo(ChannelKind kind, const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = Of(kind).find(name);
  return found == Of(kind).end() ? Copied() : Copied(found->second.begin(), found->second.end());
}

bool Channels::NextNames(ChannelKind kind, std::vector<std::string>& names) const {
  constexpr size_t kAtOnce = 64;
  MutexLock lock(mutex_);
  const ByName& all = Of(kind);
  auto next = names.empty() ? all.begin() : all.upper_bound(names.back());
  names.clear();
  for (; next != all.end() && names.size() < kAtOnce; ++next) names.push_back(next->first);
  return !names.empty();
}

void Channels::VisitReached(ChannelKind kind, const std::string& channel, const Visitor& visit) const {
  visit(nullptr, SubscribersTo(kind, channel));
  if (kind == ChannelKind::kShard) return;
  for (std::vector<std::string> patterns; NextNames(ChannelKind::kPattern, patterns);) {
    for (const std::string& pattern : patterns) {
      size_t steps = kChannelStepsMax;
      if (Matches(pattern, channel, steps)) visit(&pattern, SubscribersTo(ChannelKind::kPattern, pattern));
    }
  }
}

// Makes one frame at a time, and frees it before the next. Makes none for a subscriber that takes nothing more. A frame
// may be as large as a request, and there are as many as patterns match.
int64_t Channels::Deliver(ChannelKind kind, const std::string& channel, std::string_view message) const {
  const char* const type = kind == ChannelKind::kShard ? "smessage" : "message";
  int64_t count = 0;
  std::set<std::shared_ptr<Subscriber>> ended;
  VisitReached(kind, channel, [&](const std::string* pattern, const Copied& subscribers) {
    Frame frame(pattern == nullptr ? type : "pmessage", pattern, channel, message);
    for (const auto& [subscriber, wanted] : subscribers) {
      if (ended.contains(subscriber)) continue;
      const auto sink = subscriber->sink.lock();
      if (sink != nullptr && sink->Push(frame.In(subscriber->protocol), wanted)) {
        ++count;
      } else {
        ended.insert(subscriber);
      }
    }
  });
  return count;
}

int64_t Channels::Reached(ChannelKind kind, const std::string& channel) const {
  int64_t count = 0;
  VisitReached(kind, channel, [&](const std::string*, const Copied& subscribers) { count += std::ssize(subscribers); });
  return count;
}

int64_t Channels::SubscribersOf(ChannelKind kind, const std::string& channel) const {
  MutexLock lock(mutex_);
  const auto found = Of(kind).find(channel);
  return found == Of(kind).end() ? 0 : std::ssize(found->second);
}

std::optional<std::vector<std::string>> Channels::Names(ChannelKind kind, const std::string& pattern) const {
  std::vector<std::string> matching;
  size_t bytes = 0, steps = kMatchStepsMax;
  for (std::vector<std::string> names; NextNames(kind, names);) {
    for (const std::string& name : names) {
      const bool matches = Matches(pattern, name, steps);
      if (steps == 0) return std::nullopt;
      if (!matches) continue;
      if ((bytes += name.size()) > kShownBytesMax) return matching;
      matching.push_back(name);
    }
  }
  return matching;
}

int64_t Channels::Count(ChannelKind kind) const {
  MutexLock lock(mutex_);
  return std::ssize(Of(kind));
}

}  // namespace ebla::gateway::redis
