// gateway/redis/commands/keys/scan_commands.h
// Commands that visit all keys of a database, page by page.
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>

#include "gateway/redis/commands/store_commands.h"

namespace ebla::gateway::redis {

void DbSize(std::shared_ptr<StoreCall> call);
void FlushDb(std::shared_ptr<StoreCall> call);
void Keys(std::shared_ptr<StoreCall> call);
void RandomKey(std::shared_ptr<StoreCall> call);
void Scan(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
