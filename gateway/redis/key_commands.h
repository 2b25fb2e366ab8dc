// Commands of several keys, and of all keys of a database.
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>
#include <string_view>

#include "gateway/redis/store_commands.h"

namespace ebla::gateway::redis {

using KeyCommand = void (*)(std::shared_ptr<StoreCall> call);

// Null: there is none of that name.
KeyCommand FindKeyCommand(std::string_view name);

// Those that visit all keys: scan_commands.cc.
void Scan(std::shared_ptr<StoreCall> call);
void Keys(std::shared_ptr<StoreCall> call);
void DbSize(std::shared_ptr<StoreCall> call);
void RandomKey(std::shared_ptr<StoreCall> call);
void FlushDb(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
