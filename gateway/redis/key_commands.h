// Commands of several keys, and of all keys of a database.
// Source:  Redis 7.0's documentation of each command.
// Threads: any, as store_commands.h says.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "gateway/redis/store_commands.h"

namespace ebla::gateway::redis {

using KeyCommand = void (*)(std::shared_ptr<StoreCall> call);

// Null: there is none of that name.
KeyCommand FindKeyCommand(std::string_view name);

// What stands behind COPY's keys.
struct CopyOptions {
  bool replaces = false;
  std::optional<std::string> database;  // another one; none: that of the connection
  std::string_view failure;             // of what cannot be an option; empty: it can

  void TakeDatabase(const std::string& word);
};
CopyOptions CopyOptionsOf(const Words& words);
// The database that COPY or MOVE names, if its words are right; which may be the connection's own.
std::optional<std::string> OtherDatabase(const CommandInfo& command, const Words& words);

// Those that visit all keys: scan_commands.cc.
void Scan(std::shared_ptr<StoreCall> call);
void Keys(std::shared_ptr<StoreCall> call);
void DbSize(std::shared_ptr<StoreCall> call);
void RandomKey(std::shared_ptr<StoreCall> call);
void FlushDb(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
