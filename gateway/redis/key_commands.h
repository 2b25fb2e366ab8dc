// gateway/redis/key_commands.h
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

// What stands behind COPY's keys.
struct CopyOptions {
  bool replaces = false;
  std::optional<std::string> database;  // another one; none: that of the connection
  std::string_view failure;             // of what cannot be an option; empty: it can
};
CopyOptions CopyOptionsOf(const Words& words);
// The database that COPY names, if its words are right; it may be the connection's own.
std::optional<std::string> NamedDatabase(const CommandInfo& command, const Words& words);

void BitOpOf(std::shared_ptr<StoreCall> call);
void Copy(std::shared_ptr<StoreCall> call);
void CountKeys(std::shared_ptr<StoreCall> call);  // EXISTS and TOUCH
void Del(std::shared_ptr<StoreCall> call);        // and UNLINK
void LcsOf(std::shared_ptr<StoreCall> call);
void MGet(std::shared_ptr<StoreCall> call);
void MSet(std::shared_ptr<StoreCall> call);
void MSetNx(std::shared_ptr<StoreCall> call);
void Memory(std::shared_ptr<StoreCall> call);
void Object(std::shared_ptr<StoreCall> call);
void Rename(std::shared_ptr<StoreCall> call);  // and RENAMENX
// Messages, of clients and of other gateways.
void Deliver(std::shared_ptr<StoreCall> call);
void MeetPeer(std::shared_ptr<StoreCall> call);
void Publish(std::shared_ptr<StoreCall> call);
// Those that visit all keys: scan_commands.cc.
void Scan(std::shared_ptr<StoreCall> call);
void Keys(std::shared_ptr<StoreCall> call);
void DbSize(std::shared_ptr<StoreCall> call);
void RandomKey(std::shared_ptr<StoreCall> call);
void FlushDb(std::shared_ptr<StoreCall> call);

}  // namespace ebla::gateway::redis
