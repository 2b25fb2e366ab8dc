// gateway/redis/commands/messages/message_commands.h
// Commands that publish: a client's, and those by which gateways send messages to each other. The commands that change
// a connection's subscriptions are in pubsub/subscriptions.h.
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>

#include "gateway/redis/commands/store_commands.h"

namespace ebla::gateway::redis {

void Deliver(std::shared_ptr<StoreCall> call);
void MeetPeer(std::shared_ptr<StoreCall> call);
void Publish(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
