#include "gateway/redis/commands/scripts/script_host.h"

#include <glog/logging.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>

#include "common/base/key_range.h"
#include "gateway/redis/commands/keys/key_commands.h"
#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/connections/session.h"
#include "gateway/redis/databases/databases.h"
#include "gateway/redis/pubsub/subscriptions.h"

namespace ebla::gateway::redis {
namespace {

constexpr std::string_view kNotDeclared =
    "ERR Script attempted to access a key that was not declared: give all keys in KEYS";
constexpr size_t kLineBytesMax = 1'024;
constexpr size_t kMessagesMax = 10'000;
constexpr size_t kMessageBytesMax = 16 << 20;

std::string RefusalWith(std::string_view text) { return Reply().Failure(text).Take(); }

bool IsPublish(const CommandInfo& command) { return command.name == "publish" || command.name == "spublish"; }

// Served commands that may not run within a script.
bool IsNoPartOfAScript(const CommandInfo& command, const Words& words) {
  if (NamedDatabase(command, words)) return true;
  return command.first_key == 0;
}

}  // namespace

TransactionHost::TransactionHost(const StoreContext& context, std::span<const std::string> keys, bool read_only,
                                 Until until)
    : context_(context),
      keys_(keys.begin(), keys.end()),
      read_only_(read_only),
      until_(until),
      running_(*context.shared().scripts, context.owner()) {}

std::string TransactionHost::Call(const Words& words, int protocol) {
  const CommandInfo* const command = FindCommand(words[0]);
  if (command != nullptr && words.size() > 1 && !KnowsSubcommand(*command, words[1]))
    return RefusalWith(kNoSuchScriptCommand);
  if (command == nullptr) return RefusalWith(WhyNotServed(words[0]).value_or(std::string(kNoSuchScriptCommand)));
  if (!command->Takes(words.size())) return RefusalWith(kScriptArity);
  if (command->Is(kNoScript)) return RefusalWith(kNotFromScripts);
  if (read_only_ && (command->Is(kWrite) || IsPublish(*command))) return RefusalWith(kScriptIsReadOnly);
  if (HasTooLongWord(*command, words)) return RefusalWith(kTooLong);
  if (auto answer = AnswerHere(*command, words, protocol)) return *std::move(answer);
  if (IsNoPartOfAScript(*command, words))
    return RefusalWith("ERR " + ToUpper(command->name) + " within a script is not served by Ebla");
  return CallStore(*command, words, protocol);
}

std::optional<std::string> TransactionHost::AnswerHere(const CommandInfo& command, const Words& words, int protocol) {
  if (IsPublish(command)) return Publish(command, words, protocol);
  if (command.name != "pubsub") return AnswerAnywhere(command, words, protocol);
  Reply reply(protocol);
  DescribeChannels(context_.shared().publisher->channels(), words, reply);
  return reply.Take();
}

std::string TransactionHost::Publish(const CommandInfo& command, const Words& words, int protocol) {
  const ChannelKind kind = KindOfPublished(command.name);
  if (const Status may = MayPublish(words[1]); !may.ok()) return RefusalWith(FailureText(may));
  Effects& effects = *context_.effects;
  effects.message_bytes += words[1].size() + words[2].size();
  if (effects.messages.size() == kMessagesMax || effects.message_bytes > kMessageBytesMax)
    return RefusalWith("ERR a script publishes at most 10000 messages and 16 MiB");
  effects.messages.push_back({kind, words[1], words[2]});
  return Reply(protocol).Number(context_.shared().publisher->channels().Reached(kind, words[1])).Take();
}

// Waits for the cluster, as threads for scripts may, but at most until the run's end. A script sees no more after that
// error.
Status TransactionHost::MayPublish(const std::string& channel) const {
  Databases* const databases = context_.databases();
  if (databases == nullptr || !databases->guards_channels()) return {};
  const auto answer = std::make_shared<std::promise<Status>>();
  std::future<Status> may = answer->get_future();
  databases->MayUse({ChannelUse::Kind::kPublish, channel}, until_,
                    [answer](Status status) { answer->set_value(std::move(status)); });
  constexpr std::chrono::milliseconds kLookEvery{10};
  // A little longer: the run itself is to find that its time is over.
  const auto end = until_ + kLookEvery;
  while (may.wait_for(kLookEvery) != std::future_status::ready) {
    if (Stopped() || std::chrono::steady_clock::now() >= end)
      return {Code::kDeadlineExceeded, "whether it may publish is not known in time"};
  }
  return may.get();
}

std::string TransactionHost::CallStore(const CommandInfo& command, const Words& words, int protocol) {
  for (const std::string_view key : KeysOf(command, words)) {
    if (!keys_.contains(key)) return RefusalWith(kNotDeclared);
  }
  StoreContext context = context_;
  context.protocol = protocol;
  auto reply = RunAtOnce(std::move(context), command, words);
  return reply ? *std::move(reply) : RefusalWith("ERR the command waits in a script");
}

void TransactionHost::Log(int level, std::string_view text) {
  if (level < 2 || !context_.shared().scripts->TakeLogLine()) return;
  const std::string line = "a script says: " + EscapeBytes(text.substr(0, kLineBytesMax));
  level == 3 ? void(LOG(WARNING) << line) : void(LOG(INFO) << line);
}

}  // namespace ebla::gateway::redis
