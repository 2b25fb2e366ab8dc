#include "gateway/redis/commands/messages/message_commands.h"

#include <functional>
#include <string>
#include <utility>

#include "gateway/redis/connections/connection_state.h"
#include "gateway/redis/databases/databases.h"

namespace ebla::gateway::redis {
namespace {

// Publishes once the grants of the user allow it.
void WithGrant(std::shared_ptr<StoreCall> call, const std::string& channel, std::move_only_function<void()> publish) {
  if (call->databases() == nullptr || !call->databases()->guards_channels()) return publish();
  call->databases()->MayUse(
      {ChannelUse::Kind::kPublish, channel}, call->until,
      [call, publish = std::move(publish)](const Status& may) mutable { may.ok() ? publish() : call->Fail(may); });
}

}  // namespace

void Publish(std::shared_ptr<StoreCall> call) {
  WithGrant(call, call->words[1], [call] {
    call->shared().publisher->Publish(KindOfPublished(call->command.name), call->words[1], call->words[2],
                                      [call](int64_t subscribers) { call->Number(subscribers); });
  });
}

// Another gateway brings a message to the subscribers of this one.
void Deliver(std::shared_ptr<StoreCall> call) {
  const bool shard = IsWord(call->words[1], "SHARD");
  if (!shard && !IsWord(call->words[1], "CHANNEL")) return call->Fail(kSyntax);
  WithGrant(call, call->words[2], [call, kind = shard ? ChannelKind::kShard : ChannelKind::kChannel] {
    call->Number(call->shared().publisher->channels().Deliver(kind, call->words[2], call->words[3]));
  });
}

// Another gateway has started, and this one looks for its address.
void MeetPeer(std::shared_ptr<StoreCall> call) {
  call->shared().publisher->LookSoon();
  call->Ok();
}

}  // namespace ebla::gateway::redis
