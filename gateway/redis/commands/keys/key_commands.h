// gateway/redis/commands/keys/key_commands.h
// gateway/redis/commands/keys/key_commands.h
// Commands of keys, whatever their values are. The commands that visit all keys of a database are in scan_commands.h.
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/redis/commands/store_commands.h"

namespace ebla::gateway::redis {

// The options of COPY.
struct CopyOptions {
  bool replaces = false;
  std::optional<std::string> database;  // the target; none: that of the connection
  std::string_view failure;             // the error of the options; empty: none
};
CopyOptions CopyOptionsOf(const Words& words);
// The database that COPY names, if its words are valid; it may be the connection's own.
std::optional<std::string> NamedDatabase(const CommandInfo& command, const Words& words);

void Copy(std::shared_ptr<StoreCall> call);
void CountKeys(std::shared_ptr<StoreCall> call);  // EXISTS and TOUCH
void Del(std::shared_ptr<StoreCall> call);        // and UNLINK
void Memory(std::shared_ptr<StoreCall> call);
void Object(std::shared_ptr<StoreCall> call);
void Rename(std::shared_ptr<StoreCall> call);  // and RENAMENX

}  // namespace ebla::gateway::redis
