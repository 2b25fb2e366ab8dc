#include "gateway/redis/redis_door.h"

namespace ebla::gateway::redis {

RedisDoor::RedisDoor(const DoorOptions& options, const Client& client, Table table, TableStoreOptions levels,
                     Transactions transactions)
    : table_(std::move(table)),
      statistics_(CommandNames(), options.loops.size()),
      databases_(std::make_shared<TableDatabases>(client, table_, levels)),
      shared_(std::make_shared<Shared>()),
      server_(
          options.server,
          [shared = shared_](rpc::EventLoop& loop, const std::string& peer) {
            return std::make_unique<RedisProtocol>(shared, loop, peer);
          },
          options.loops, statistics_) {
  shared_->databases = databases_;
  shared_->deadline = options.deadline;
  shared_->options.transactions = transactions;
}

void RedisDoor::Stop(Duration patience) {
  server_.Stop(patience);
  databases_->Stop();  // here, as a command that still runs may be the last to let go of them
}

}  // namespace ebla::gateway::redis
