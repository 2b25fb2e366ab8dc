// gateway/redis/commands/strings/string_commands.h
// Commands of several strings. The commands of a single string are functions (functions/redis/strings).
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>

#include "gateway/redis/commands/store_commands.h"

namespace ebla::gateway::redis {

void LcsOf(std::shared_ptr<StoreCall> call);
void MGet(std::shared_ptr<StoreCall> call);
void MSet(std::shared_ptr<StoreCall> call);
void MSetNx(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
