#include "gateway/redis/redis_door.h"

namespace ebla::gateway::redis {

RedisDoor::RedisDoor(const DoorOptions& options, const Client& client, Table table, TableStoreOptions levels)
    : table_(std::move(table)),
      statistics_(CommandNames(), options.loops.size()),
      shared_(std::make_shared<Shared>()),
      server_(
          options.server,
          [shared = shared_](rpc::EventLoop& loop, const std::string& peer) {
            return std::make_unique<RedisProtocol>(shared, loop, peer);
          },
          options.loops, statistics_) {
  shared_->databases = std::make_shared<TableDatabases>(client, table_.name(), levels);
  shared_->deadline = options.deadline;
}

}  // namespace ebla::gateway::redis
