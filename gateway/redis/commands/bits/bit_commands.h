// gateway/redis/commands/bits/bit_commands.h
// Commands of the bits of several strings. The commands of a single string's bits are functions (functions/redis/bits).
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>

#include "gateway/redis/commands/store_commands.h"

namespace ebla::gateway::redis {

void BitOpOf(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
